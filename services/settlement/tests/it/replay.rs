use std::{sync::Arc, time::Duration};

use aex_error::wire;
use aex_kit::Hosted as _;
use aex_proto::aex::settlement::v1 as pb;
use aex_settlement::{App, SCHEMA};
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::{Settlement, config, confirm, reject, release};

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables_and_timers() {
    let mut settlement = Settlement::new().await;
    Arc::clone(&settlement.app).start_workers();
    let (ada, bob) = settlement.traders("100").await;
    let (one, two) = (
        settlement.pending(&ada, "7").await,
        settlement.pending(&bob, "8").await,
    );
    settlement.pending(&bob, "9").await;
    settlement
        .operator
        .confirm_deposit(confirm(&one.deposit_id, "wire-1", 1))
        .await
        .unwrap();
    settlement
        .operator
        .reject_deposit(reject(&two.deposit_id, "wire-2"))
        .await
        .unwrap();
    let settled = settlement.award(&ada, &bob, "2");
    settlement.place(&settled).await;
    settlement.settle(&settled.contract_id, "1.999999").await;
    settlement.world.advance(Duration::from_hours(25));
    let id = settled.contract_id.clone();
    settlement
        .until(&id, |_, types| {
            types.iter().any(|kind| kind == "hold.payout_released")
                && types.iter().any(|kind| kind == "hold.residual_released")
        })
        .await;
    let overdue = settlement.award(&ada, &bob, "3");
    settlement.place(&overdue).await;
    settlement.world.advance(Duration::from_hours(2));
    let id = overdue.contract_id.clone();
    settlement
        .until(&id, |_, types| types.iter().any(|kind| kind == "hold.overdue"))
        .await;
    let (open, free, gone) = (
        settlement.award(&ada, &bob, "4"),
        settlement.award(&ada, &bob, "5"),
        settlement.award(&ada, &bob, "6"),
    );
    settlement.place(&open).await;
    settlement.settle(&open.contract_id, "0").await;
    settlement.place(&free).await;
    let later = settlement
        .world
        .runtime()
        .now()
        .saturating_add(Duration::from_hours(1));
    let scheduled = pb::ReleaseHoldRequest {
        contract_id: free.contract_id.clone(),
        not_before: Some(wire::time(later)),
    };
    settlement.engine.release_hold(scheduled).await.unwrap();
    settlement
        .engine
        .release_hold(release(&gone.contract_id))
        .await
        .unwrap();
    settlement.assert_clean().await;

    let events = settlement.database.events().await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), settlement.world.runtime());
    let replayed = App::on(store, &config(), settlement.world.mesh());
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, settlement.database.state().await);
    assert_eq!(settlement.database.differences(&empty).await, [""; 0]);
    assert!(
        replayed.replay(&events[..1]).await.is_err(),
        "an event that does not follow is refused"
    );
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Settlement::new()
        .await
        .database
        .check_statements("aex-settlement")
        .await;
}
