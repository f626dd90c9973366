//! Bidders hammer while bidding ends: what was acknowledged is in the evaluation, and nothing else.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime},
};

use aex_proto::aex::bid_gateway::v1::{Bid, BidStatus};
use aex_testkit::trader::{Consumer, Provider, Terms};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;

use super::{Track, all, is_typed, terms};

const WORKS: usize = 3;
const PROVIDERS: usize = 16;
/// Bids of one provider on one work; it may make 20.
const BIDS: usize = 14;
/// Bidding goes on from so long before its end until so long after it.
const BEFORE: Duration = Duration::from_millis(3500);
const AFTER: Duration = Duration::from_millis(500);
const SEED: u64 = 20_260_418;

/// What one provider did to one work.
#[derive(Debug, Default)]
struct Hand {
    /// All bids that were acknowledged, in their order.
    acknowledged: Vec<String>,
    /// The last of them was taken back.
    is_withdrawn: bool,
    refused: usize,
}

/// Bids at these moments, and sometimes takes the last bid back, until bidding has ended and a little longer.
async fn hammer(provider: Provider, work_id: String, moments: Vec<(SystemTime, bool)>) -> Hand {
    let mut hand = Hand::default();
    for (place, (moment, is_to_withdraw)) in moments.into_iter().enumerate() {
        sleep(moment.duration_since(SystemTime::now()).unwrap_or_default()).await;
        let live = hand.acknowledged.last().filter(|_| !hand.is_withdrawn);
        if let (true, Some(last)) = (is_to_withdraw, live) {
            match provider.withdraw(last).await {
                Ok(_) => hand.is_withdrawn = true,
                refused => {
                    assert!(is_typed(&refused, &["BOOK_CLOSED"]));
                    hand.refused += 1;
                }
            }
            continue;
        }
        match provider.bid(&work_id, &format!("{}.25", 1 + place % 9)).await {
            Ok(bid) => {
                hand.acknowledged.push(bid.bid_id);
                hand.is_withdrawn = false;
            }
            refused => {
                assert!(is_typed(&refused, &["BOOK_CLOSED"]));
                hand.refused += 1;
            }
        }
    }
    hand
}

/// When a provider acts on a work that closes then, and whether it takes back instead of bidding.
fn moments(close: SystemTime, rng: &mut StdRng) -> Vec<(SystemTime, bool)> {
    let begin = close - BEFORE;
    let mut moments: Vec<_> = (0..BIDS)
        .map(|_| {
            (
                begin + rng.random_range(Duration::ZERO..BEFORE + AFTER),
                rng.random_ratio(1, 6),
            )
        })
        .collect();
    moments.sort();
    moments
}

/// The book knows what was acknowledged and nothing else; of each provider the last bid is ranked. `booked` are the
/// bids of all books.
async fn is_whole(consumer: &Consumer, work_id: &str, hands: &[Hand], booked: &[Bid]) {
    let evaluation = consumer.until_evaluated(work_id).await;
    let acknowledged: HashSet<_> = hands.iter().flat_map(|hand| &hand.acknowledged).collect();
    let refused: usize = hands.iter().map(|hand| hand.refused).sum();
    println!("{} acknowledged, {refused} refused", acknowledged.len());
    assert!(!acknowledged.is_empty() && refused > 0, "it was no race");

    let book: HashMap<_, _> = booked
        .iter()
        .filter(|bid| bid.work_id == work_id)
        .map(|bid| (bid.bid_id.clone(), bid.status()))
        .collect();
    assert_eq!(book.keys().collect::<HashSet<_>>(), acknowledged);
    let live: HashSet<_> = hands
        .iter()
        .filter(|hand| !hand.is_withdrawn)
        .filter_map(|hand| hand.acknowledged.last())
        .collect();
    let ranked: HashSet<_> = evaluation.ranked_bids.iter().map(|bid| &bid.bid_id).collect();
    assert_eq!(ranked, live);
    let counted = [evaluation.total_bids, evaluation.valid_bids].map(|count| usize::try_from(count).unwrap());
    assert_eq!(counted, [acknowledged.len(), live.len()]);
    let shown = consumer.bids_on(work_id).await.unwrap();
    assert_eq!(shown.iter().map(|bid| &bid.bid_id).collect::<HashSet<_>>(), live);
    for (bid_id, status) in &book {
        let is_over = matches!(status, BidStatus::Superseded | BidStatus::Withdrawn);
        assert_eq!(is_over, !live.contains(bid_id), "{bid_id} is {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_bidding_ended_is_ranked_and_nothing_else() {
    let track = Track::dev();
    let consumer = track.consumer("100").await;
    let providers = track.providers(PROVIDERS).await;
    let terms = Terms {
        window_seconds: 5,
        ..terms()
    };
    let works = all((0..WORKS).map(|_| {
        let (consumer, terms) = (consumer.clone(), terms.clone());
        async move { consumer.publish(&terms).await.unwrap() }
    }))
    .await;
    let mut rng = StdRng::seed_from_u64(SEED);
    let hammering = works.iter().flat_map(|work| {
        let close = SystemTime::try_from(work.close_time.unwrap()).unwrap();
        let moments: Vec<_> = providers.iter().map(|_| moments(close, &mut rng)).collect();
        let work_id = work.work_id.clone();
        let hands = providers.iter().cloned().zip(moments);
        hands
            .map(move |(provider, moments)| hammer(provider, work_id.clone(), moments))
            .collect::<Vec<_>>()
    });
    let hands = all(hammering.collect::<Vec<_>>()).await;
    let booked: Vec<_> = all(providers
        .iter()
        .cloned()
        .map(|provider| async move { provider.own_bids().await.unwrap() }))
    .await
    .concat();

    for (work, hands) in works.iter().zip(hands.chunks(PROVIDERS)) {
        is_whole(&consumer, &work.work_id, hands, &booked).await;
    }
    track.is_sound();
}
