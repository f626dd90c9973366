use std::time::Duration;

use aex_contract_engine::{App, SCHEMA};
use aex_proto::aex::contract_engine::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::{Engine, accept, award, complete, config, fail, reject, report};

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let mut engine = Engine::new().await;
    let paid = engine.delivered().await;
    engine
        .ada_client
        .accept_contract(accept(&paid.contract_id))
        .await
        .unwrap();
    let rejected = engine.delivered().await;
    engine
        .ada_client
        .reject_contract(reject(&rejected.contract_id))
        .await
        .unwrap();
    let given_up = engine.awarded().await;
    engine
        .bob_client
        .report_progress(report(&given_up.contract_id, 30))
        .await
        .unwrap();
    engine
        .bob_client
        .fail_contract(fail(&given_up.contract_id))
        .await
        .unwrap();
    let at_once = engine
        .awarded_as(|work| {
            work.set_verification_method(aex_proto::aex::work_publisher::v1::VerificationMethod::None);
        })
        .await;
    engine
        .bob_client
        .complete_contract(complete(&at_once.contract_id))
        .await
        .unwrap();
    engine.peers.stage().is_poor = true;
    let trade = engine.trade(&["10"], |_| {});
    engine
        .ada_client
        .award_contract(award(&trade, 0))
        .await
        .unwrap_err();

    assert_rebuilds(&engine).await;
}

/// Folds all events into an empty copy, and compares tables and jobs.
async fn assert_rebuilds(engine: &Engine) {
    let events = engine.database.events().await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), engine.world.runtime());
    let replayed = App::on(store, &config(), engine.world.mesh()).unwrap();
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, engine.database.state().await);
    assert_eq!(engine.database.differences(&empty).await, [""; 0]);
    assert!(
        replayed.replay(&events[..1]).await.is_err(),
        "an event that does not follow is refused"
    );
}

#[tokio::test]
async fn what_time_ended_is_rebuilt_too_and_so_are_the_jobs_that_wait() {
    let mut engine = Engine::new().await;
    // Nobody takes the events away.
    let lease = "INSERT INTO lease VALUES ('relay', gen_random_uuid(), 'infinity')";
    engine.database.execute(lease).await;
    engine.start_workers();
    engine.awarded().await;
    engine.delivered().await;
    engine.world.advance(Duration::from_hours(25));
    engine
        .until("time has ended both", async |engine| {
            let ended = "SELECT 1 FROM contract WHERE status IN ('EXPIRED', 'SETTLED')";
            engine.database.execute(ended).await == 2
                && engine.database.execute("SELECT 1 FROM timer").await == 0
        })
        .await;
    engine.delivered_again().await;
    assert_eq!(
        engine
            .database
            .execute("SELECT 1 FROM timer WHERE kind = 'review'")
            .await,
        1
    );
    assert_rebuilds(&engine).await;
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Engine::new()
        .await
        .database
        .check_statements("aex-contract-engine")
        .await;
}

#[tokio::test]
async fn the_audit_names_what_is_broken() {
    let mut engine = Engine::new().await;
    let contract = engine.awarded().await;
    let clean = engine
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(clean.violations.is_empty(), "{:?}", clean.violations);
    assert_eq!(
        clean.facts[0].value,
        format!("AWARDED {} 10 USD {}", contract.work_id, contract.bid_id)
    );
    engine.world.advance(Duration::from_hours(1));
    let late = engine
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    let mut found: Vec<_> = late
        .violations
        .iter()
        .map(|found| found.invariant.as_str())
        .collect();
    found.dedup();
    assert_eq!(found, ["contract.expired", "contract.worked"]);
    engine.database.execute("DROP INDEX contract_live_by_work").await;
    engine
        .database
        .execute(
            "INSERT INTO contract SELECT gen_random_uuid(), work_id, bid_id, consumer_id, provider_id,
             provider_tenant_id, price, currency, expire_time, terms, status, reason, message, sealed, final, tier,
             progress, result, review_deadline, release_not_before, version, create_time, award_time, start_time,
             deliver_time, end_time, settle_time, update_time FROM contract",
        )
        .await;
    let broken = engine
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(
        broken
            .violations
            .iter()
            .any(|found| found.invariant == "contract.one_per_work")
    );
}
