use std::time::Duration;

use aex_bid_evaluator::{App, Config, SCHEMA};
use aex_proto::aex::bid_evaluator::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::Evaluator;

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let evaluator = Evaluator::new().await;
    for bids in [
        &[][..],
        &[("25", 0.1), ("60", 0.4)],
        &[("1.000001", 0.123_456_789)],
    ] {
        let (work_id, _) = evaluator.work(bids);
        evaluator.evaluate(&work_id).await;
    }
    let events = evaluator.database.events().await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), evaluator.world.runtime());
    let replayed = App::on(store, &Config::default(), evaluator.world.mesh());
    let (early, late) = events.split_at(1);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, evaluator.database.state().await);
    assert!(
        replayed.replay(early).await.is_err(),
        "an event that does not follow is refused"
    );
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Evaluator::new()
        .await
        .database
        .check_statements("aex-bid-evaluator")
        .await;
}

#[tokio::test]
async fn the_audit_names_what_is_broken() {
    let evaluator = Evaluator::new().await;
    let (work_id, _) = evaluator.work(&[("25", 0.1), ("26", 0.4)]);
    let made = evaluator.evaluate(&work_id).await;
    let mut operator = evaluator.operator.clone();
    let clean = operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(clean.violations.is_empty());
    assert_eq!(clean.facts[0].value, format!("EVALUATED {}", made.evaluation_id));
    let sql =
        "INSERT INTO timer (kind, key, due_time) SELECT 'evaluate', work_id, create_time FROM evaluation";
    evaluator.database.execute(sql).await;
    evaluator.world.advance(Duration::from_mins(11));
    let late = operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (late.violations.len(), late.violations[0].subject.as_str()),
        (1, work_id.as_str())
    );
}
