use aex_proto::aex::work_publisher::v1 as pb;
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::fixture::{Publisher, work};

fn with(bytes: &[u8], content_type: &str) -> pb::PublishWorkRequest {
    pb::PublishWorkRequest {
        payload: bytes.to_vec().into(),
        payload_content_type: content_type.to_owned(),
        ..work()
    }
}

fn of(work_id: &str) -> pb::GetWorkPayloadRequest {
    pb::GetWorkPayloadRequest {
        work_id: work_id.to_owned(),
    }
}

#[tokio::test]
async fn a_payload_comes_back_as_it_was_and_is_kept_once() {
    let market = Publisher::new().await;
    let large = vec![7; 4 << 20];
    let first = market.publish(with(&large, "image/png")).await;
    let second = market.publish(with(&large, "image/tiff")).await;
    assert_eq!(first.payload_preview, "");
    assert_eq!(market.database.execute("SELECT 1 FROM payload").await, 1);
    for (work_id, content_type) in [(first.work_id, "image/png"), (second.work_id, "image/tiff")] {
        let read = market
            .ada()
            .get_work_payload(of(&work_id))
            .await
            .unwrap()
            .into_inner();
        assert!(read.payload == large);
        let info = read.info.unwrap();
        assert_eq!(
            (info.content_type.as_str(), info.size_bytes, info.sha256.len()),
            (content_type, 4 << 20, 32)
        );
        let mut engine = market.engine.clone().max_decoding_message_size(usize::MAX);
        let for_provider = engine.get_work_payload(of(&work_id)).await.unwrap().into_inner();
        assert!(for_provider.payload == large);
    }
    let events = market.database.events().await;
    assert!(
        events.iter().all(|event| event.payload.len() < 1000),
        "no event carries a payload"
    );
}

#[tokio::test]
async fn text_is_previewed_and_work_may_have_no_payload() {
    let market = Publisher::new().await;
    let text = "é".repeat(600);
    let shown = market.publish(with(text.as_bytes(), "text/plain")).await;
    assert_eq!(shown.payload_preview, "é".repeat(500));
    let zero = market.publish(with(b"a\0b", "application/json")).await;
    assert_eq!(zero.payload_preview, "a\u{fffd}b");
    let bare = market.publish(work()).await;
    let read = market.ada().get_work_payload(of(&bare.work_id)).await.unwrap();
    assert_eq!(read.into_inner(), pb::GetWorkPayloadResponse::default());
}

#[tokio::test]
async fn a_payload_elsewhere_is_fetched_there() {
    let market = Publisher::new().await;
    let request = pb::PublishWorkRequest {
        payload_location: "https://example.com/payload".to_owned(),
        payload_sha256: vec![9; 32].into(),
        payload_size_bytes: 10 << 20,
        ..work()
    };
    let published = market.publish(request).await;
    let refused = Refused::from(market.ada().get_work_payload(of(&published.work_id)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "PAYLOAD_ELSEWHERE"));
    assert_eq!(refused.metadata["location"], "https://example.com/payload");
}

#[tokio::test]
async fn nobody_reads_the_payload_of_another() {
    let market = Publisher::new().await;
    let published = market.publish(with(b"{}", "application/json")).await;
    let mut bob = market.tenant(&principal(&market.world));
    let refused = Refused::from(bob.get_work_payload(of(&published.work_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
}
