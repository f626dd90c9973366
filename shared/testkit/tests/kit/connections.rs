//! Who may connect at all.

use std::{net::SocketAddr, sync::Arc};

use aex_kit::{
    Clock, Hosted as _, Wire, remote,
    tls::{Credentials, DevAuthority, Pem, server_name},
};
use aex_proto::aex::bid_evaluator::v1::{
    self as pb, bid_evaluator_service_client::BidEvaluatorServiceClient,
};
use aex_testkit::{Shape, World};
use tonic::Code;

use crate::scripted::Scripted;

async fn world() -> (World, Arc<Scripted>, SocketAddr) {
    let service = Scripted::doing([]);
    let mut world = World::new(Shape::MutualTls);
    world.host(&service).await;
    let address = world.address(Scripted::NAME).unwrap();
    (world, service, address)
}

fn client(pem: &Pem, address: SocketAddr) -> BidEvaluatorServiceClient<Wire> {
    let credentials = Credentials::new(pem).unwrap();
    BidEvaluatorServiceClient::new(remote(Scripted::NAME, &address.to_string(), credentials).unwrap())
}

async fn asked(pem: &Pem, address: SocketAddr) -> Result<(), Code> {
    client(pem, address)
        .evaluate(pb::EvaluateRequest::default())
        .await
        .map(drop)
        .map_err(|status| status.code())
}

#[tokio::test]
async fn only_a_certificate_with_one_identity_of_our_domain_and_authority_connects() {
    let (world, service, address) = world().await;
    let now = Clock::system().now();
    let authority = world.authority();
    let id = |path: &str| format!("spiffe://{path}");
    let right = authority.service("contract-engine", now).unwrap();
    assert_eq!(asked(&right, address).await, Ok(()));

    let stranger = DevAuthority::new("aex", now).unwrap();
    let mut of_stranger = stranger.service("contract-engine", now).unwrap();
    of_stranger.ca = authority.cert_pem().to_owned();
    let long_ago = now.saturating_sub(std::time::Duration::from_hours(72));
    let refused = [
        ("of another authority", of_stranger),
        (
            "of another domain",
            authority
                .issue(&[id("other/svc/contract-engine")], None, now)
                .unwrap(),
        ),
        (
            "without an identity",
            authority
                .issue(&[], Some(&server_name("contract-engine")), now)
                .unwrap(),
        ),
        (
            "with two",
            authority
                .issue(&[id("aex/svc/contract-engine"), id("aex/svc/gateway")], None, now)
                .unwrap(),
        ),
        (
            "of neither service nor operator",
            authority
                .issue(&[id("aex/agent/contract-engine")], None, now)
                .unwrap(),
        ),
        ("expired", authority.service("contract-engine", long_ago).unwrap()),
    ];
    for (what, pem) in refused {
        assert_eq!(
            asked(&pem, address).await,
            Err(Code::Unavailable),
            "a certificate {what}"
        );
    }
    assert_eq!(service.counts().0, 1);
    let operator = authority.operator("ada", now).unwrap();
    assert_eq!(
        asked(&operator, address).await,
        Err(Code::PermissionDenied),
        "an operator is no peer"
    );
}

#[tokio::test]
async fn a_server_is_believed_only_under_its_own_name() {
    let (world, _, address) = world().await;
    let pem = world
        .authority()
        .service("contract-engine", Clock::system().now())
        .unwrap();
    let credentials = Credentials::new(&pem).unwrap();
    let wire = remote("settlement", &address.to_string(), credentials).unwrap();
    let asked = BidEvaluatorServiceClient::new(wire)
        .evaluate(pb::EvaluateRequest::default())
        .await;
    assert_eq!(
        asked.map(drop).map_err(|status| status.code()),
        Err(Code::Unavailable)
    );
}

#[tokio::test]
async fn a_replaced_certificate_is_used_from_the_next_connection_on() {
    let (world, _, address) = world().await;
    let now = Clock::system().now();
    let long_ago = now.saturating_sub(std::time::Duration::from_hours(72));
    let credentials =
        Credentials::new(&world.authority().service("contract-engine", long_ago).unwrap()).unwrap();
    let wire = remote(Scripted::NAME, &address.to_string(), credentials.clone()).unwrap();
    let mut client = BidEvaluatorServiceClient::new(wire);
    assert!(client.evaluate(pb::EvaluateRequest::default()).await.is_err());
    credentials
        .replace(&world.authority().service("contract-engine", now).unwrap())
        .unwrap();
    assert!(client.evaluate(pb::EvaluateRequest::default()).await.is_ok());
}

#[tokio::test]
async fn a_connection_without_tls_or_without_a_certificate_gets_nowhere() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (_world, service, address) = world().await;
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    assert!(!answer.windows(4).any(|bytes| bytes == b"HTTP"));
    assert_eq!(service.counts().0, 0);
}
