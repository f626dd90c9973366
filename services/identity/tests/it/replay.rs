use std::{collections::BTreeSet, time::Duration};

use aex_error::wire;
use aex_identity::{App, SCHEMA};
use aex_proto::aex::identity::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;

use crate::fixture::{Identity, activate, config, create_key, key};

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

#[tokio::test]
async fn the_audit_states_where_each_tenant_and_each_key_stands() {
    let mut identity = Identity::new().await;
    let (ada, bob) = (identity.create("Ada").await, identity.create("Bob").await);
    let (kept, _) = identity.create_key(&ada, &["*"]).await;
    let (given_back, _) = identity.create_key(&ada, &["*"]).await;
    let expire = identity
        .world
        .runtime()
        .now()
        .saturating_add(Duration::from_mins(1));
    let brief = pb::CreateApiKeyRequest {
        expire_time: Some(wire::time(expire)),
        ..create_key(&ada, &["*"])
    };
    let brief = identity
        .operator
        .create_api_key(brief)
        .await
        .unwrap()
        .into_inner();
    let revoke = pb::RevokeApiKeyRequest {
        idempotency_key: key(),
        key_id: given_back.key_id.clone(),
    };
    identity.operator.revoke_api_key(revoke).await.unwrap();
    identity.suspend(&bob).await;
    identity.world.advance(Duration::from_mins(1));

    let told = identity
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    let told: BTreeSet<_> = told
        .facts
        .into_iter()
        .map(|fact| (fact.kind, fact.subject, fact.value))
        .collect();
    let stands = [
        ("tenant.status", ada, "ACTIVE"),
        ("tenant.status", bob, "SUSPENDED"),
        ("key.status", kept.key_id, "ACTIVE"),
        ("key.status", given_back.key_id, "REVOKED"),
        ("key.status", brief.api_key.unwrap().key_id, "EXPIRED"),
    ];
    let stands = stands.map(|(kind, subject, value)| (kind.to_owned(), subject, value.to_owned()));
    assert_eq!(told, BTreeSet::from(stands));
}
