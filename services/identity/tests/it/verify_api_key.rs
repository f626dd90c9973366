use std::time::Duration;

use aex_error::wire;
use aex_proto::aex::identity::v1 as pb;

use crate::fixture::{Identity, activate, create_key, key};

#[tokio::test]
async fn a_key_speaks_for_its_tenant_with_its_scopes() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (made, secret) = identity
        .create_key(&ada, &["work:write", "work:read", "work:read"])
        .await;
    let verified = identity.verify(&secret).await;
    assert_eq!(verified.verdict(), pb::KeyVerdict::Valid);
    assert_eq!((verified.tenant_id, verified.key_id), (ada, made.key_id));
    assert_eq!(verified.scopes, ["work:read", "work:write"]);
    assert_eq!(verified.tenant_type, i32::from(pb::TenantType::Both));
}

#[tokio::test]
async fn what_is_no_key_speaks_for_nobody() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (_, secret) = identity.create_key(&ada, &["*"]).await;
    let mut mistyped = secret.clone();
    mistyped.replace_range(20..21, if &secret[20..21] == "a" { "b" } else { "a" });
    let live = secret.replace("aex_test_", "aex_live_");
    for wrong in [
        "x",
        "aex_test_",
        &mistyped,
        &live,
        &format!("{secret}0"),
        "aex_test_ü",
    ] {
        assert_eq!(identity.verdict(wrong).await, pb::KeyVerdict::Unknown, "{wrong}");
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_from_the_moment_of_the_reply() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (made, secret) = identity.create_key(&ada, &["*"]).await;
    let request = pb::RevokeApiKeyRequest {
        idempotency_key: key(),
        key_id: made.key_id,
    };
    let revoked = identity
        .operator
        .revoke_api_key(request)
        .await
        .unwrap()
        .into_inner()
        .api_key
        .unwrap();
    assert_eq!(revoked.status(), pb::ApiKeyStatus::Revoked);
    assert!(revoked.revoke_time.is_some());
    assert_eq!(identity.verdict(&secret).await, pb::KeyVerdict::Revoked);
}

#[tokio::test]
async fn a_key_expires_by_the_clock() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let expire = identity
        .world
        .runtime()
        .now()
        .saturating_add(Duration::from_mins(1));
    let request = pb::CreateApiKeyRequest {
        expire_time: Some(wire::time(expire)),
        ..create_key(&ada, &["*"])
    };
    let made = identity
        .operator
        .create_api_key(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(identity.verdict(&made.secret).await, pb::KeyVerdict::Valid);
    identity.world.advance(Duration::from_mins(1));
    assert_eq!(identity.verdict(&made.secret).await, pb::KeyVerdict::Expired);
    let request = pb::GetApiKeyRequest {
        key_id: made.api_key.unwrap().key_id,
    };
    let found = identity
        .operator
        .get_api_key(request)
        .await
        .unwrap()
        .into_inner()
        .api_key
        .unwrap();
    assert_eq!(found.status(), pb::ApiKeyStatus::Expired);
}

#[tokio::test]
async fn the_keys_of_a_suspended_tenant_rest_until_it_is_activated() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (_, secret) = identity.create_key(&ada, &["*"]).await;
    identity.suspend(&ada).await;
    assert_eq!(identity.verdict(&secret).await, pb::KeyVerdict::TenantNotActive);
    identity.operator.activate_tenant(activate(&ada)).await.unwrap();
    assert_eq!(identity.verdict(&secret).await, pb::KeyVerdict::Valid);
}
