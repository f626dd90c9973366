use std::time::Duration;

use aex_proto::aex::work_publisher::v1::{self as pb, WorkUpdateKind as Kind};
use prost::Message as _;

use crate::fixture::{Publisher, next, release, seconds, work};

#[tokio::test]
async fn watchers_hear_of_the_end_of_bidding_ten_seconds_before_and_when_it_comes() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let mut watch = market.watch(&published.work_id, 0).await;
    assert_eq!(next(&mut watch).await.unwrap().kind(), Kind::Published);
    market.world.advance(Duration::from_secs(20));
    let closing = next(&mut watch).await.unwrap();
    assert_eq!(
        (closing.kind(), closing.status()),
        (Kind::Closing, pb::WorkStatus::Open)
    );
    market.world.advance(Duration::from_millis(9_999));
    assert_eq!(
        market.get(&published.work_id).await.status(),
        pb::WorkStatus::Open
    );
    market.world.advance(Duration::from_millis(1));
    let closed = next(&mut watch).await.unwrap();
    assert_eq!(
        (closed.kind(), closed.status()),
        (Kind::Closed, pb::WorkStatus::Evaluating)
    );
    let told = market.ledger.seen("work.bid_window_closed", |_| true).await;
    let told = pb::WorkBidWindowClosed::decode(told.payload).unwrap();
    assert_eq!(
        (told.bid_count, told.close_time, told.auto_award),
        (0, published.close_time, false)
    );
}

#[tokio::test]
async fn the_stored_end_decides_however_late_the_timer_runs() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    market.world.advance(Duration::from_secs(500));
    let told = market.ledger.seen("work.bid_window_closed", |_| true).await;
    let told = pb::WorkBidWindowClosed::decode(told.payload).unwrap();
    assert_eq!(told.close_time, published.close_time);
    assert_eq!(
        market.get(&published.work_id).await.status(),
        pb::WorkStatus::Evaluating
    );
}

#[tokio::test]
async fn work_that_nobody_awards_in_an_hour_fails() {
    let mut market = Publisher::working().await;
    let request = pb::PublishWorkRequest {
        bid_window: Some(seconds(5)),
        ..work()
    };
    let published = market.publish(request).await;
    let mut watch = market.watch(&published.work_id, 0).await;
    for kind in [Kind::Published, Kind::Closing] {
        assert_eq!(next(&mut watch).await.unwrap().kind(), kind);
    }
    market.world.advance(Duration::from_secs(5));
    assert_eq!(next(&mut watch).await.unwrap().kind(), Kind::Closed);
    market.world.advance(Duration::from_secs(3_599));
    assert_eq!(
        market.get(&published.work_id).await.status(),
        pb::WorkStatus::Evaluating
    );
    market.world.advance(Duration::from_secs(1));
    let failed = next(&mut watch).await.unwrap();
    assert_eq!(
        (failed.kind(), failed.reason.as_str()),
        (Kind::Failed, "not_awarded")
    );
    assert!(next(&mut watch).await.is_none(), "a watch ends with its work");
}

#[tokio::test]
async fn an_award_that_comes_to_nothing_does_not_move_the_deadline() {
    let mut market = Publisher::working().await;
    let published = market.publish(work()).await;
    let mut watch = market.watch(&published.work_id, 0).await;
    market.world.advance(Duration::from_secs(30));
    while next(&mut watch).await.unwrap().kind() != Kind::Closed {}
    let contract = market.contract();
    market.reserve(&published, &contract).await.unwrap();
    // The deadline passes while the contract has the work, and is met as soon as it gives it back.
    market.world.advance(Duration::from_hours(1));
    assert_eq!(
        market.get(&published.work_id).await.status(),
        pb::WorkStatus::Awarding
    );
    market.release(release(&published.work_id, &contract)).await;
    assert_eq!(next(&mut watch).await.unwrap().kind(), Kind::Reopened);
    assert_eq!(next(&mut watch).await.unwrap().reason, "not_awarded");
}
