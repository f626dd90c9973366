use std::{sync::Arc, time::Duration};

use aex_error::wire;
use aex_kit::Hosted as _;
use aex_proto::aex::settlement::v1 as pb;
use aex_testkit::{Refused, Shape};

use crate::fixture::{Settlement, config, settle};

const DAY: Duration = Duration::from_hours(24);

fn has(types: &[String], kind: &str) -> bool {
    types.iter().any(|found| found == kind)
}

#[tokio::test]
async fn residual_and_payout_are_free_when_their_times_have_come() {
    let mut settlement = Settlement::new().await;
    Arc::clone(&settlement.app).start_workers();
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.settle(&award.contract_id, "1.5").await;
    assert_eq!(settlement.balance(&ada).await, ["8", "0.5", "0", "0"]);
    settlement.world.advance(DAY);
    let id = award.contract_id.clone();
    settlement
        .until(&id, |_, types| {
            has(types, "hold.residual_released") && has(types, "hold.payout_released")
        })
        .await;
    assert_eq!(settlement.balance(&ada).await, ["8.5", "0", "0", "0"]);
    assert_eq!(settlement.balance(&bob).await, ["1.275", "0", "0", "0"]);
    let kinds: Vec<_> = settlement
        .statement(&bob)
        .await
        .iter()
        .map(pb::StatementLine::kind)
        .collect();
    assert_eq!(kinds[0], pb::LineKind::PayoutRelease);
    let left = settlement.database.execute("SELECT 1 FROM timer").await;
    assert_eq!(left, 0);
    let payout = settlement
        .database
        .events()
        .await
        .into_iter()
        .find(|event| event.r#type == "hold.payout_released")
        .unwrap();
    assert_eq!(payout.visible_to, [bob.tenant.to_string()]);
    settlement.assert_clean().await;
}

#[tokio::test]
async fn without_windows_everything_is_free_at_once() {
    let mut config = config();
    config.books.windows_zero = true;
    let mut settlement = Settlement::with(Shape::InProcess, &config).await;
    Arc::clone(&settlement.app).start_workers();
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.settle(&award.contract_id, "2").await;
    let id = award.contract_id.clone();
    settlement
        .until(&id, |_, types| {
            has(types, "hold.payout_released") && has(types, "hold.residual_released")
        })
        .await;
    assert_eq!(settlement.balance(&bob).await, ["1.7", "0", "0", "0"]);
    settlement.assert_clean().await;
}

#[tokio::test]
async fn an_overdue_hold_is_told_of_and_keeps_its_money() {
    let mut settlement = Settlement::new().await;
    Arc::clone(&settlement.app).start_workers();
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.world.advance(Duration::from_hours(2));
    let id = award.contract_id.clone();
    settlement.until(&id, |_, types| has(types, "hold.overdue")).await;
    assert_eq!(settlement.balance(&ada).await, ["8", "2", "0", "0"]);
    // It can still be settled.
    settlement.settle(&award.contract_id, "2").await;
    settlement.assert_clean().await;
}

#[tokio::test]
async fn a_release_waits_for_its_moment_and_refuses_a_settlement_meanwhile() {
    let mut settlement = Settlement::new().await;
    Arc::clone(&settlement.app).start_workers();
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    let not_before = settlement.world.runtime().now().saturating_add(DAY);
    let later = pb::ReleaseHoldRequest {
        contract_id: award.contract_id.clone(),
        not_before: Some(wire::time(not_before)),
    };
    for _ in 0..2 {
        let waiting = settlement
            .engine
            .release_hold(later.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(waiting.hold.unwrap().status(), pb::HoldStatus::Held);
    }
    let refused = Refused::from(
        settlement
            .engine
            .settle_contract(settle(&award.contract_id, "2"))
            .await,
    );
    assert_eq!(refused.reason, "HOLD_RELEASED");
    let other = pb::ReleaseHoldRequest {
        not_before: Some(wire::time(not_before.saturating_add(DAY))),
        ..later
    };
    let refused = Refused::from(settlement.engine.release_hold(other).await);
    assert_eq!(refused.reason, "HOLD_TERMS_CHANGED");
    assert_eq!(settlement.balance(&ada).await, ["8", "2", "0", "0"]);
    settlement.world.advance(DAY);
    let id = award.contract_id.clone();
    settlement
        .until(&id, |hold, _| hold.status() == pb::HoldStatus::Released)
        .await;
    assert_eq!(settlement.balance(&ada).await, ["10", "0", "0", "0"]);
    let types = settlement.database.event_types().await;
    assert!(has(&types, "hold.release_scheduled") && !has(&types, "hold.overdue"));
    settlement.assert_clean().await;
}

#[tokio::test]
async fn a_test_deposit_whose_request_was_cut_off_is_confirmed_by_the_worker() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.tenant("Ada").await;
    let asked = settlement.pending(&ada, "7").await;
    // As a crash between request and confirmation would leave it behind.
    let id: aex_types::DepositId = asked.deposit_id.parse().unwrap();
    let id = id.uuid();
    for statement in [
        format!("UPDATE deposit SET rail = 'test' WHERE deposit_id = '{id}'"),
        format!("INSERT INTO timer VALUES ('deposit.confirm_test', '{id}', '2020-01-01')"),
    ] {
        settlement.database.execute(&statement).await;
    }
    Arc::clone(&settlement.app).start_workers();
    for _ in 0..2000 {
        if settlement.balance(&ada).await[0] == "7" {
            break;
        }
        settlement.world.runtime().pause(Duration::from_millis(5)).await;
    }
    assert_eq!(settlement.balance(&ada).await, ["7", "0", "0", "0"]);
    let keyed = settlement
        .database
        .execute(&format!(
            "SELECT 1 FROM journal WHERE business_key = 'deposit:test:{}:1'",
            asked.deposit_id
        ))
        .await;
    assert_eq!(keyed, 1);
}
