use aex_kit::Principal;
use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Identity, create_key, key};

const NO_KEY: &str = "key_01h455vb4pex5vsknk084sn02q";

fn revoke(key_id: &str) -> pb::RevokeApiKeyRequest {
    pb::RevokeApiKeyRequest {
        idempotency_key: key(),
        key_id: key_id.to_owned(),
    }
}

fn rotate(key_id: &str) -> pb::RotateApiKeyRequest {
    pb::RotateApiKeyRequest {
        idempotency_key: key(),
        key_id: key_id.to_owned(),
    }
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_nowhere() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let request = create_key(&ada, &["work:*"]);
    let first = identity
        .operator
        .create_api_key(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(
        first.secret.starts_with("aex_test_") && first.secret.len() == 47,
        "{}",
        first.secret.len()
    );
    let again = identity
        .operator
        .create_api_key(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((again.secret.as_str(), &again.api_key), ("", &first.api_key));
    // Nothing in the database holds it, in the clear or in an event.
    let random = &first.secret[9..];
    assert!(!identity.database.state().await.contains(random));
    for event in identity.database.events().await {
        assert!(!format!("{event:?}").contains(random));
    }
}

#[tokio::test]
async fn a_key_makes_only_keys_that_may_do_no_more_than_itself() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let limited = Principal {
        scopes: vec!["keys:write".to_owned(), "work:*".to_owned()],
        ..identity.principal_of(&ada)
    };
    let mut client = identity.tenant(&limited);
    assert!(
        client
            .create_api_key(create_key("", &["work:read"]))
            .await
            .is_ok()
    );
    let refused = Refused::from(client.create_api_key(create_key("", &["billing:write"])).await);
    assert_eq!(refused.why(), (Code::PermissionDenied, "SCOPE_NOT_GRANTABLE"));
    let refused = Refused::from(client.create_api_key(create_key("", &["wrok:read"])).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["scopes[0]"]);
    let reader = Principal {
        scopes: vec!["keys:read".to_owned()],
        ..limited
    };
    let refused = Refused::from(
        identity
            .tenant(&reader)
            .create_api_key(create_key("", &["work:read"]))
            .await,
    );
    assert_eq!(refused.why(), (Code::PermissionDenied, "SCOPE_DENIED"));
}

#[tokio::test]
async fn a_key_takes_back_only_keys_that_may_do_no_more_than_itself() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (whole, _) = identity.create_key(&ada, &["*"]).await;
    let (reader, _) = identity.create_key(&ada, &["work:read"]).await;
    let limited = Principal {
        scopes: vec!["keys:write".to_owned(), "work:*".to_owned()],
        ..identity.principal_of(&ada)
    };
    let bound = Principal {
        scopes: vec!["*".to_owned()],
        provider: Some(identity.world.runtime().id()),
        ..limited.clone()
    };
    for (who, key) in [(&limited, &whole), (&bound, &whole), (&bound, &reader)] {
        let refused = Refused::from(identity.tenant(who).revoke_api_key(revoke(&key.key_id)).await);
        assert_eq!(refused.why(), (Code::PermissionDenied, "SCOPE_NOT_GRANTABLE"));
    }
    let mut client = identity.tenant(&limited);
    assert!(client.revoke_api_key(revoke(&reader.key_id)).await.is_ok());
}

#[tokio::test]
async fn keys_are_made_for_active_tenants_only_and_expire_in_the_future() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let past = prost_types::Timestamp { seconds: 1, nanos: 0 };
    let request = pb::CreateApiKeyRequest {
        expire_time: Some(past),
        ..create_key(&ada, &["*"])
    };
    let refused = Refused::from(identity.operator.create_api_key(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["expire_time"]);
    let refused = Refused::from(identity.operator.create_api_key(create_key("", &["*"])).await);
    assert_eq!(refused.fields, ["tenant_id"]);
    identity.suspend(&ada).await;
    let refused = Refused::from(identity.operator.create_api_key(create_key(&ada, &["*"])).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
}

#[tokio::test]
async fn the_hundred_and_first_key_is_refused_even_when_all_are_asked_for_at_once() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    for _ in 0..95 {
        identity.create_key(&ada, &["work:read"]).await;
    }
    let attempts: Vec<_> = (0..10)
        .map(|_| {
            let (mut operator, request) = (identity.operator.clone(), create_key(&ada, &["work:read"]));
            tokio::spawn(async move { operator.create_api_key(request).await })
        })
        .collect();
    let mut refusals = Vec::new();
    for attempt in attempts {
        if let Err(status) = attempt.await.unwrap() {
            refusals.push(Refused::from(status));
        }
    }
    assert_eq!(refusals.len(), 5);
    assert!(
        refusals
            .iter()
            .all(|refused| refused.why() == (Code::FailedPrecondition, "API_KEY_LIMIT_REACHED"))
    );
}

#[tokio::test]
async fn a_rotated_key_lives_on_under_a_new_secret() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (old, old_secret) = identity.create_key(&ada, &["work:read", "bids:*"]).await;
    let rotated = identity
        .operator
        .rotate_api_key(rotate(&old.key_id))
        .await
        .unwrap()
        .into_inner();
    let new = rotated.api_key.unwrap();
    assert_eq!((new.scopes, new.display_name), (old.scopes, old.display_name));
    assert_ne!(new.key_id, old.key_id);
    assert_eq!(identity.verdict(&old_secret).await, pb::KeyVerdict::Revoked);
    assert_eq!(identity.verdict(&rotated.secret).await, pb::KeyVerdict::Valid);
    let refused = Refused::from(identity.operator.rotate_api_key(rotate(&old.key_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "API_KEY_NOT_ACTIVE"));
    let refused = Refused::from(identity.operator.rotate_api_key(rotate(NO_KEY)).await);
    assert_eq!(refused.why(), (Code::NotFound, "API_KEY_NOT_FOUND"));
}

#[tokio::test]
async fn another_tenants_key_is_not_found() {
    let mut identity = Identity::new().await;
    let (ada, bob) = (identity.create("Ada").await, identity.create("Bob").await);
    let (key, secret) = identity.create_key(&ada, &["*"]).await;
    let mut client = identity.tenant(&identity.principal_of(&bob));
    let get = pb::GetApiKeyRequest {
        key_id: key.key_id.clone(),
    };
    let list = pb::ListApiKeysRequest {
        tenant_id: ada.clone(),
        ..Default::default()
    };
    let refusals = [
        Refused::from(client.get_api_key(get.clone()).await),
        Refused::from(client.revoke_api_key(revoke(&key.key_id)).await),
        Refused::from(client.rotate_api_key(rotate(&key.key_id)).await),
    ];
    for refused in refusals {
        assert_eq!(refused.why(), (Code::NotFound, "API_KEY_NOT_FOUND"));
    }
    let refused = Refused::from(client.list_api_keys(list).await);
    assert_eq!(refused.why(), (Code::NotFound, "TENANT_NOT_FOUND"));
    assert_eq!(identity.verdict(&secret).await, pb::KeyVerdict::Valid);
    let own = identity
        .tenant(&identity.principal_of(&ada))
        .get_api_key(get)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(own.api_key, Some(key));
}

#[tokio::test]
async fn pages_of_keys_are_complete() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(identity.create_key(&ada, &["work:read"]).await.0.key_id);
    }
    made.sort();
    let mut client = identity.tenant(&identity.principal_of(&ada));
    let mut request = pb::ListApiKeysRequest {
        page_size: 2,
        ..Default::default()
    };
    let mut found = Vec::new();
    loop {
        let page = client.list_api_keys(request.clone()).await.unwrap().into_inner();
        found.extend(page.api_keys.into_iter().map(|key| key.key_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, made);
    request.page_token = "AAAAAAAAAAAA".to_owned();
    let refused = Refused::from(client.list_api_keys(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
