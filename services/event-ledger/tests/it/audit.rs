use aex_event_ledger::domain::chain::Hash;
use aex_proto::aex::{common::v1::Event, event_ledger::v1 as pb};

use crate::fixture::{Ledger, request};

async fn audit(ledger: &mut Ledger) -> pb::AuditResponse {
    ledger
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner()
}

async fn broken(ledger: &mut Ledger) -> Vec<(String, String)> {
    let found = audit(ledger).await.violations;
    found
        .into_iter()
        .map(|found| (found.invariant, found.subject))
        .collect()
}

#[tokio::test]
async fn the_audit_states_where_the_log_ends_and_who_told_how_much() {
    let mut ledger = Ledger::new().await;
    assert!(broken(&mut ledger).await.is_empty());
    ledger.append_works(0..3).await;
    let settled = Event {
        producer: "settlement".to_owned(),
        ..ledger.work(0, 1)
    };
    ledger
        .service("settlement")
        .append(request(&[settled]))
        .await
        .unwrap();
    let answer = audit(&mut ledger).await;
    assert_eq!(
        (answer.violations.len(), answer.next_page_token.as_str()),
        (0, "")
    );
    let facts: Vec<_> = answer
        .facts
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.subject.as_str()))
        .collect();
    assert_eq!(
        facts,
        [
            ("ledger.sequence", "head"),
            ("ledger.hash", "head"),
            ("ledger.events", "settlement"),
            ("ledger.events", "work-publisher"),
        ]
    );
    let last = ledger.events().await.pop().unwrap();
    let hash = Hash::read(&last.hash).unwrap().to_string();
    let values: Vec<_> = answer.facts.iter().map(|fact| fact.value.as_str()).collect();
    assert_eq!(values, ["4", hash.as_str(), "1", "3"]);
}

#[tokio::test]
async fn the_audit_names_what_is_broken() {
    let mut ledger = Ledger::new().await;
    let events = [
        ledger.work(1, 1),
        ledger.work(1, 2),
        ledger.work(1, 3),
        ledger.work(2, 1),
    ];
    ledger.append(&events).await;
    assert!(broken(&mut ledger).await.is_empty());
    ledger
        .database
        .execute("CREATE TABLE kept AS SELECT * FROM event")
        .await;

    ledger
        .database
        .execute("UPDATE event SET event = event || '\\x00'::bytea WHERE sequence = 3")
        .await;
    assert_eq!(
        broken(&mut ledger).await,
        [("ledger.chain".to_owned(), "3".to_owned())]
    );
    ledger
        .database
        .execute("DELETE FROM event WHERE sequence = 2")
        .await;
    let found = [
        ("ledger.dense", "2"),
        ("ledger.versions", "work_1"),
        ("ledger.chain", "2"),
    ];
    assert_eq!(
        broken(&mut ledger).await,
        found.map(|(one, two)| (one.to_owned(), two.to_owned()))
    );
    ledger
        .database
        .execute("DELETE FROM event; INSERT INTO event SELECT * FROM kept")
        .await;
    ledger.database.execute("UPDATE head SET sequence = 3").await;
    let found = broken(&mut ledger).await;
    assert!(
        found.contains(&("ledger.dense".to_owned(), "5".to_owned())),
        "{found:?}"
    );
}
