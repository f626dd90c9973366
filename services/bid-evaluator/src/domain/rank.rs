//! The order of the bids that are fit.
//!
//! The higher score stands first; then the lower price, then the earlier bid, then the smaller id. Scores are
//! compared after they are rounded to the nearest 10^-9. Ids differ, so the order is total and strict.

use std::cmp::Reverse;

use aex_types::{Amount, BidId, Timestamp};

use super::{
    bid::Facts,
    score::{Components, Score},
    terms::Terms,
};

/// A bid in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Its place, from 1.
    pub rank: u32,
    /// Its total score, to the nearest 10^-9.
    pub score: Score,
    /// The parts that the total is made of.
    pub components: Components,
    /// The bid.
    pub bid: Facts,
}

/// What put one bid before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decider {
    /// The score.
    Score,
    /// Equal scores, and a lower price.
    Price,
    /// Equal scores and prices, and an earlier bid.
    Received,
    /// All of it equal, and a smaller id.
    BidId,
}

/// Puts bids in order.
pub fn rank(terms: &Terms, bids: impl IntoIterator<Item = Facts>) -> Vec<Ranked> {
    let weights = terms.strategy.weights();
    let judged = bids.into_iter().map(|bid| {
        let components = Components::of(terms, &bid);
        Ranked {
            rank: 0,
            score: weights.total(&components),
            components,
            bid,
        }
    });
    let mut ranked: Vec<_> = judged.collect();
    ranked.sort_by_cached_key(place);
    for (rank, one) in (1..).zip(&mut ranked) {
        one.rank = rank;
    }
    ranked
}

/// What puts one of two bids before the other.
pub fn decider(a: &Ranked, b: &Ranked) -> Decider {
    let (a, b) = (place(a), place(b));
    if a.0 != b.0 {
        Decider::Score
    } else if a.1 != b.1 {
        Decider::Price
    } else if a.2 != b.2 {
        Decider::Received
    } else {
        Decider::BidId
    }
}

/// What the order is made by; the smaller one stands first.
fn place(one: &Ranked) -> (Reverse<Score>, Amount, Timestamp, BidId) {
    (
        Reverse(one.score),
        one.bid.price.amount,
        one.bid.received_at,
        one.bid.bid_id,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures;
    use super::*;

    fn order(terms: &Terms, bids: &[Facts]) -> Vec<u128> {
        rank(terms, bids.iter().copied())
            .iter()
            .map(|one| one.bid.bid_id.uuid().as_u128())
            .collect()
    }

    #[test]
    fn equal_scores_are_put_in_order_by_price_then_time_then_id() {
        // Of a budget of nothing, every price is worth nothing.
        let terms = Terms {
            max_price: fixtures::usd("0"),
            ..fixtures::terms()
        };
        let bid = |id, price, second| Facts {
            price: fixtures::usd(price),
            received_at: fixtures::at(second),
            ..fixtures::facts(id)
        };
        let bids = [bid(4, "2", 1), bid(3, "1", 2), bid(2, "1", 2), bid(1, "1", 3)];
        assert_eq!(order(&terms, &bids), [2, 3, 1, 4]);
        let ranked = rank(&terms, bids);
        let deciders: Vec<_> = ranked.windows(2).map(|two| decider(&two[0], &two[1])).collect();
        assert_eq!(deciders, [Decider::BidId, Decider::Received, Decider::Price]);
    }

    #[test]
    fn scores_that_differ_by_less_than_the_precision_are_equal() {
        let terms = fixtures::terms();
        let bid = |id, confidence, second| Facts {
            confidence: Score::clamped(confidence),
            received_at: fixtures::at(second),
            ..fixtures::facts(id)
        };
        assert_eq!(
            order(&terms, &[bid(1, 0.9 + 1e-10, 2), bid(2, 0.9, 1)]),
            [2, 1],
            "the earlier one"
        );
        assert_eq!(
            order(&terms, &[bid(1, 0.9 + 1e-7, 2), bid(2, 0.9, 1)]),
            [1, 2],
            "the better one"
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_strict(terms in fixtures::any_terms(), bids in fixtures::any_bids(40)) {
            let facts = bids.iter().map(|bid| Facts::of(&terms, bid, &fixtures::standing()));
            let ranked = rank(&terms, facts);
            for (rank, one) in (1..).zip(&ranked) {
                prop_assert_eq!(one.rank, rank);
                for other in &ranked {
                    let expected = one.rank.cmp(&other.rank);
                    prop_assert_eq!(place(one).cmp(&place(other)), expected);
                }
            }
        }

        #[test]
        fn whoever_lowers_a_price_is_not_ranked_worse(
            terms in fixtures::any_terms(),
            bids in fixtures::any_bids(12),
            pick: prop::sample::Index,
        ) {
            let judged = bids.iter().map(|bid| Facts::of(&terms, bid, &fixtures::standing()));
            let mut facts: Vec<_> = judged.collect();
            prop_assume!(!facts.is_empty());
            let pick = pick.index(facts.len());
            let id = facts[pick].bid_id;
            let place = |facts: &[Facts]| {
                rank(&terms, facts.iter().copied()).iter().position(|one| one.bid.bid_id == id)
            };
            let before = place(&facts);
            facts[pick].price.amount = Amount::ZERO;
            prop_assert!(place(&facts) <= before);
        }
    }
}
