//! What the guard does around a handler.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use aex_kit::{Hosted as _, Wire, config::Server};
use aex_proto::aex::bid_evaluator::v1::{
    self as pb, bid_evaluator_service_client::BidEvaluatorServiceClient,
};
use aex_testkit::{Refused, Shape, Who, World, principal};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, body::Body};
use tower::ServiceExt as _;

use crate::scripted::{Act, Scripted};

type Client = BidEvaluatorServiceClient<Wire>;

const ENGINE: Who = Who::Service("contract-engine");

async fn hosted(shape: Shape, service: &Arc<Scripted>) -> (World, Client) {
    hosted_with(shape, service, Server::default()).await
}

async fn hosted_with(shape: Shape, service: &Arc<Scripted>, server: Server) -> (World, Client) {
    let mut world = World::new(shape);
    world.host_with(service, &server).await;
    let client = Client::new(world.client(&ENGINE, Scripted::NAME));
    (world, client)
}

fn evaluate() -> pb::EvaluateRequest {
    pb::EvaluateRequest::default()
}

fn within<T>(message: T, time: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(time);
    request
}

/// Waits until something has happened elsewhere.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_error_of_its_own_call_only() {
    for shape in Shape::ALL {
        let service = Scripted::doing([Act::Panic, Act::Panic]);
        let (_world, mut client) = hosted(shape, &service).await;
        for refused in [
            Refused::from(client.evaluate(evaluate()).await),
            Refused::from(client.get_evaluation(pb::GetEvaluationRequest::default()).await),
        ] {
            assert_eq!(refused.why(), (Code::Internal, "INTERNAL"));
            assert!(!refused.message.contains("script"), "{}", refused.message);
        }
        assert!(client.evaluate(evaluate()).await.is_ok());
    }
}

#[tokio::test]
async fn a_mutation_goes_on_when_its_caller_has_hung_up_and_a_query_does_not() {
    for shape in Shape::ALL {
        let gate = Arc::new(Notify::new());
        let service = Scripted::doing([Act::Wait(Arc::clone(&gate)), Act::Hang]);
        let (_world, mut client) = hosted(shape, &service).await;
        let short = Duration::from_millis(50);
        let refused = Refused::from(client.evaluate(within(evaluate(), short)).await);
        assert_eq!(refused.why(), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        gate.notify_one();
        until(|| service.counts() == (1, 1)).await;

        let query = pb::GetEvaluationRequest::default();
        let refused = Refused::from(client.get_evaluation(within(query, short)).await);
        assert_eq!(refused.code, Code::DeadlineExceeded);
        until(|| service.gone.load(Ordering::SeqCst) == 2).await;
        assert_eq!(service.counts(), (2, 1), "the query ended with its caller");
    }
}

/// A request whose message is announced and never comes to its end while the test holds the sender.
fn half(time: &str) -> (http::Request<Body>, mpsc::Sender<Bytes>) {
    let (send, receive) = mpsc::channel::<Bytes>(1);
    send.try_send(Bytes::from_static(&[0, 0, 0, 0, 9, 10])).unwrap();
    let body = Body::new(StreamBody::new(
        ReceiverStream::new(receive).map(|data| Ok::<_, Infallible>(Frame::data(data))),
    ));
    let request = http::Request::post("/aex.bid_evaluator.v1.BidEvaluatorService/Evaluate")
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", time)
        .body(body)
        .unwrap();
    (request, send)
}

#[tokio::test]
async fn a_request_that_never_comes_to_its_end_gives_its_place_back_at_the_deadline() {
    for shape in Shape::ALL {
        let service = Scripted::doing([]);
        let server = Server {
            max_calls: 1,
            ..Server::default()
        };
        let (world, mut client) = hosted_with(shape, &service, server).await;
        let (request, unfinished) = half("50m");
        let wire = world.client(&ENGINE, Scripted::NAME);
        let code = match wire.oneshot(request).await {
            Ok(answer) => Status::from_header_map(answer.headers()).unwrap().code(),
            Err(status) => status.code(),
        };
        assert_eq!(code, Code::DeadlineExceeded);
        // Over a socket the client's end of the deadline may come before the guard's.
        let freed = async {
            while let Err(status) = client.evaluate(evaluate()).await {
                assert_eq!(Refused::from(status).why(), (Code::Unavailable, "OVERLOADED"));
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), freed)
            .await
            .expect("the only place is free again");
        assert_eq!(
            service.counts(),
            (1, 1),
            "the handler began only with the whole request"
        );
        assert!(
            world.runtime().shutdown(Duration::from_secs(10)).await,
            "nobody waits for what was not sent"
        );
        drop(unfinished);
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_at_once() {
    let gate = Arc::new(Notify::new());
    let service = Scripted::doing([Act::Wait(Arc::clone(&gate))]);
    let (_world, client) = hosted_with(
        Shape::InProcess,
        &service,
        Server {
            max_calls: 1,
            ..Server::default()
        },
    )
    .await;
    let mut held = client.clone();
    let held = tokio::spawn(async move { held.evaluate(evaluate()).await });
    until(|| service.counts().0 == 1).await;
    let mut client = client;
    let refused = Refused::from(client.evaluate(evaluate()).await);
    assert_eq!(refused.why(), (Code::Unavailable, "OVERLOADED"));
    gate.notify_one();
    assert!(held.await.unwrap().is_ok());
    assert!(client.evaluate(evaluate()).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_is_larger_than_its_method_gives_is_refused() {
    for shape in Shape::ALL {
        let limit = 17 << 18;
        let service = Scripted::doing([Act::Say(1 << 20), Act::Say(limit)]);
        let (_world, client) = hosted(shape, &service).await;
        let mut client = client.max_decoding_message_size(2 * limit);
        let answer = client.get_evaluation(pb::GetEvaluationRequest::default()).await;
        let said = answer.unwrap().into_inner().evaluation.unwrap().bid_strategy;
        assert_eq!(said.len(), 1 << 20);
        let refused = Refused::from(client.get_evaluation(pb::GetEvaluationRequest::default()).await);
        assert_eq!(refused.why(), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
        assert_eq!(service.counts(), (2, 2));
    }
}

#[tokio::test]
async fn the_request_id_comes_back_and_a_bad_one_is_replaced() {
    let service = Scripted::doing([]);
    let (_world, mut client) = hosted(Shape::MutualTls, &service).await;
    let mut request = Request::new(evaluate());
    request
        .metadata_mut()
        .insert("x-request-id", "my-request-0001".parse().unwrap());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request
        .metadata_mut()
        .insert("traceparent", trace.parse().unwrap());
    let answer = client.evaluate(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "my-request-0001");
    let mut request = Request::new(evaluate());
    request
        .metadata_mut()
        .insert("x-request-id", "not good".parse().unwrap());
    let answer = client.evaluate(request).await.unwrap();
    assert!(
        answer
            .metadata()
            .get("x-request-id")
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("req_")
    );
    let seen = service.seen.lock().unwrap();
    assert_eq!(seen[0].request_id, "my-request-0001");
    let (begins, ends) = ("00-0af7651916cd43dd8448eb211c80319c-", "-01");
    assert!(seen[0].traceparent.starts_with(begins) && seen[0].traceparent.ends_with(ends));
    assert!(
        !seen[1].traceparent.starts_with(begins),
        "a call without a trace begins one"
    );
}

#[tokio::test]
async fn a_principal_is_believed_from_the_gateway_only() {
    let service = Scripted::doing([]);
    let (world, mut engine) = hosted(Shape::MutualTls, &service).await;
    let token = world.sign(&principal(&world));
    let mut request = Request::new(pb::GetEvaluationRequest::default());
    request
        .metadata_mut()
        .insert("x-aex-principal", token.parse().unwrap());
    let refused = Refused::from(engine.get_evaluation(request).await);
    assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_INVALID"));

    let mut gateway = Client::new(world.client(&Who::Anyone, Scripted::NAME));
    let mut request = Request::new(pb::GetEvaluationRequest::default());
    request
        .metadata_mut()
        .append("x-aex-principal", token.parse().unwrap());
    request
        .metadata_mut()
        .append("x-aex-principal", token.parse().unwrap());
    let refused = Refused::from(gateway.get_evaluation(request).await);
    assert_eq!(refused.why(), (Code::Unauthenticated, "CREDENTIAL_INVALID"));
    let mut request = Request::new(pb::GetEvaluationRequest::default());
    request
        .metadata_mut()
        .insert("x-aex-principal", token.parse().unwrap());
    assert!(gateway.get_evaluation(request).await.is_ok());
}

#[tokio::test]
async fn a_method_that_is_not_there_has_a_reason_too() {
    let service = Scripted::doing([]);
    let (world, _) = hosted(Shape::MutualTls, &service).await;
    let wire = world.client(&ENGINE, Scripted::NAME);
    let mut identity =
        aex_proto::aex::identity::v1::identity_service_client::IdentityServiceClient::new(wire);
    let refused = Refused::from(
        identity
            .audit(aex_proto::aex::identity::v1::AuditRequest::default())
            .await,
    );
    assert_eq!(refused.why(), (Code::Unimplemented, "METHOD_UNKNOWN"));
}

#[tokio::test]
async fn shutdown_waits_for_the_calls_under_way() {
    let gate = Arc::new(Notify::new());
    let service = Scripted::doing([Act::Wait(Arc::clone(&gate))]);
    let (world, mut client) = hosted(Shape::MutualTls, &service).await;
    let mut other = client.clone();
    let under_way = tokio::spawn(async move { other.evaluate(evaluate()).await });
    until(|| service.counts().0 == 1).await;
    let runtime = world.runtime().clone();
    let shutdown = tokio::spawn(async move { runtime.shutdown(Duration::from_secs(10)).await });
    until(|| world.runtime().is_stopping()).await;
    assert!(!shutdown.is_finished());
    gate.notify_one();
    assert!(under_way.await.unwrap().is_ok(), "the call under way is answered");
    assert!(shutdown.await.unwrap(), "nothing had to be left");
    assert_eq!(
        Refused::from(client.evaluate(evaluate()).await).code,
        Code::Unavailable
    );
}
