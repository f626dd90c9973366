use std::time::Duration;

use aex_proto::aex::{
    bid_evaluator::v1::{BidsEvaluated, EvaluatedBid},
    bid_gateway::v1 as pb,
    contract_engine::v1::ContractAwarded,
    work_publisher::v1::{Work, WorkCancelled, WorkFailed},
};
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::Market;

pub fn cancelled(work: &Work) -> WorkCancelled {
    WorkCancelled {
        work_id: work.work_id.clone(),
        consumer_id: work.consumer_id.clone(),
        reason: "consumer_requested".to_owned(),
        cancel_time: work.create_time,
        max_price: work.max_price.clone(),
        internal: false,
        close_time: work.close_time,
    }
}

#[tokio::test]
async fn cancelled_work_has_a_sealed_book_and_its_bids_are_lost() {
    let mut market = Market::working().await;
    let work = market.work().await;
    let seller = market.seller();
    let first = market.bid(&seller, &work.work_id, "5").await.unwrap();
    let second = market.bid(&seller, &work.work_id, "4").await.unwrap();
    let cause = market.ledger.tell("work.cancelled", &cancelled(&work));
    let lost = market.ledger.seen("bid.lost", |_| true).await;
    assert_eq!(lost.causation_id, cause);
    assert_eq!(
        lost.visible_to,
        [work.consumer_id.clone(), second.provider_tenant_id]
    );
    assert_eq!(market.get(&second.bid_id).await.status(), pb::BidStatus::Lost);
    assert_eq!(
        market.get(&first.bid_id).await.status(),
        pb::BidStatus::Superseded
    );
    let refused = Refused::from(market.bid(&seller, &work.work_id, "3").await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
}

#[tokio::test]
async fn work_that_is_cancelled_before_its_first_bid_takes_none_after_all() {
    let market = Market::working().await;
    let work = market.work().await;
    // The publisher still says open: only the news of the cancelling has come.
    market.ledger.tell("work.cancelled", &cancelled(&work));
    market.ledger.seen("book.sealed", |_| true).await;
    let refused = Refused::from(market.bid(&market.seller(), &work.work_id, "5").await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
}

#[tokio::test]
async fn bids_are_ranked_or_disqualified_and_then_one_wins() {
    let mut market = Market::working().await;
    let work = market.work().await;
    let mut bids = Vec::new();
    for price in ["5", "6", "60"] {
        let seller = market.seller();
        bids.push(market.bid(&seller, &work.work_id, price).await.unwrap());
    }
    market.world.advance(Duration::from_secs(30));
    market.seal(&work.work_id).await;
    let judged = |bid: &pb::Bid, reason: &str| EvaluatedBid {
        bid_id: bid.bid_id.clone(),
        disqualified_reason: reason.to_owned(),
        ..Default::default()
    };
    market.ledger.tell(
        "bids.evaluated",
        &BidsEvaluated {
            work_id: work.work_id.clone(),
            ranked_bids: vec![judged(&bids[1], ""), judged(&bids[0], "")],
            disqualified_bids: vec![judged(&bids[2], "Price exceeds budget")],
            ..Default::default()
        },
    );
    market.ledger.seen("bid.disqualified", |_| true).await;
    let out = market.get(&bids[2].bid_id).await;
    assert_eq!(
        (out.status(), out.status_reason.as_str()),
        (pb::BidStatus::Disqualified, "Price exceeds budget")
    );
    assert_eq!(market.get(&bids[0].bid_id).await.status(), pb::BidStatus::Ranked);
    let contract_id = market.contract();
    market.ledger.tell(
        "contract.awarded",
        &ContractAwarded {
            contract_id: contract_id.clone(),
            work_id: work.work_id.clone(),
            bid_id: bids[0].bid_id.clone(),
            ..Default::default()
        },
    );
    market.ledger.seen("bid.lost", |_| true).await;
    let expected = [
        pb::BidStatus::Awarded,
        pb::BidStatus::Lost,
        pb::BidStatus::Disqualified,
    ];
    for (bid, status) in bids.iter().zip(expected) {
        assert_eq!(market.get(&bid.bid_id).await.status(), status);
    }
    // The work fails later; what was decided about its bids stays.
    market.ledger.tell(
        "work.failed",
        &WorkFailed {
            work_id: work.work_id.clone(),
            ..Default::default()
        },
    );
    let other = market.work().await;
    market.ledger.tell("work.cancelled", &cancelled(&other));
    market
        .ledger
        .seen("book.sealed", |event| event.aggregate_id == other.work_id)
        .await;
    assert_eq!(market.get(&bids[0].bid_id).await.status(), pb::BidStatus::Awarded);

    let own = market.ledger.events().into_iter();
    let own: Vec<_> = own.filter(|event| event.producer == "bid-gateway").collect();
    market.assert_replays(&own).await;
}

#[tokio::test]
async fn bids_on_work_that_fails_are_lost() {
    let mut market = Market::working().await;
    let work = market.work().await;
    let bid = market.bid(&market.seller(), &work.work_id, "5").await.unwrap();
    market.ledger.tell(
        "work.failed",
        &WorkFailed {
            work_id: work.work_id.clone(),
            consumer_id: work.consumer_id.clone(),
            contract_id: String::new(),
            reason: "not_awarded".to_owned(),
        },
    );
    market.ledger.seen("bid.lost", |_| true).await;
    assert_eq!(market.get(&bid.bid_id).await.status(), pb::BidStatus::Lost);
}

#[tokio::test]
async fn a_verdict_that_is_heard_after_the_award_still_says_why() {
    let mut market = Market::working().await;
    let work_id = market.work().await.work_id;
    let mut bids = Vec::new();
    for price in ["5", "6", "60"] {
        bids.push(market.bid(&market.seller(), &work_id, price).await.unwrap());
    }
    market.seal(&work_id).await;
    let awarded = ContractAwarded {
        contract_id: market.contract(),
        work_id: work_id.clone(),
        bid_id: bids[0].bid_id.clone(),
        ..Default::default()
    };
    market.ledger.tell("contract.awarded", &awarded);
    market.ledger.seen("bid.lost", |_| true).await;
    let judged = |bid: &pb::Bid, reason: &str| EvaluatedBid {
        bid_id: bid.bid_id.clone(),
        disqualified_reason: reason.to_owned(),
        ..Default::default()
    };
    let evaluated = BidsEvaluated {
        work_id,
        ranked_bids: vec![judged(&bids[0], ""), judged(&bids[1], "")],
        disqualified_bids: vec![judged(&bids[2], "Price exceeds budget")],
        ..Default::default()
    };
    market.ledger.tell("bids.evaluated", &evaluated);
    market.ledger.seen("bid.disqualified", |_| true).await;
    let expected = [
        (pb::BidStatus::Awarded, ""),
        (pb::BidStatus::Lost, ""),
        (pb::BidStatus::Disqualified, "Price exceeds budget"),
    ];
    for (bid, expected) in bids.iter().zip(expected) {
        let bid = market.get(&bid.bid_id).await;
        assert_eq!((bid.status(), bid.status_reason.as_str()), expected);
    }
    let own = market.ledger.events().into_iter();
    let own: Vec<_> = own.filter(|event| event.producer == "bid-gateway").collect();
    market.assert_replays(&own).await;
}
