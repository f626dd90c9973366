use aex_proto::aex::work_publisher::v1::{self as pb, WorkUpdateKind as Kind};
use aex_testkit::{Refused, Shape, principal};
use tonic::Code;

use crate::fixture::{NO_WORK, Publisher, next, release, work};

#[tokio::test]
async fn a_watch_tells_everything_from_the_beginning_or_from_where_it_was_left() {
    for shape in Shape::ALL {
        let mut market = Publisher::in_shape(shape).await;
        let published = market.publish(work()).await;
        let work_id = published.work_id.clone();
        let mut early = market.watch(&work_id, 0).await;
        assert_eq!(next(&mut early).await.unwrap().kind(), Kind::Published);
        let contract = market.contract();
        market.reserve(&published, &contract).await.unwrap();
        market.release(release(&work_id, &contract)).await;
        let reopened = next(&mut early).await.unwrap();
        assert_eq!(
            (reopened.kind(), reopened.reason.as_str()),
            (Kind::Reopened, "bid_changed")
        );
        market.cancel(&work_id).await.unwrap();
        assert_eq!(next(&mut early).await.unwrap().kind(), Kind::Cancelled);
        assert!(next(&mut early).await.is_none());

        for resume_token in 0..=3 {
            let mut watch = market.watch(&work_id, resume_token).await;
            let mut told = Vec::new();
            while let Some(update) = next(&mut watch).await {
                assert_eq!(update.resume_token, resume_token + told.len() as u64 + 1);
                told.push(update.kind());
            }
            let all = [Kind::Published, Kind::Reopened, Kind::Cancelled];
            assert_eq!(told, all[usize::try_from(resume_token).unwrap()..]);
        }
    }
}

#[tokio::test]
async fn nobody_watches_the_work_of_another() {
    let market = Publisher::new().await;
    let published = market.publish(work()).await;
    let mut bob = market.tenant(&principal(&market.world));
    for work_id in [published.work_id.as_str(), NO_WORK] {
        let request = pb::WatchWorkRequest {
            work_id: work_id.to_owned(),
            resume_token: 0,
        };
        let status = bob.watch_work(request).await.unwrap_err();
        assert_eq!(Refused::from(status).why(), (Code::NotFound, "WORK_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_token_that_was_never_given_is_refused() {
    let market = Publisher::new().await;
    let published = market.publish(work()).await;
    let mut watch = market.watch(&published.work_id, 2).await;
    let refused = Refused::from(watch.message().await.unwrap_err());
    assert_eq!(refused.why(), (Code::FailedPrecondition, "RESUME_TOKEN_INVALID"));
}
