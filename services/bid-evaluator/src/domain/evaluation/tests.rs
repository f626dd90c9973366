//! Evaluations as a whole: golden vectors, and what holds of every book.

use std::time::Duration;

use aex_types::Tier;
use proptest::prelude::*;
use uuid::Uuid;

use super::super::{
    bid::Sla,
    fixtures,
    score::{Component, Score},
    strategy::Strategy as Wish,
};
use super::*;

fn command(terms: Terms, bids: Vec<Bid>) -> Evaluate {
    let standings = bids
        .iter()
        .map(|bid| (bid.provider_id, fixtures::standing()))
        .collect();
    Evaluate {
        evaluation_id: EvaluationId::from(Uuid::from_u128(1)),
        work_id: WorkId::from(Uuid::from_u128(2)),
        consumer_id: TenantId::from(Uuid::from_u128(3)),
        total_bids: u32::try_from(bids.len()).unwrap(),
        terms,
        auto_award: true,
        bids,
        standings,
        sealed_at: fixtures::SEALED_AT,
    }
}

fn made(command: &Evaluate) -> Evaluation {
    let events = evaluate(None, command, fixtures::at(5)).unwrap();
    assert_eq!(events.len(), 1);
    Evaluation::after(None, &events[0]).unwrap()
}

/// One row: price, budget, trust, confidence, the promised and asked latency in ms (0: none), and the totals
/// of `lowest_price`, `best_quality` and `balanced`. Nobody sends a sample, which is worth 0.5.
type Row = (&'static str, &'static str, f64, f64, u64, u64, [f64; 3]);

const GOLDEN: [Row; 9] = [
    ("25", "50", 0.3, 0.92, 0, 0, [0.532, 0.534, 0.533]),
    ("30", "50", 0.3, 0.95, 0, 0, [0.485, 0.530, 0.5075]),
    ("25", "50", 0.3, 0.92, 3000, 5000, [0.552, 0.554, 0.553]),
    ("30", "50", 0.3, 0.95, 2000, 5000, [0.505, 0.550, 0.5275]),
    ("30", "100", 0.3, 0.70, 0, 0, [0.610, 0.510, 0.560]),
    ("55", "100", 0.3, 0.85, 0, 0, [0.500, 0.515, 0.5075]),
    ("80", "100", 0.3, 0.99, 0, 0, [0.389, 0.518, 0.4535]),
    (
        "0.05",
        "0.15",
        0.5,
        0.8,
        0,
        0,
        [0.643_333_333_333, 0.606_666_666_667, 0.625],
    ),
    ("0.12", "0.15", 0.5, 0.9, 0, 0, [0.420, 0.580, 0.500]),
];

#[test]
fn totals_are_those_of_the_golden_vectors() {
    for (price, budget, trust, confidence, promised, asked, totals) in GOLDEN {
        for (strategy, total) in Wish::ALL.into_iter().zip(totals) {
            let terms = Terms {
                max_price: fixtures::usd(budget),
                strategy,
                max_latency: Some(Duration::from_millis(asked)),
                ..fixtures::terms()
            };
            let bid = Bid {
                price: fixtures::usd(price),
                confidence: Score::clamped(confidence),
                sla: Some(Sla {
                    max_latency: Duration::from_millis(promised),
                    availability: Score::ONE,
                }),
                ..fixtures::bid(1)
            };
            let mut command = command(terms, vec![bid]);
            for standing in command.standings.values_mut() {
                standing.trust = Score::clamped(trust);
            }
            let found = made(&command).result.winner().unwrap().score.get();
            assert!(
                (found - total).abs() <= 1e-9,
                "{price}/{budget} {strategy}: {found} is not {total}"
            );
        }
    }
}

#[test]
fn the_winner_changes_with_the_strategy() {
    let bid = |id, price, confidence| Bid {
        price: fixtures::usd(price),
        confidence: Score::clamped(confidence),
        ..fixtures::bid(id)
    };
    let bids = vec![bid(1, "30", 0.70), bid(2, "55", 0.85), bid(3, "80", 0.99)];
    for (strategy, order) in [
        (Wish::LowestPrice, [1, 2, 3]),
        (Wish::Balanced, [1, 2, 3]),
        (Wish::BestQuality, [3, 2, 1]),
    ] {
        let terms = Terms {
            max_price: fixtures::usd("100"),
            strategy,
            ..fixtures::terms()
        };
        let result = made(&command(terms, bids.clone())).result;
        let found: Vec<_> = result
            .ranked
            .iter()
            .map(|one| one.bid.bid_id.uuid().as_u128())
            .collect();
        assert_eq!(found, order, "{strategy}");
    }
}

#[test]
fn without_a_fit_bid_the_evaluation_says_so() {
    let empty = made(&command(fixtures::terms(), vec![]));
    assert_eq!(
        (empty.result.status(), empty.result.winner()),
        (Status::NoBids, None)
    );
    let dear = Bid {
        price: fixtures::usd("51"),
        ..fixtures::bid(1)
    };
    let unfit = made(&command(fixtures::terms(), vec![dear]));
    assert_eq!(unfit.result.status().to_string(), "NO_BIDS");
    assert_eq!(unfit.result.disqualified[0].reason, Reason::PriceExceedsBudget);
    let fit = made(&command(fixtures::terms(), vec![fixtures::bid(1)]));
    assert_eq!(fit.result.status().to_string(), "EVALUATED");
}

#[test]
fn a_work_is_evaluated_once() {
    let command = command(fixtures::terms(), vec![fixtures::bid(1)]);
    let first = made(&command);
    assert_eq!(evaluate(Some(&first), &command, fixtures::at(9)), Ok(vec![]));
    let event = &evaluate(None, &command, fixtures::at(9)).unwrap()[0];
    assert_eq!((event.version, event.change.event_type()), (1, "bids.evaluated"));
    assert_eq!(
        Evaluation::after(Some(first), event),
        None,
        "a second event does not fold"
    );
}

#[test]
fn the_moment_of_the_seal_decides_and_not_the_moment_of_the_evaluation() {
    let bid = Bid {
        expires_at: fixtures::at(1),
        ..fixtures::bid(1)
    };
    let command = command(fixtures::terms(), vec![bid]);
    let [early, late] = [
        fixtures::SEALED_AT.saturating_sub(Duration::from_secs(1)),
        fixtures::at(3600),
    ]
    .map(|now| evaluate(None, &command, now).unwrap().remove(0));
    assert_eq!(early.change, late.change);
    assert_eq!(
        early.time,
        fixtures::SEALED_AT,
        "an event is never earlier than the seal"
    );
    assert_eq!(late.time, fixtures::at(3600));
}

#[test]
fn a_book_that_cannot_be_is_refused() {
    let work_id = WorkId::from(Uuid::from_u128(2));
    let twice = command(
        fixtures::terms(),
        vec![
            fixtures::bid(3),
            fixtures::bid(2),
            fixtures::bid(3),
            fixtures::bid(2),
        ],
    );
    let bid_id = BidId::from(Uuid::from_u128(2));
    assert_eq!(
        evaluate(None, &twice, fixtures::at(0)),
        Err(Refusal::BidTwice { work_id, bid_id })
    );

    let many = command(fixtures::terms(), (0..1001).map(fixtures::bid).collect());
    assert_eq!(
        evaluate(None, &many, fixtures::at(0)),
        Err(Refusal::TooManyBids { work_id, bids: 1001 })
    );

    let mut unknown = command(fixtures::terms(), vec![fixtures::bid(9), fixtures::bid(8)]);
    unknown.standings.clear();
    let provider_id = ProviderId::from(Uuid::from_u128(8));
    let refused = evaluate(None, &unknown, fixtures::at(0));
    assert_eq!(
        refused,
        Err(Refusal::StandingMissing { provider_id }),
        "nothing is made up"
    );
}

fn any_command() -> impl Strategy<Value = Evaluate> {
    (fixtures::any_terms(), fixtures::any_bids(30)).prop_flat_map(|(terms, bids)| {
        let count = bids.len();
        let standings = prop::collection::vec(fixtures::any_standing(), count);
        (Just(terms), Just(bids), standings).prop_map(|(terms, bids, standings)| {
            let mut command = command(terms, bids);
            command.standings = command
                .bids
                .iter()
                .map(|bid| bid.provider_id)
                .zip(standings)
                .collect();
            command
        })
    })
}

/// Every float of a result, as bits.
fn bits(result: &Verdict) -> Vec<u64> {
    let parts = |one: &Ranked| {
        Component::ALL
            .map(|component| one.components.get(component))
            .into_iter()
    };
    let scores = result
        .ranked
        .iter()
        .flat_map(|one| parts(one).chain([one.score, one.bid.trust, one.bid.confidence]));
    scores.map(|score| score.get().to_bits()).collect()
}

proptest! {
    #[test]
    fn the_order_of_the_bids_does_not_matter(command in any_command(), seed: u64) {
        let mut shuffled = command.clone();
        shuffled.bids.sort_by_key(|bid| {
            let id = u64::try_from(bid.id.uuid().as_u128()).unwrap();
            (id ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
        });
        let [one, other] = [made(&command), made(&shuffled)];
        prop_assert_eq!(bits(&one.result), bits(&other.result));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn every_bid_is_ranked_or_disqualified_and_none_twice(command in any_command()) {
        let result = made(&command).result;
        let ranked = result.ranked.iter().map(|one| one.bid.bid_id);
        let mut found: Vec<_> = ranked.chain(result.disqualified.iter().map(|one| one.bid.bid_id)).collect();
        found.sort_unstable();
        let mut given: Vec<_> = command.bids.iter().map(|bid| bid.id).collect();
        given.sort_unstable();
        prop_assert_eq!(found, given);
    }

    #[test]
    fn stored_scores_follow_from_stored_facts(command in any_command()) {
        let mut result = made(&command).result;
        prop_assert!(result.is_reproducible());
        if let Some(first) = result.ranked.first_mut() {
            let moved = if first.score == Score::ZERO { 0.5 } else { 0.0 };
            first.score = Score::clamped(moved);
            prop_assert!(!result.is_reproducible());
        }
    }

    #[test]
    fn whoever_is_ranked_keeps_what_the_work_asks(command in any_command()) {
        let result = made(&command).result;
        for one in &result.ranked {
            prop_assert!(one.bid.price.amount <= command.terms.max_price.amount);
            prop_assert!(one.bid.expires_at >= command.sealed_at);
            prop_assert!(one.bid.tier >= command.terms.min_trust_tier.unwrap_or_default());
            prop_assert!(!command.terms.internal_only || one.bid.tier == Tier::Internal);
        }
    }
}
