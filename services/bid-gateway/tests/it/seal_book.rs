use std::{collections::BTreeSet, time::Duration};

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
async fn a_sample_keeps_the_names_of_its_fields_when_its_texts_are_left_out() {
    let market = Market::new().await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    let mut request = market.offer(&seller, &work_id, "5");
    request.sample.as_mut().unwrap().output = r#"{"digit": 7, "certainty": 0.9}"#.to_owned();
    let bid = seller.client.clone().submit_bid(request).await.unwrap();
    let bid = bid.into_inner().bid.unwrap();
    assert_eq!(bid.sample_fields, ["certainty", "digit"]);
    market.world.advance(Duration::from_secs(1));
    let plain = market.bid(&market.seller(), &work_id, "5").await.unwrap();
    assert!(plain.sample_fields.is_empty(), "its output is no object");
    let sealed = market.seal(&work_id).await.bids;
    assert_eq!(sealed[0].sample_fields, bid.sample_fields);
    assert!(sealed[0].sample.as_ref().unwrap().output.is_empty());
    assert!(sealed[1].sample_fields.is_empty());
}

/// A JSON object of at most 1 KiB with as many fields as fit.
fn crowded() -> String {
    let names = ('a'..='z').flat_map(|one| ('a'..='z').map(move |two| format!("\"{one}{two}\":0")));
    let fields: Vec<_> = names.take(145).collect();
    format!("{{{}}}", fields.join(","))
}

#[tokio::test]
async fn a_thousand_of_the_largest_bids_are_sealed_in_one_answer() {
    let market = Market::in_shape(Shape::MutualTls).await;
    let work_id = market.work().await.work_id;
    let seller = market.seller();
    let mut request = market.offer(&seller, &work_id, "999999999999.999999");
    request.approach = "x".repeat(1024);
    request.endpoint = format!("https://agent.example/{}", "x".repeat(490));
    request.regions = vec!["a".repeat(32); 16];
    let sample = request.sample.as_mut().unwrap();
    (sample.input, sample.output) = ("x".repeat(800), crowded());
    assert!((1000..=1024).contains(&sample.output.len()) && request.encoded_len() > 4000);
    seller.client.clone().submit_bid(request).await.unwrap();
    let copies = "INSERT INTO bid SELECT (copy).* FROM (
             SELECT jsonb_populate_record(bid, jsonb_build_object(
                 'bid_id', gen_random_uuid(), 'provider_id', gen_random_uuid())) AS copy
             FROM bid, generate_series(2, 1000)) AS copies";
    assert_eq!(market.database.execute(copies).await, 999);
    market
        .database
        .execute("UPDATE book SET live_bids = 1000, total_bids = 1000")
        .await;
    let sealed = market.seal(&work_id).await;
    assert_eq!(sealed.bids.len(), 1000);
    assert!(sealed.bids.iter().all(|bid| bid.sample_fields.len() == 145));
    assert!(sealed.encoded_len() < 17 << 18, "4.25 MiB");
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
