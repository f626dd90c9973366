use std::time::Duration;

use aex_error::wire;
use aex_proto::aex::{common::v1 as common, settlement::v1 as pb};
use aex_testkit::{Refused, Shape};
use prost::Message as _;
use tonic::Code;

use crate::fixture::{Settlement, release, settle, usd};

#[tokio::test]
async fn a_trade_moves_money_from_the_consumer_to_the_provider_and_the_fee() {
    for shape in Shape::ALL {
        let mut settlement = Settlement::in_shape(shape).await;
        let (ada, bob) = settlement.traders("10").await;
        let award = settlement.award(&ada, &bob, "0.08");
        let hold = settlement.place(&award).await;
        assert_eq!(hold.status(), pb::HoldStatus::Held);
        assert_eq!(settlement.balance(&ada).await, ["9.92", "0.08", "0", "0"]);
        let hold = settlement.settle(&award.contract_id, "0.08").await;
        assert_eq!(hold.status(), pb::HoldStatus::Captured);
        assert_eq!((hold.fee, hold.payout), (Some(usd("0.012")), Some(usd("0.068"))));
        assert_eq!(settlement.balance(&ada).await, ["9.92", "0", "0", "0"]);
        assert_eq!(settlement.balance(&bob).await, ["0", "0", "0.068", "0"]);
        settlement.assert_clean().await;
    }
}

#[tokio::test]
async fn a_settlement_tells_both_parties_what_it_was() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    settlement.settle(&award.contract_id, "2").await;
    let events = settlement.database.events().await;
    let told = events
        .iter()
        .find(|event| event.r#type == "contract.settled")
        .unwrap();
    assert_eq!(told.visible_to, [ada.tenant.to_string(), bob.tenant.to_string()]);
    assert_eq!(
        (
            told.aggregate_type.as_str(),
            &told.aggregate_id,
            told.aggregate_version
        ),
        ("hold", &award.contract_id, 2)
    );
    let payload = pb::ContractSettled::decode(told.payload.clone()).unwrap();
    assert_eq!(
        (payload.price, payload.fee, payload.payout, payload.residual),
        (Some(usd("2")), Some(usd("0.3")), Some(usd("1.7")), Some(usd("0")))
    );
    assert_eq!(
        (
            payload.consumer_id,
            payload.provider_tenant_id,
            payload.provider_id
        ),
        (
            ada.tenant.to_string(),
            bob.tenant.to_string(),
            award.provider_id.clone()
        )
    );
    assert_eq!(payload.journal.unwrap().lines.len(), 3);
    // The provider does not learn of the consumer's balance.
    let placed = events.iter().find(|event| event.r#type == "hold.placed").unwrap();
    assert_eq!(placed.visible_to, [ada.tenant.to_string()]);
}

#[tokio::test]
async fn every_step_asked_again_answers_the_same_and_does_nothing() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    let first = settlement.place(&award).await;
    assert_eq!(first, settlement.place(&award).await);
    let settled = settlement.settle(&award.contract_id, "2").await;
    assert_eq!(settled, settlement.settle(&award.contract_id, "2").await);
    // The award itself is answered even now, as it stands.
    assert_eq!(settled, settlement.place(&award).await);
    let other = settlement.award(&ada, &bob, "1");
    settlement.place(&other).await;
    let released = settlement
        .engine
        .release_hold(release(&other.contract_id))
        .await
        .unwrap()
        .into_inner();
    let again = settlement
        .engine
        .release_hold(release(&other.contract_id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(released, again);
    assert_eq!(
        settlement.database.event_types().await.len(),
        2 + 2 + 2,
        "two events each of the deposit, the trade and the release"
    );
    assert_eq!(settlement.balance(&ada).await, ["8", "0", "0", "0"]);
}

#[tokio::test]
async fn an_award_needs_the_money() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("5").await;
    let award = settlement.award(&ada, &bob, "5.000001");
    let refused = Refused::from(settlement.engine.place_hold(award.clone()).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
    assert_eq!(refused.metadata["available"], "5 USD");
    // A refusal is not kept: with the money there, the same award is placed.
    let more = crate::fixture::deposit("test", "1");
    settlement.client(&ada).request_deposit(more).await.unwrap();
    settlement.place(&award).await;
    let award = settlement.award(&bob, &ada, "1");
    let refused = Refused::from(settlement.engine.place_hold(award).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
}

#[tokio::test]
async fn an_award_on_other_terms_is_refused() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    let other = pb::PlaceHoldRequest {
        amount: Some(usd("3")),
        ..award.clone()
    };
    let refused = Refused::from(settlement.engine.place_hold(other).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_TERMS_CHANGED"));
    settlement.settle(&award.contract_id, "2").await;
    let refused = Refused::from(
        settlement
            .engine
            .settle_contract(settle(&award.contract_id, "1"))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_TERMS_CHANGED"));
    let refused = Refused::from(settlement.engine.release_hold(release(&award.contract_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_CAPTURED"));
}

#[tokio::test]
async fn what_cannot_be_awarded_or_paid_is_named_by_field() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    let to_itself = pb::PlaceHoldRequest {
        provider_tenant_id: ada.tenant.to_string(),
        ..award.clone()
    };
    let for_nothing = pb::PlaceHoldRequest {
        amount: Some(usd("0")),
        ..award.clone()
    };
    for (wrong, field) in [(to_itself, "provider_tenant_id"), (for_nothing, "amount")] {
        let refused = Refused::from(settlement.engine.place_hold(wrong).await);
        assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
        assert_eq!(refused.fields, [field]);
    }
    let foreign = pb::PlaceHoldRequest {
        amount: Some(common::Money {
            currency_code: "XYZ".to_owned(),
            amount: "1".to_owned(),
        }),
        ..award.clone()
    };
    let refused = Refused::from(settlement.engine.place_hold(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "CURRENCY_UNSUPPORTED"));
    settlement.place(&award).await;
    let refused = Refused::from(
        settlement
            .engine
            .settle_contract(settle(&award.contract_id, "2.000001"))
            .await,
    );
    assert_eq!(refused.fields, ["price"]);
    let mut foreign = settle(&award.contract_id, "2");
    foreign.price.as_mut().unwrap().currency_code = "XYZ".to_owned();
    let refused = Refused::from(settlement.engine.settle_contract(foreign).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_TERMS_CHANGED"));
}

#[tokio::test]
async fn a_tenant_of_the_house_may_trade_with_itself() {
    let mut settlement = Settlement::new().await;
    let ada = settlement.funded("Ada", "10").await;
    let award = pb::PlaceHoldRequest {
        tier: common::Tier::Internal.into(),
        ..settlement.award(&ada, &ada, "2")
    };
    settlement.place(&award).await;
    settlement.settle(&award.contract_id, "2").await;
    assert_eq!(settlement.balance(&ada).await, ["8", "0", "1.7", "0"]);
    settlement.assert_clean().await;
}

#[tokio::test]
async fn a_release_gives_everything_back_and_is_final() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    settlement.place(&award).await;
    let released = settlement
        .engine
        .release_hold(release(&award.contract_id))
        .await
        .unwrap();
    assert_eq!(
        released.into_inner().hold.unwrap().status(),
        pb::HoldStatus::Released
    );
    assert_eq!(settlement.balance(&ada).await, ["10", "0", "0", "0"]);
    let refused = Refused::from(
        settlement
            .engine
            .settle_contract(settle(&award.contract_id, "2"))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_RELEASED"));
    let refused = Refused::from(settlement.engine.place_hold(award).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_RELEASED"));
    settlement.assert_clean().await;
}

#[tokio::test]
async fn a_release_that_came_first_refuses_the_hold() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let award = settlement.award(&ada, &bob, "2");
    let released = settlement
        .engine
        .release_hold(release(&award.contract_id))
        .await
        .unwrap();
    assert_eq!(
        released.into_inner().hold.unwrap().status(),
        pb::HoldStatus::Released
    );
    let refused = Refused::from(settlement.engine.place_hold(award.clone()).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "HOLD_RELEASED"));
    assert_eq!(settlement.balance(&ada).await, ["10", "0", "0", "0"]);
    // No tenant sees it, the operator does.
    let request = pb::GetSettlementRequest {
        contract_id: award.contract_id.clone(),
    };
    let refused = Refused::from(settlement.client(&ada).get_settlement(request).await);
    assert_eq!(refused.why(), (Code::NotFound, "HOLD_NOT_FOUND"));
    settlement.settlement(&award.contract_id).await;
    settlement.assert_clean().await;
}

#[tokio::test]
async fn nothing_is_settled_without_a_hold() {
    let mut settlement = Settlement::new().await;
    let absent = settle("contract_01h455vb4pex5vsknk084sn02q", "1");
    let refused = Refused::from(settlement.engine.settle_contract(absent).await);
    assert_eq!(refused.why(), (Code::NotFound, "HOLD_NOT_FOUND"));
}

#[tokio::test]
async fn a_debtor_gets_no_new_hold_and_its_deposits_repay_first() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    // A debt as a claw-back would leave it behind.
    settlement
        .database
        .execute(&format!(
            "INSERT INTO account VALUES (1100, '{}', 'USD', 3, 0, 1)",
            ada.tenant.uuid()
        ))
        .await;
    let award = settlement.award(&ada, &bob, "1");
    let refused = Refused::from(settlement.engine.place_hold(award.clone()).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "RECEIVABLE_OPEN"));
    let funds = pb::CheckFundsRequest {
        tenant_id: ada.tenant.to_string(),
        amount: Some(usd("1")),
    };
    let funds = settlement
        .publisher
        .check_funds(funds)
        .await
        .unwrap()
        .into_inner();
    assert!(!funds.sufficient);
    let more = crate::fixture::deposit("test", "4");
    settlement.client(&ada).request_deposit(more).await.unwrap();
    assert_eq!(settlement.balance(&ada).await, ["11", "0", "0", "0"]);
    let kinds: Vec<_> = settlement
        .statement(&ada)
        .await
        .iter()
        .map(pb::StatementLine::kind)
        .collect();
    assert_eq!(
        kinds,
        [
            pb::LineKind::Recovery,
            pb::LineKind::Deposit,
            pb::LineKind::Deposit
        ]
    );
    settlement.place(&award).await;
}

#[tokio::test]
async fn the_window_of_the_award_decides_when_money_is_free() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("100").await;
    let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
    for (tier, window, residual, payout) in [
        (common::Tier::Unverified, None, day, 3 * day),
        (common::Tier::Trusted, None, day, day),
        (common::Tier::Trusted, Some(2 * hour), 2 * hour, 2 * hour),
        (common::Tier::Preferred, None, day, hour),
        (common::Tier::Internal, None, day, Duration::ZERO),
    ] {
        let award = pb::PlaceHoldRequest {
            tier: tier.into(),
            dispute_window: window.map(wire::span),
            ..settlement.award(&ada, &bob, "1")
        };
        settlement.place(&award).await;
        let hold = settlement.settle(&award.contract_id, "1").await;
        let now = settlement.world.runtime().now();
        assert_eq!(
            hold.residual_release_time,
            Some(wire::time(now.saturating_add(residual)))
        );
        assert_eq!(
            hold.payout_release_time,
            Some(wire::time(now.saturating_add(payout)))
        );
    }
}

#[tokio::test]
async fn concurrent_holds_never_overdraw() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("10").await;
    let tries: Vec<_> = (0..40)
        .map(|_| {
            let (mut engine, award) = (settlement.engine.clone(), settlement.award(&ada, &bob, "1"));
            tokio::spawn(async move { engine.place_hold(award).await })
        })
        .collect();
    let mut placed = 0;
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(_) => placed += 1,
            Err(status) => assert_eq!(Refused::from(status).reason, "INSUFFICIENT_FUNDS"),
        }
    }
    assert_eq!(placed, 10);
    assert_eq!(settlement.balance(&ada).await, ["0", "10", "0", "0"]);
    settlement.assert_clean().await;
}

#[tokio::test]
async fn two_replicas_race_and_the_books_stay_right() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("20").await;
    // A second replica on the same tables, with a committer of its own.
    let store = aex_store::Store::attach(
        &aex_settlement::SCHEMA,
        settlement.database.connect(),
        settlement.world.runtime(),
    );
    let second = std::sync::Arc::new(aex_settlement::App::on(
        store,
        &crate::fixture::config(),
        settlement.world.mesh(),
    ));
    let first = settlement.engine.clone();
    settlement.world.host(&second).await;
    let other = crate::fixture::Client::new(settlement.world.client(
        &aex_testkit::Who::Service("contract-engine"),
        <aex_settlement::App as aex_kit::Hosted>::NAME,
    ));
    let mut tries = Vec::new();
    for number in 0..40 {
        let award = settlement.award(&ada, &bob, "1");
        for mut engine in [first.clone(), other.clone()] {
            let award = award.clone();
            tries.push(tokio::spawn(async move {
                let placed = engine.place_hold(award.clone()).await.map(drop);
                if placed.is_ok() && number % 2 == 0 {
                    engine
                        .settle_contract(settle(&award.contract_id, "1"))
                        .await
                        .unwrap();
                }
                placed
            }));
        }
    }
    let mut placed = 0;
    for attempt in tries {
        match attempt.await.unwrap() {
            Ok(()) => placed += 1,
            Err(status) => assert_eq!(Refused::from(status).reason, "INSUFFICIENT_FUNDS"),
        }
    }
    assert!(
        placed >= 20,
        "each award that was placed was answered at least once: {placed}"
    );
    assert_eq!(settlement.balance(&ada).await[0], "0");
    settlement.assert_clean().await;
}

#[tokio::test]
async fn every_contract_is_settled_once_however_many_ask() {
    const CONTRACTS: usize = 200;
    const CALLERS: usize = 8;
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("1000").await;
    let mut awards = Vec::new();
    for _ in 0..CONTRACTS {
        let award = settlement.award(&ada, &bob, "1");
        settlement.place(&award).await;
        awards.push(award.contract_id);
    }
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (mut engine, awards) = (settlement.engine.clone(), awards.clone());
            tokio::spawn(async move {
                for place in 0..awards.len() {
                    let contract = &awards[(place + caller * 25) % awards.len()];
                    engine.settle_contract(settle(contract, "1")).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let types = settlement.database.event_types().await;
    let settled = types.iter().filter(|kind| *kind == "contract.settled").count();
    assert_eq!(settled, CONTRACTS);
    let journals = settlement
        .database
        .execute("SELECT 1 FROM journal WHERE kind = 'SETTLE'")
        .await;
    assert_eq!(journals, CONTRACTS as u64);
    assert_eq!(settlement.balance(&bob).await, ["0", "0", "170", "0"]);
    settlement.assert_clean().await;
}
