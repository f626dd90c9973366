use std::sync::Arc;

use aex_bid_gateway::{App, Config, SCHEMA};
use aex_kit::Hosted as _;
use aex_proto::aex::{
    bid_evaluator::v1::{BidsEvaluated, EvaluatedBid},
    common::v1::Event,
    contract_engine::v1::ContractAwarded,
    work_publisher::v1::{Work, WorkFailed},
};
use aex_store::Store;
use aex_testkit::Database;

use crate::{fixture::Market, follows::cancelled};

/// A gateway that begins with what the first one has published.
async fn beginning(market: &Market, events: &[Event]) -> (Database, Arc<App>) {
    let database = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, database.connect(), market.world.runtime());
    let app = Arc::new(App::on(store, &Config::default(), market.world.mesh()));
    app.replay(events).await.unwrap();
    (database, app)
}

/// One of the things that the market could say of a work, sensible or not.
fn say(market: &Market, (work, bids): &(Work, Vec<String>), which: usize) {
    let work_id = work.work_id.clone();
    match which % 4 {
        0 => {
            let judged = |bid_id: &String, reason: &str| EvaluatedBid {
                bid_id: bid_id.clone(),
                disqualified_reason: reason.to_owned(),
                ..Default::default()
            };
            let (ranked, rest) = bids.split_at(bids.len() / 2 + which % 2);
            let payload = BidsEvaluated {
                work_id,
                ranked_bids: ranked.iter().map(|bid| judged(bid, "")).collect(),
                disqualified_bids: rest.iter().map(|bid| judged(bid, "too dear")).collect(),
                ..Default::default()
            };
            market.ledger.tell("bids.evaluated", &payload)
        }
        1 => {
            let (contract_id, bid_id) = (market.contract(), bids.first().cloned());
            let payload = ContractAwarded {
                contract_id,
                work_id,
                bid_id: bid_id.unwrap_or_else(|| crate::fixture::NO_BID.to_owned()),
                ..Default::default()
            };
            market.ledger.tell("contract.awarded", &payload)
        }
        2 => {
            let payload = WorkFailed {
                work_id,
                ..Default::default()
            };
            market.ledger.tell("work.failed", &payload)
        }
        _ => market.ledger.tell("work.cancelled", &cancelled(work)),
    };
}

#[tokio::test]
async fn a_batch_that_names_books_many_times_leaves_what_its_events_leave_one_by_one() {
    let market = Market::new().await;
    let sellers: Vec<_> = (0..3).map(|_| market.seller()).collect();
    let mut works = Vec::new();
    // Every other work has no bid, and so no book.
    for number in 0..8 {
        let work = market.work().await;
        let mut bids = Vec::new();
        for seller in sellers.iter().filter(|_| number % 2 == 0) {
            let bid = market.bid(seller, &work.work_id, "5").await.unwrap();
            bids.push(bid.bid_id);
        }
        works.push((work, bids));
    }
    let begun = market.database.events().await;
    let (slow, slow_app) = beginning(&market, &begun).await;
    let (quick, quick_app) = beginning(&market, &begun).await;

    Arc::clone(&slow_app).start_workers();
    for turn in 0..40 {
        // Each two works begin with another of the four.
        let work = turn * 5 % 8;
        say(&market, &works[work], work / 2 + turn / 8);
        slow.has_heard("bid-gateway", market.ledger.events().len()).await;
    }
    let heard = market.ledger.events().len();
    let one_by_one = market.ledger.told_since(0, App::NAME);
    assert!(one_by_one.len() > 20, "{}", one_by_one.len());

    Arc::clone(&quick_app).start_workers();
    quick.has_heard("bid-gateway", heard).await;
    assert_eq!(market.ledger.told_since(heard, App::NAME), one_by_one);
    assert_eq!(quick.state().await, slow.state().await);
    // One transaction has written all of it.
    assert_eq!(quick.execute("SELECT xmin FROM book GROUP BY xmin").await, 1);
    assert!(slow.execute("SELECT xmin FROM book GROUP BY xmin").await > 1);
}
