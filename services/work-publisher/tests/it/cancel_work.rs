use aex_proto::aex::work_publisher::v1 as pb;
use aex_testkit::{Refused, principal};
use prost::Message as _;
use tonic::Code;

use crate::fixture::{Publisher, cancel, work};

#[tokio::test]
async fn cancelled_work_is_over_and_says_why() {
    let market = Publisher::new().await;
    let published = market.publish(work()).await;
    let cancelled = market.cancel(&published.work_id).await.unwrap();
    assert_eq!(
        (cancelled.status(), cancelled.status_reason.as_str()),
        (pb::WorkStatus::Cancelled, "consumer_requested")
    );
    assert!(cancelled.end_time.is_some());
    let events = market.database.events().await;
    let told = pb::WorkCancelled::decode(events[1].payload.clone()).unwrap();
    assert_eq!(
        (told.consumer_id, told.close_time),
        (published.consumer_id, published.close_time)
    );
    let refused = Refused::from(market.cancel(&published.work_id).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_CANCELLABLE"));
    assert_eq!(refused.metadata["status"], "CANCELLED");
}

#[tokio::test]
async fn nobody_cancels_work_of_another() {
    let market = Publisher::new().await;
    let published = market.publish(work()).await;
    let mut bob = market.tenant(&principal(&market.world));
    let refused = Refused::from(bob.cancel_work(cancel(&published.work_id)).await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
}

#[tokio::test]
async fn of_a_cancel_and_an_award_at_the_same_time_exactly_one_wins() {
    let mut won = [0, 0];
    for round in 0..24 {
        let mut market = Publisher::new().await;
        let published = market.publish(work()).await;
        let contract = market.contract();
        let mut ada = market.ada();
        let request = cancel(&published.work_id);
        let (cancelled, reserved) = if round % 2 == 0 {
            let reserve = market.reserve(&published, &contract);
            tokio::join!(ada.cancel_work(request), reserve)
        } else {
            let reserve = market.reserve(&published, &contract);
            let (reserved, cancelled) = tokio::join!(reserve, ada.cancel_work(request));
            (cancelled, reserved)
        };
        let work = market.get(&published.work_id).await;
        match (cancelled, reserved) {
            (Ok(_), Err(lost)) => {
                won[0] += 1;
                let lost = Refused::from(lost);
                assert_eq!(lost.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
                assert_eq!(work.status(), pb::WorkStatus::Cancelled);
            }
            (Err(lost), Ok(_)) => {
                won[1] += 1;
                let lost = Refused::from(lost);
                assert_eq!(lost.why(), (Code::FailedPrecondition, "WORK_NOT_CANCELLABLE"));
                assert_eq!(work.status(), pb::WorkStatus::Awarding);
            }
            both => panic!("both or neither: {both:?}"),
        }
    }
    assert_eq!(won[0] + won[1], 24);
}
