use std::time::Duration;

use aex_contract_engine::{App, Config, SCHEMA};
use aex_proto::aex::contract_engine::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::{Engine, accept, award, complete, fail, reject, report};

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

    let events = engine.database.events().await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), engine.world.runtime());
    let replayed = App::on(store, &Config::default(), engine.world.mesh()).unwrap();
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, engine.database.state().await);
    assert!(
        replayed.replay(&events[..1]).await.is_err(),
        "an event that does not follow is refused"
    );
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
        format!("AWARDED {} 10 USD", contract.work_id)
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
