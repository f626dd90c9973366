//! What a link does for the service that calls.

use std::{sync::Arc, time::Duration};

use aex_kit::{Call, Hosted as _};
use aex_proto::aex::bid_evaluator::v1::{
    self as pb, bid_evaluator_service_client::BidEvaluatorServiceClient,
};
use aex_testkit::{Refused, Shape, World};
use tonic::Code;

use crate::scripted::{Act, Scripted};

async fn asked(world: &World, time: Duration) -> Result<pb::EvaluateResponse, tonic::Status> {
    let link = world.mesh().link("contract-engine", Scripted::NAME);
    let call = Call::own(world.runtime(), "contract-engine", "test", time);
    let mut client = BidEvaluatorServiceClient::new(link.on(&call));
    client
        .evaluate(pb::EvaluateRequest::default())
        .await
        .map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_peer_that_is_away_for_a_moment_is_asked_again() {
    for shape in Shape::ALL {
        let service = Scripted::doing([Act::Unavailable, Act::Unavailable]);
        let mut world = World::new(shape);
        world.know("contract-engine");
        world.host(&service).await;
        assert!(asked(&world, Duration::from_secs(5)).await.is_ok());
        assert_eq!(service.counts(), (3, 1));
    }
}

#[tokio::test]
async fn a_peer_is_told_the_request_the_trace_and_the_time_that_is_left() {
    for shape in Shape::ALL {
        let service = Scripted::doing([]);
        let mut world = World::new(shape);
        world.know("contract-engine");
        world.host(&service).await;
        let link = world.mesh().link("contract-engine", Scripted::NAME);
        let call = Call::own(world.runtime(), "contract-engine", "test", Duration::from_secs(3));
        let mut client = BidEvaluatorServiceClient::new(link.on(&call));
        client.evaluate(pb::EvaluateRequest::default()).await.unwrap();
        let seen = service.seen.lock().unwrap()[0].clone();
        assert_eq!(seen.request_id, call.request_id());
        let trace = |context: &str| context.split('-').nth(1).map(str::to_owned);
        assert_eq!(trace(&seen.traceparent), trace(call.traceparent()));
        assert_ne!(
            seen.traceparent,
            call.traceparent(),
            "the callee has a place of its own"
        );
        assert!(seen.time_left <= Duration::from_secs(3), "{:?}", seen.time_left);
    }
}

#[tokio::test]
async fn a_peer_that_stays_away_is_not_asked_for_ever() {
    let service = Scripted::doing(vec![Act::Unavailable; 1000]);
    let mut world = World::new(Shape::InProcess);
    world.host(&service).await;
    let link = world.mesh().link("contract-engine", Scripted::NAME);
    let calls = 300;
    for _ in 0..calls {
        let call = Call::own(
            world.runtime(),
            "contract-engine",
            "test",
            Duration::from_millis(40),
        );
        let mut client = BidEvaluatorServiceClient::new(link.on(&call));
        let refused = Refused::from(client.evaluate(pb::EvaluateRequest::default()).await);
        assert_eq!(refused.code, Code::Unavailable);
    }
    // A tenth of the calls, and the few a second that are always allowed for the ten seconds that the budget looks back.
    let attempts = service.counts().0;
    assert!(
        attempts <= calls + calls / 10 + 110,
        "{attempts} attempts for {calls} calls"
    );
}

#[tokio::test]
async fn a_peer_that_hangs_costs_no_more_than_the_deadline() {
    for shape in Shape::ALL {
        let service = Scripted::doing([Act::Hang]);
        let mut world = World::new(shape);
        world.know("contract-engine");
        world.host(&service).await;
        let refused = Refused::from(asked(&world, Duration::from_millis(100)).await);
        assert_eq!(refused.why(), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    }
}

#[tokio::test]
async fn a_peer_that_nobody_hosts_is_away() {
    let world = World::new(Shape::InProcess);
    let refused = Refused::from(asked(&world, Duration::from_millis(100)).await);
    assert_eq!(refused.why(), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
    assert_eq!(refused.metadata["dependency"], "bid-evaluator");
    let _ = Arc::new(world);
}
