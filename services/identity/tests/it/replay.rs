use aex_identity::{App, SCHEMA};
use aex_proto::aex::identity::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::{Identity, activate, config, key};

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let mut identity = Identity::new().await;
    let (ada, bob) = (identity.create("Ada").await, identity.create("Bob").await);
    let (first, _) = identity.create_key(&ada, &["work:*", "bids:read"]).await;
    identity.create_key(&bob, &["*"]).await;
    identity.suspend(&bob).await;
    identity.operator.activate_tenant(activate(&bob)).await.unwrap();
    let rotate = pb::RotateApiKeyRequest {
        idempotency_key: key(),
        key_id: first.key_id,
    };
    identity.operator.rotate_api_key(rotate).await.unwrap();
    identity.suspend(&ada).await;
    identity.terminate(&bob).await;

    let events = identity.database.events().await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), identity.world.runtime());
    let replayed = App::on(store, &config(), identity.world.mesh());
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, identity.database.state().await);
    assert!(
        replayed.replay(&events[..1]).await.is_err(),
        "an event that does not follow is refused"
    );
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Identity::new()
        .await
        .database
        .check_statements("aex-identity")
        .await;
}

#[tokio::test]
async fn the_audit_names_what_is_broken() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (made, _) = identity.create_key(&ada, &["*"]).await;
    let clean = identity
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(clean.violations.is_empty());
    assert_eq!(
        clean
            .facts
            .iter()
            .map(|fact| fact.value.as_str())
            .collect::<Vec<_>>(),
        ["ACTIVE"]
    );
    identity.database.execute("DELETE FROM api_key_secret").await;
    let broken = identity
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        broken
            .violations
            .iter()
            .map(|found| found.subject.as_str())
            .collect::<Vec<_>>(),
        [made.key_id]
    );
}
