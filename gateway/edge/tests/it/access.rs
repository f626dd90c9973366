use aex_kit::access::{Method, all_methods};
use aex_proto::aex::{common::v1::Audience, identity::v1 as pb};
use aex_testkit::{Refused, Shape};
use tonic::{Code, Request, metadata::MetadataValue};

use crate::fixture::{Exchange, GET_CONTRACT, GET_KEYS, call, config, with_credential};

fn admits(method: &Method, audiences: &[Audience]) -> bool {
    method
        .audience
        .iter()
        .any(|audience| audiences.contains(audience))
}

#[tokio::test]
async fn without_a_key_only_public_methods_answer_and_inner_ones_do_not_exist() {
    let exchange = Exchange::new().await;
    let channel = exchange.channel();
    let unknown = Refused::from(
        call(
            channel.clone(),
            "/aex.identity.v1.IdentityService/Nothing",
            Request::new(()),
        )
        .await,
    );
    assert_eq!(unknown.why(), (Code::Unimplemented, "METHOD_UNKNOWN"));
    for (path, method) in all_methods().unwrap() {
        let answer = call(channel.clone(), &path, Request::new(())).await;
        if admits(&method, &[Audience::Public]) {
            answer.unwrap();
        } else if admits(
            &method,
            &[Audience::Tenant, Audience::Requestor, Audience::Provider],
        ) {
            assert_eq!(
                Refused::from(answer).why(),
                (Code::Unauthenticated, "CREDENTIAL_MISSING"),
                "{path}"
            );
        } else {
            assert_eq!(Refused::from(answer), unknown, "{path}");
        }
    }
}

#[tokio::test]
async fn a_key_opens_what_its_tenant_and_its_scopes_allow() {
    let mut exchange = Exchange::new().await;
    let tenant = exchange.tenant_id.clone();
    let (_, reader) = exchange.create_key(&tenant, &["keys:read"]).await;
    let reader = format!("Bearer {reader}");
    let list = "/aex.identity.v1.IdentityService/ListApiKeys";
    let revoke = "/aex.identity.v1.IdentityService/RevokeApiKey";
    call(exchange.channel(), list, with_credential((), &reader))
        .await
        .unwrap();
    let refused = Refused::from(call(exchange.channel(), revoke, with_credential((), &reader)).await);
    assert_eq!(refused.why(), (Code::PermissionDenied, "SCOPE_DENIED"));

    let seller = exchange.create("Grace", pb::TenantType::Provider).await;
    let (_, seller) = exchange.create_key(&seller, &["*"]).await;
    let seller = format!("Bearer {seller}");
    let award = "/aex.contract_engine.v1.ContractEngineService/AwardContract";
    let refused = Refused::from(call(exchange.channel(), award, with_credential((), &seller)).await);
    assert_eq!(refused.why(), (Code::PermissionDenied, "AUDIENCE_DENIED"));
}

#[tokio::test]
async fn the_owner_of_a_method_is_reached_in_both_shapes() {
    for shape in Shape::ALL {
        let exchange = Exchange::of(shape, &config()).await;
        assert_eq!(
            exchange.own_tenant().await.unwrap().display_name,
            "Ada",
            "{shape:?}"
        );
        call(exchange.channel(), GET_KEYS, Request::new(()))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let exchange = Exchange::new().await;
    let path = "/aex.settlement.v1.SettlementService/GetBalance";
    let refused = Refused::from(call(exchange.channel(), path, exchange.with_key(())).await);
    assert_eq!(refused.why(), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
    assert_eq!(refused.metadata["dependency"], "settlement");
}

#[tokio::test]
async fn what_a_client_says_in_the_exchanges_own_name_stays_outside() {
    for shape in Shape::ALL {
        let exchange = Exchange::of(shape, &config()).await;
        let mut request = exchange.with_key(());
        for name in ["x-aex-principal", "x-aex-tenant", "cookie", "x-forwarded-for"] {
            request
                .metadata_mut()
                .insert(name, MetadataValue::from_static("forged"));
        }
        request
            .metadata_mut()
            .insert("aex-note", MetadataValue::from_static("mine"));
        call(exchange.channel(), GET_CONTRACT, request).await.unwrap();
        let (path, headers) = exchange.engine.calls().pop().unwrap();
        assert_eq!(path, GET_CONTRACT);
        assert!(headers.values().all(|value| value != "forged"), "{headers:?}");
        assert!(!headers.contains_key("authorization"), "{headers:?}");
        let principals: Vec<_> = headers.get_all("x-aex-principal").iter().collect();
        assert_eq!(principals.len(), 1);
        assert_eq!(headers["aex-note"], "mine");
        assert!(headers.contains_key("x-request-id") && headers.contains_key("grpc-timeout"));

        let mut request = Request::new(());
        request
            .metadata_mut()
            .insert("x-aex-principal", MetadataValue::from_static("forged"));
        call(exchange.channel(), GET_KEYS, request).await.unwrap();
        let (_, headers) = exchange.engine.calls().pop().unwrap();
        assert!(!headers.contains_key("x-aex-principal"), "{headers:?}");
    }
}

#[tokio::test]
async fn header_names_with_underscores_are_refused() {
    let exchange = Exchange::new().await;
    let mut request = exchange.with_key(());
    request
        .metadata_mut()
        .insert("x_aex_principal", MetadataValue::from_static("forged"));
    let refused = Refused::from(call(exchange.channel(), GET_CONTRACT, request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_UNREADABLE"));
    assert_eq!(exchange.engine.calls().len(), 0);
}
