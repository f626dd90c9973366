use std::{net::SocketAddr, sync::Arc, time::Duration};

use aex_gateway::{Config, Edge, OpenError};
use aex_kit::{Clock, principal::PrincipalKey, tls::DevAuthority};
use aex_testkit::{Shape, World};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::{
    fixture::{Exchange, GET_TENANT, config, edge},
    http_client::Connection,
};

#[tokio::test]
async fn a_page_of_this_machine_may_call_and_one_from_elsewhere_may_not() {
    let exchange = Exchange::new().await;
    let mut connection = Connection::open(exchange.address).await;
    let asks = |origin| [("origin", origin), ("access-control-request-method", "POST")];
    for good in [
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://localhost",
    ] {
        let answer = connection.send("OPTIONS", GET_TENANT, &asks(good), &[]).await;
        assert_eq!(
            (answer.code, answer.header("access-control-allow-origin")),
            (204, Some(good))
        );
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        assert!(
            answer
                .header("access-control-allow-headers")
                .unwrap()
                .contains("authorization")
        );
    }
    for evil in ["https://evil.example", "http://localhost.evil.example", "null"] {
        let answer = connection.send("OPTIONS", GET_TENANT, &asks(evil), &[]).await;
        assert_eq!(
            (answer.code, answer.header("access-control-allow-origin")),
            (403, None)
        );
    }
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("origin", "http://localhost:3000"),
    ];
    let answer = connection
        .send("POST", GET_TENANT, &headers, &[b"\0\0\0\0\0"])
        .await;
    let exposed = answer.header("access-control-expose-headers").unwrap();
    for name in [
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
        "x-request-id",
    ] {
        assert!(exposed.contains(name) && answer.header(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn health_is_told_in_plain_http_and_in_grpc() {
    let exchange = Exchange::new().await;
    let mut connection = Connection::open(exchange.address).await;
    assert_eq!(connection.send("GET", "/health", &[], &[]).await.text(), "ok\n");
    while connection.send("GET", "/ready", &[], &[]).await.code != 200 {
        tokio::task::yield_now().await;
    }
    let answer = HealthClient::new(exchange.channel())
        .check(HealthCheckRequest::default())
        .await;
    assert_eq!(answer.unwrap().into_inner().status(), ServingStatus::Serving);
    let elsewhere = connection.send("GET", "/", &[], &[]).await;
    assert_eq!(elsewhere.code, 404);
    let form = connection
        .send("POST", GET_TENANT, &[("content-type", "text/plain")], &[b"x"])
        .await;
    assert_eq!(form.code, 415);
}

#[tokio::test]
async fn without_its_services_it_is_alive_but_not_ready() {
    let world = World::new(Shape::InProcess);
    let address = edge(&world, &config()).await;
    let mut connection = Connection::open(address).await;
    assert_eq!(connection.send("GET", "/health", &[], &[]).await.code, 200);
    assert_eq!(connection.send("GET", "/ready", &[], &[]).await.code, 503);
}

async fn services(address: SocketAddr) -> Result<Vec<String>, Code> {
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{}", address.port()))
        .unwrap()
        .connect_lazy();
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client
        .server_reflection_info(futures::stream::iter([ask]))
        .await
        .map_err(|status| status.code())?
        .into_inner();
    match answers.message().await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_is_for_this_machine_only() {
    let world = World::new(Shape::InProcess);
    let listed = services(edge(&world, &config()).await).await.unwrap();
    assert!(
        listed.contains(&"aex.identity.v1.IdentityService".to_owned()),
        "{listed:?}"
    );
    assert!(
        listed
            .iter()
            .all(|name| name.starts_with("aex.") || name.starts_with("grpc.")),
        "{listed:?}"
    );
    let everywhere = Config {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        allow_plaintext: true,
        reflection: Some(true),
        ..config()
    };
    assert_eq!(
        services(edge(&world, &everywhere).await).await,
        Err(Code::Unimplemented)
    );
    let off = Config {
        reflection: Some(false),
        ..config()
    };
    assert_eq!(services(edge(&world, &off).await).await, Err(Code::Unimplemented));
}

#[tokio::test]
async fn keys_do_not_travel_in_the_clear_between_machines() {
    let world = World::new(Shape::InProcess);
    let open = async |config: &Config| {
        let signer = PrincipalKey::from_seed(&[7; 32]).unwrap();
        let edge = Edge::open(config, signer, world.mesh(), world.runtime(), &[]).unwrap();
        edge.listen().await
    };
    let everywhere = Config {
        listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..config()
    };
    let refused = open(&everywhere).await.unwrap_err();
    assert!(matches!(refused, OpenError::Plaintext(_)));
    assert!(!refused.to_string().contains('\n') && refused.to_string().contains("tls.cert_file"));

    let first = open(&config()).await.unwrap();
    let taken = Config {
        listen: first.address,
        ..config()
    };
    let refused = open(&taken).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with(&format!("cannot listen on {}", first.address))
    );
}

#[tokio::test]
async fn with_a_certificate_the_port_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = DevAuthority::new("aex", Clock::system().now()).unwrap();
    let pem = authority
        .issue(&[], Some("exchange.example"), Clock::system().now())
        .unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, &pem.cert).unwrap();
    std::fs::write(&key, &pem.key).unwrap();
    let mut config = config();
    config.tls.cert_file = Some(cert);
    config.tls.key_file = Some(key);
    let world = World::new(Shape::InProcess);
    let address = edge(&world, &config).await;

    let stream = tls(address, &authority).await.unwrap();
    let mut connection = Connection(stream);
    assert_eq!(connection.send("GET", "/health", &[], &[]).await.text(), "ok\n");

    // Plaintext gets nothing there.
    let mut plain = TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /health HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut heard = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut heard);
    let _ = tokio::time::timeout(Duration::from_secs(6), read).await.unwrap();
    assert!(!heard.starts_with(b"HTTP"));
}

/// A connection to the edge of a client that trusts one authority.
async fn tls(address: SocketAddr, trusts: &DevAuthority) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusts.cert_pem().as_bytes()).unwrap())
        .unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("exchange.example").unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, socket).await
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_clients_and_old_ones_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |authority: &DevAuthority| {
        let now = Clock::system().now();
        let pem = authority.issue(&[], Some("exchange.example"), now).unwrap();
        std::fs::write(&key, &pem.key).unwrap();
        std::fs::write(&cert, &pem.cert).unwrap();
    };
    let authorities = [(); 2].map(|()| DevAuthority::new("aex", Clock::system().now()).unwrap());
    let [first, second] = &authorities;
    put(first);
    let mut config = config();
    config.tls.cert_file = Some(cert.clone());
    config.tls.key_file = Some(key.clone());
    let world = World::new(Shape::InProcess);
    let address = edge(&world, &config).await;
    let mut early = Connection(tls(address, first).await.unwrap());
    assert!(tls(address, second).await.is_err());

    put(second);
    let begun = std::time::Instant::now();
    while tls(address, second).await.is_err() {
        world.advance(config.auth.reload());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    assert!(tls(address, first).await.is_err());
    assert_eq!(early.send("GET", "/health", &[], &[]).await.text(), "ok\n");
}
