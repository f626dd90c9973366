use std::collections::BTreeSet;

use aex_proto::aex::{
    bid_evaluator::v1::{BidsEvaluated, EvaluatedBid},
    bid_gateway::v1 as pb,
};
use aex_testkit::{Refused, Shape};
use prost::Message as _;
use tonic::Code;

use crate::fixture::{Market, NO_WORK};

#[tokio::test]
async fn a_sealed_book_takes_nothing_and_answers_the_same_for_ever() {
    let mut market = Market::working().await;
    let work_id = market.work().await.work_id;
    let (first, second) = (market.seller(), market.seller());
    let bids = [
        market.bid(&first, &work_id, "5").await.unwrap(),
        market.bid(&second, &work_id, "50").await.unwrap(),
    ];
    let sealed = market.seal(&work_id).await;
    assert_eq!((sealed.bids.len(), sealed.total_bids), (2, 2));
    for bid in &sealed.bids {
        let sample = bid.sample.as_ref().unwrap();
        assert!(bid.approach.is_empty() && sample.input.is_empty() && sample.output.is_empty());
        assert_eq!(sample.latency.unwrap().nanos, 500_000_000);
    }
    let refused = Refused::from(market.bid(&first, &work_id, "4").await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
    // What becomes of the bids afterwards does not change what was sealed.
    let judged = |bid: &pb::Bid, reason: &str| EvaluatedBid {
        bid_id: bid.bid_id.clone(),
        disqualified_reason: reason.to_owned(),
        ..Default::default()
    };
    market.ledger.tell(
        "bids.evaluated",
        &BidsEvaluated {
            work_id: work_id.clone(),
            ranked_bids: vec![judged(&bids[0], "")],
            disqualified_bids: vec![judged(&bids[1], "Price exceeds budget")],
            ..Default::default()
        },
    );
    market.ledger.seen("bid.disqualified", |_| true).await;
    assert_eq!(market.get(&bids[0].bid_id).await.status(), pb::BidStatus::Ranked);
    let again = market.seal(&work_id).await;
    assert_eq!(again.encode_to_vec(), sealed.encode_to_vec());
}

#[tokio::test]
async fn a_book_without_a_bid_is_sealed_and_takes_no_first_one() {
    for shape in Shape::ALL {
        let market = Market::in_shape(shape).await;
        let work_id = market.work().await.work_id;
        let sealed = market.seal(&work_id).await;
        assert!(sealed.bids.is_empty() && sealed.seal_time.is_some());
        let refused = Refused::from(market.bid(&market.seller(), &work_id, "5").await);
        assert_eq!(refused.why(), (Code::FailedPrecondition, "BOOK_CLOSED"));
        assert_eq!(market.seal(&work_id).await, sealed);
        let mut evaluator = market.evaluator.clone();
        let unknown = pb::SealBookRequest {
            work_id: NO_WORK.to_owned(),
        };
        let refused = Refused::from(evaluator.seal_book(unknown).await);
        assert_eq!(refused.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_bid_is_in_the_sealed_set_and_none_after_it() {
    for round in 0..6_u64 {
        let market = Market::new().await;
        let work_id = market.work().await.work_id;
        // Each bids three times, so that bids that replace others race too; the first bids race for the book itself.
        let submits = (0..12).map(|_| {
            let seller = market.seller();
            let requests = ["7", "6", "5"].map(|price| market.offer(&seller, &work_id, price));
            tokio::spawn(async move {
                let mut acknowledged = None;
                for request in requests {
                    match seller.client.clone().submit_bid(request).await {
                        Ok(reply) => acknowledged = Some(reply.into_inner().bid.unwrap().bid_id),
                        Err(status) => {
                            let refused = Refused::from(status);
                            assert_eq!(refused.reason, "BOOK_CLOSED");
                        }
                    }
                }
                acknowledged
            })
        });
        let submits: Vec<_> = submits.collect();
        for _ in 0..round * 40 {
            tokio::task::yield_now().await;
        }
        let sealed = market.seal(&work_id).await;
        let mut acknowledged = BTreeSet::new();
        for submit in submits {
            acknowledged.extend(submit.await.unwrap());
        }
        let in_it: BTreeSet<_> = sealed.bids.iter().map(|bid| bid.bid_id.clone()).collect();
        assert_eq!(in_it, acknowledged);
        let providers: BTreeSet<_> = sealed.bids.iter().map(|bid| &bid.provider_id).collect();
        assert_eq!(
            providers.len(),
            sealed.bids.len(),
            "one live bid of each provider"
        );
        assert_eq!(
            market.seal(&work_id).await.encode_to_vec(),
            sealed.encode_to_vec()
        );
        let events = market.database.events().await;
        market.assert_replays(&events).await;
    }
}
