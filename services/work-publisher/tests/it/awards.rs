use std::time::Duration;

use aex_proto::aex::work_publisher::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{NO_WORK, Publisher, release, work};

#[tokio::test]
async fn one_contract_takes_a_work_and_may_ask_again() {
    let mut market = Publisher::new().await;
    let published = market.publish(work()).await;
    let (first, second) = (market.contract(), market.contract());
    let taken = market.reserve(&published, &first).await.unwrap();
    assert_eq!(
        (taken.status(), taken.contract_id.as_str()),
        (pb::WorkStatus::Awarding, "")
    );
    assert_eq!(market.reserve(&published, &first).await.unwrap(), taken);
    let refused = Refused::from(market.reserve(&published, &second).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
    let refused = Refused::from(market.confirm(&published.work_id, &second).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
    let awarded = market.confirm(&published.work_id, &first).await.unwrap();
    assert_eq!(
        (awarded.status(), awarded.contract_id.as_str()),
        (pb::WorkStatus::Awarded, first.as_str())
    );
    // Late copies of every step change nothing.
    assert_eq!(market.confirm(&published.work_id, &first).await.unwrap(), awarded);
    assert_eq!(market.reserve(&published, &first).await.unwrap(), awarded);
    assert_eq!(market.release(release(&published.work_id, &first)).await, awarded);
    assert_eq!(
        market.database.event_types().await,
        ["work.submitted", "work.award_reserved", "work.awarded"]
    );
    let refused = Refused::from(market.cancel(&published.work_id).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_CANCELLABLE"));
}

#[tokio::test]
async fn work_of_another_consumer_is_not_found() {
    let mut market = Publisher::new().await;
    let mut published = market.publish(work()).await;
    published.consumer_id = "tenant_01h455vb4pex5vsknk084sn02q".to_owned();
    let contract = market.contract();
    let refused = Refused::from(market.reserve(&published, &contract).await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    let refused = Refused::from(market.confirm(NO_WORK, &contract).await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    let refused = Refused::from(market.engine.release_award(release(NO_WORK, &contract)).await);
    assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
}

#[tokio::test]
async fn work_given_back_is_open_while_bids_can_still_come() {
    let mut market = Publisher::new().await;
    let published = market.publish(work()).await;
    let contract = market.contract();
    market.reserve(&published, &contract).await.unwrap();
    let back = market.release(release(&published.work_id, &contract)).await;
    assert_eq!(
        (back.status(), back.close_time),
        (pb::WorkStatus::Open, published.close_time)
    );
    // A late copy of the first one's question does not take it again: nobody would give it back.
    let refused = Refused::from(market.reserve(&published, &contract).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
    // Another contract may have it now, and the first one's release is nothing to that.
    let other = market.contract();
    market.reserve(&published, &other).await.unwrap();
    let same = market.release(release(&published.work_id, &contract)).await;
    assert_eq!(same.status(), pb::WorkStatus::Awarding);
}

#[tokio::test]
async fn a_contract_that_gives_back_what_it_does_not_have_yet_is_refused_when_it_asks_for_it() {
    let mut market = Publisher::new().await;
    let published = market.publish(work()).await;
    let contract = market.contract();
    let same = market.release(release(&published.work_id, &contract)).await;
    assert_eq!(same.status(), pb::WorkStatus::Open);
    market.release(release(&published.work_id, &contract)).await;
    // The question was on its way all the time.
    let refused = Refused::from(market.reserve(&published, &contract).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
    let other = market.contract();
    market.reserve(&published, &other).await.unwrap();
    let kinds = market.database.event_types().await;
    assert_eq!(
        kinds,
        ["work.submitted", "work.award_barred", "work.award_reserved"]
    );
    let events = market.database.events().await;
    market.assert_replays(&events).await;
}

#[tokio::test]
async fn work_given_back_with_a_sealed_book_or_after_its_window_is_evaluating_and_its_window_is_told_closed()
{
    for is_sealed in [true, false] {
        let mut market = Publisher::new().await;
        let published = market.publish(work()).await;
        let contract = market.contract();
        market.reserve(&published, &contract).await.unwrap();
        if !is_sealed {
            market.world.advance(Duration::from_secs(31));
        }
        let request = pb::ReleaseAwardRequest {
            sealed: is_sealed,
            ..release(&published.work_id, &contract)
        };
        let back = market.release(request).await;
        assert_eq!(back.status(), pb::WorkStatus::Evaluating);
        assert_eq!(
            market.database.event_types().await,
            [
                "work.submitted",
                "work.award_reserved",
                "work.award_released",
                "work.bid_window_closed"
            ]
        );
        // The second time the window is closed already.
        let other = market.contract();
        market.reserve(&published, &other).await.unwrap();
        market.release(release(&published.work_id, &other)).await;
        let closed = market.database.event_types().await;
        let closed = closed.iter().filter(|kind| *kind == "work.bid_window_closed");
        assert_eq!(closed.count(), 1);
    }
}

#[tokio::test]
async fn work_given_back_for_good_fails_with_the_reason() {
    let mut market = Publisher::new().await;
    let published = market.publish(work()).await;
    let contract = market.contract();
    market.reserve(&published, &contract).await.unwrap();
    let request = pb::ReleaseAwardRequest {
        reason: "insufficient_funds".to_owned(),
        r#final: true,
        ..release(&published.work_id, &contract)
    };
    let failed = market.release(request.clone()).await;
    assert_eq!(
        (
            failed.status(),
            failed.status_reason.as_str(),
            failed.contract_id.as_str()
        ),
        (pb::WorkStatus::Failed, "insufficient_funds", "")
    );
    assert_eq!(market.release(request).await, failed);
    let refused = Refused::from(market.reserve(&published, &contract).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
}
