use std::time::Duration;

use aex_proto::aex::identity::v1 as pb;
use aex_testkit::{Refused, Shape};
use futures::future::join_all;
use tonic::{Code, Request, client::Grpc};
use tonic_prost::ProstCodec;

use crate::{
    fixture::{Exchange, GET_CONTRACT, GET_TENANT, WATCH_CONTRACT, call, config},
    http_client::{Connection, framed},
};

fn of_size(bytes: usize) -> pb::GetTenantRequest {
    pb::GetTenantRequest {
        tenant_id: "x".repeat(bytes),
    }
}

#[tokio::test]
async fn a_message_beyond_its_methods_limit_is_refused() {
    for shape in Shape::ALL {
        let exchange = Exchange::of(shape, &config()).await;
        for size in [300_000, 3_000_000] {
            let request = exchange.with_key(of_size(size));
            let refused = Refused::from(call(exchange.channel(), GET_TENANT, request).await);
            assert_eq!(
                refused.why(),
                (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
                "{shape:?}"
            );
            assert_eq!(refused.metadata["limit_bytes"], "262144");
        }
        let request = exchange.with_key(of_size(200_000));
        call(exchange.channel(), GET_CONTRACT, request).await.unwrap();
    }
}

#[tokio::test]
async fn metadata_beyond_sixteen_kibibytes_is_refused() {
    let exchange = Exchange::new().await;
    let mut connection = Connection::open(exchange.address).await;
    let (bearer, long) = (exchange.bearer(), "x".repeat(20_000));
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("authorization", bearer.as_str()),
        ("aex-note", long.as_str()),
    ];
    let answer = connection
        .send("POST", GET_TENANT, &headers, &[&framed(&exchange.get_tenant())])
        .await;
    let refused = Refused::from(answer.trailers_only());
    assert_eq!(refused.why(), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
}

#[tokio::test]
async fn a_deadline_that_has_passed_is_refused_and_a_longer_one_is_cut() {
    let exchange = Exchange::new().await;
    let bearer = exchange.bearer();
    let headers = [
        ("content-type", "application/grpc-web+proto"),
        ("authorization", bearer.as_str()),
        ("grpc-timeout", "0n"),
    ];
    let mut connection = Connection::open(exchange.address).await;
    let answer = connection
        .send("POST", GET_CONTRACT, &headers, &[b"\0\0\0\0\0"])
        .await;
    let refused = Refused::from(answer.trailers_only());
    assert_eq!(refused.why(), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert_eq!(exchange.engine.calls().len(), 0);

    for (asked, most) in [("2H", 5_000), ("900m", 900)] {
        let mut request = exchange.with_key(());
        request
            .metadata_mut()
            .insert("grpc-timeout", asked.parse().unwrap());
        call(exchange.channel(), GET_CONTRACT, request).await.unwrap();
        let (_, headers) = exchange.engine.calls().pop().unwrap();
        let left = headers["grpc-timeout"]
            .to_str()
            .unwrap()
            .strip_suffix('m')
            .unwrap();
        assert!((1..=most).contains(&left.parse::<u32>().unwrap()), "{left}");
    }
}

#[tokio::test]
async fn a_connection_full_of_watches_does_not_keep_others_out() {
    let exchange = Exchange::new().await;
    let noisy = exchange.channel();
    let watches = (0..100).map(|_| {
        let mut client = Grpc::new(noisy.clone());
        let request = exchange.with_key(());
        async move {
            client.ready().await.unwrap();
            let codec: ProstCodec<(), ()> = ProstCodec::default();
            let path = WATCH_CONTRACT.parse().unwrap();
            client
                .server_streaming(request, path, codec)
                .await
                .unwrap()
                .into_inner()
        }
    });
    let open = join_all(watches).await;
    // The noisy connection is full: its next call waits.
    let waiting = call(noisy.clone(), GET_CONTRACT, exchange.with_key(()));
    let waited = tokio::time::timeout(Duration::from_millis(200), waiting).await;
    assert!(waited.is_err(), "{waited:?}");
    // Another connection is served.
    let served = call(exchange.channel(), GET_CONTRACT, exchange.with_key(()));
    tokio::time::timeout(Duration::from_secs(2), served)
        .await
        .unwrap()
        .unwrap();
    drop(open);
    let freed = call(noisy, GET_CONTRACT, exchange.with_key(()));
    tokio::time::timeout(Duration::from_secs(2), freed)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed() {
    let few = aex_gateway::Config {
        max_connections: 1,
        ..config()
    };
    let exchange = Exchange::of(Shape::InProcess, &few).await;
    let mut first = Connection::open(exchange.address).await;
    assert_eq!(first.send("GET", "/health", &[], &[]).await.code, 200);
    let second = call(exchange.channel(), GET_CONTRACT, Request::new(()));
    assert!(
        tokio::time::timeout(Duration::from_secs(2), second)
            .await
            .unwrap()
            .is_err()
    );
    assert_eq!(first.send("GET", "/health", &[], &[]).await.code, 200);
}
