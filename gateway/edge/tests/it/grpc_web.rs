use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use tonic::Code;

use crate::{
    fixture::{Exchange, GET_TENANT},
    http_client::{Connection, Frames, framed},
};

fn binary(bearer: &str) -> [(&str, &str); 2] {
    [
        ("content-type", "application/grpc-web+proto"),
        ("authorization", bearer),
    ]
}

fn text(bearer: &str) -> [(&str, &str); 3] {
    [
        ("content-type", "application/grpc-web-text"),
        ("accept", "application/grpc-web-text"),
        ("authorization", bearer),
    ]
}

fn is_ada(frames: &Frames) {
    assert_eq!(frames.messages.len(), 1);
    let reply = pb::GetTenantResponse::decode(frames.messages[0].as_slice()).unwrap();
    assert_eq!(reply.tenant.unwrap().display_name, "Ada");
    let trailers = frames.trailers.as_ref().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_message_may_be_split_at_every_byte() {
    let exchange = Exchange::new().await;
    let body = framed(&exchange.get_tenant());
    let bearer = exchange.bearer();
    let mut connection = Connection::open(exchange.address).await;
    for at in 0..=body.len() {
        let (first, rest) = body.split_at(at);
        let answer = connection
            .send("POST", GET_TENANT, &binary(&bearer), &[first, rest])
            .await;
        assert_eq!(
            (answer.code, answer.header("content-type")),
            (200, Some("application/grpc-web+proto"))
        );
        is_ada(&answer.frames());
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    let answer = connection
        .send("POST", GET_TENANT, &binary(&bearer), &bytes)
        .await;
    is_ada(&answer.frames());
}

#[tokio::test]
async fn a_message_spelled_as_text_may_be_split_at_every_byte() {
    let exchange = Exchange::new().await;
    let body = STANDARD.encode(framed(&exchange.get_tenant())).into_bytes();
    let bearer = exchange.bearer();
    let mut connection = Connection::open(exchange.address).await;
    for at in 0..=body.len() {
        let (first, rest) = body.split_at(at);
        let answer = connection
            .send("POST", GET_TENANT, &text(&bearer), &[first, rest])
            .await;
        assert_eq!(
            answer.header("content-type"),
            Some("application/grpc-web-text+proto")
        );
        is_ada(&answer.text_frames());
    }
}

#[tokio::test]
async fn a_refusal_is_http_200_with_its_reason_in_the_headers() {
    let exchange = Exchange::new().await;
    let mut connection = Connection::open(exchange.address).await;
    let body = framed(&exchange.get_tenant());
    let headers = [("content-type", "application/grpc-web+proto")];
    let answer = connection.send("POST", GET_TENANT, &headers, &[&body]).await;
    assert_eq!(answer.code, 200);
    assert!(answer.header("x-request-id").is_some());
    let refused = Refused::from(answer.trailers_only());
    assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_MISSING"));

    let unknown = pb::GetTenantRequest {
        tenant_id: "tenant_01h455vb4pex5vsknk084sn02q".to_owned(),
    };
    let bearer = exchange.bearer();
    let answer = connection
        .send("POST", GET_TENANT, &binary(&bearer), &[&framed(&unknown)])
        .await;
    assert_eq!(answer.code, 200);
    let refused = Refused::from(answer.trailers_only());
    assert_eq!(
        (refused.why(), refused.domain.as_str()),
        ((Code::NotFound, "TENANT_NOT_FOUND"), "identity.aex")
    );
}

#[tokio::test]
async fn a_damaged_body_is_refused_with_a_reason() {
    let exchange = Exchange::new().await;
    let bearer = exchange.bearer();
    let whole = framed(&exchange.get_tenant());
    let mut garbage = whole.clone();
    garbage[5] = 0xff;
    for body in [&whole[..3], &whole[..whole.len() - 1], &garbage] {
        let mut connection = Connection::open(exchange.address).await;
        let answer = connection
            .send("POST", GET_TENANT, &binary(&bearer), &[body])
            .await;
        let refused = Refused::from(answer.trailers_only());
        assert_eq!(
            refused.why(),
            (Code::InvalidArgument, "REQUEST_UNREADABLE"),
            "{body:?}"
        );
    }
    let mut connection = Connection::open(exchange.address).await;
    let answer = connection
        .send("POST", GET_TENANT, &text(&bearer), &[b"!!!!"])
        .await;
    let refused = Refused::from(answer.trailers_only());
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_UNREADABLE"));
}
