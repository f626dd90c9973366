use std::time::{Duration, Instant};

use aex_error::wire;
use aex_proto::aex::{contract_engine::v1 as engine, identity::v1 as pb};
use aex_testkit::{Refused, Shape, World};
use futures::future::join_all;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::{
    double::Identity,
    fixture::{Exchange, GET_CONTRACT, WATCH_CONTRACT, call, config, edge, key, with_credential},
};

#[tokio::test]
async fn what_is_no_key_of_this_deployment_is_refused() {
    let exchange = Exchange::new().await;
    let live = exchange.secret.replace("aex_test_", "aex_live_");
    for wrong in [
        "Bearer",
        "Bearer nonsense",
        "Basic aex_test_1",
        "Bearer aex_test_1",
        &format!("Bearer {live}"),
        &format!("{}0", exchange.bearer()),
    ] {
        let refused = Refused::from(call(exchange.channel(), GET_CONTRACT, with_credential((), wrong)).await);
        assert_eq!(
            refused.why(),
            (Code::Unauthenticated, "CREDENTIAL_INVALID"),
            "{wrong}"
        );
    }
    let mut twice = exchange.with_key(());
    twice
        .metadata_mut()
        .append("authorization", MetadataValue::from_static("Bearer aex_test_1"));
    let refused = Refused::from(call(exchange.channel(), GET_CONTRACT, twice).await);
    assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_INVALID"));
}

#[tokio::test]
async fn an_expired_key_is_refused_from_its_moment_on() {
    let mut exchange = Exchange::new().await;
    let expire = exchange
        .world
        .runtime()
        .now()
        .saturating_add(Duration::from_mins(1));
    let request = pb::CreateApiKeyRequest {
        idempotency_key: key(),
        tenant_id: exchange.tenant_id.clone(),
        display_name: "short".to_owned(),
        scopes: vec!["*".to_owned()],
        expire_time: Some(wire::time(expire)),
        ..Default::default()
    };
    exchange.secret = exchange
        .operator
        .create_api_key(request)
        .await
        .unwrap()
        .into_inner()
        .secret;
    exchange.own_tenant().await.unwrap();
    exchange.world.advance(Duration::from_mins(1));
    let refused = exchange.own_tenant().await.unwrap_err();
    assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_INVALID"));
}

#[tokio::test]
async fn a_suspended_tenant_is_told_so() {
    let mut exchange = Exchange::new().await;
    let request = pb::SuspendTenantRequest {
        idempotency_key: key(),
        tenant_id: exchange.tenant_id.clone(),
        reason: "billing overdue".to_owned(),
    };
    exchange.operator.suspend_tenant(request).await.unwrap();
    let refused = exchange.own_tenant().await.unwrap_err();
    assert_eq!(refused.why(), (Code::PermissionDenied, "TENANT_SUSPENDED"));
}

#[tokio::test]
async fn without_identity_nobody_is_let_in() {
    let world = World::new(Shape::InProcess);
    let address = edge(&world, &config()).await;
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let refused = Refused::from(call(channel, GET_CONTRACT, with_credential((), "Bearer aex_test_1")).await);
    assert_eq!(refused.why(), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
}

#[tokio::test]
async fn a_key_that_was_taken_back_opens_nothing_after_a_second() {
    for shape in Shape::ALL {
        let mut exchange = Exchange::of(shape, &config()).await;
        exchange.own_tenant().await.unwrap();
        exchange.revoke().await;
        let revoked = Instant::now();
        let refused = loop {
            match exchange.own_tenant().await {
                Ok(_) => assert!(revoked.elapsed() < Duration::from_secs(1)),
                Err(refused) => break refused,
            }
        };
        assert!(revoked.elapsed() < Duration::from_secs(1));
        assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_INVALID"));
    }
}

async fn watch(channel: Channel, request: Request<()>) -> tonic::Streaming<engine::GetContractKeysResponse> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let codec: ProstCodec<(), engine::GetContractKeysResponse> = ProstCodec::default();
    let path = WATCH_CONTRACT.parse().unwrap();
    client
        .server_streaming(request, path, codec)
        .await
        .unwrap()
        .into_inner()
}

#[tokio::test]
async fn an_open_watch_ends_within_a_second_of_its_key() {
    for shape in Shape::ALL {
        let mut exchange = Exchange::of(shape, &config()).await;
        let mut news = watch(exchange.channel(), exchange.with_key(())).await;
        assert_eq!(news.message().await.unwrap().unwrap().jwks_json, "{}");
        // It outlives several verdicts while the key is good.
        let quiet = tokio::time::timeout(Duration::from_millis(1200), news.message()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        exchange.revoke().await;
        let revoked = Instant::now();
        let ended: Status = news.message().await.unwrap_err();
        assert!(
            revoked.elapsed() < Duration::from_secs(1),
            "{:?}",
            revoked.elapsed()
        );
        assert_eq!(
            Refused::from(ended).why(),
            (Code::Unauthenticated, "CREDENTIAL_ENDED")
        );
    }
}

#[tokio::test]
async fn many_calls_with_one_key_ask_identity_once() {
    let mut world = World::new(Shape::InProcess);
    let tenant = aex_testkit::principal(&world);
    let identity = Identity::answering(&pb::VerifyApiKeyResponse {
        verdict: pb::KeyVerdict::Valid.into(),
        key_id: tenant.key.to_string(),
        tenant_id: tenant.tenant.to_string(),
        tenant_type: pb::TenantType::Both.into(),
        scopes: vec!["*".to_owned()],
        ..Default::default()
    });
    world.host(&identity).await;
    let address = edge(&world, &config()).await;
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_lazy();
    let path = "/aex.identity.v1.IdentityService/GetTenant";
    let calls = (0..50).map(|_| call(channel.clone(), path, with_credential((), "Bearer aex_test_1")));
    let begun = Instant::now();
    for answer in join_all(calls).await {
        answer.unwrap();
    }
    let lookups = identity
        .calls()
        .iter()
        .filter(|(path, _)| path.ends_with("VerifyApiKey"))
        .count();
    let most = 1 + begun.elapsed().as_millis() / 500;
    assert!(
        (1..=most).contains(&(lookups as u128)),
        "{lookups} look-ups in {:?}",
        begun.elapsed()
    );
}
