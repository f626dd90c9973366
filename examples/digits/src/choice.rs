//! Whom the consumer chooses when it does not leave that to the exchange.

use aex_types::Amount;

use crate::task::needed;

/// A bid, as far as the choice looks at it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    /// The bid.
    pub(crate) bid_id: String,
    /// What it asks, in dollars.
    pub(crate) price: Amount,
    /// How sure it says it is to read one image rightly.
    pub(crate) confidence: f64,
    /// The provider's trust.
    pub(crate) trust: f64,
}

/// The bid that promises the greatest gain: the chance that the batch passes, as the bidder claims it, times how far the
/// bidder is trusted, times what is saved of the budget. Of equal ones the first.
pub(crate) fn choose(
    candidates: &[Candidate],
    most: Amount,
    images: usize,
    percent: usize,
) -> Option<&Candidate> {
    let gain = |candidate: &Candidate| {
        let saved = most.checked_sub(candidate.price).map_or(0.0, dollars);
        // Even what saves nothing is better than no answer.
        passes(candidate.confidence, images, needed(images, percent)) * candidate.trust * (saved + 0.01)
    };
    candidates
        .iter()
        .filter(|candidate| candidate.price <= most)
        .fold(None, |best: Option<&Candidate>, candidate| match best {
            Some(best) if gain(best) >= gain(candidate) => Some(best),
            _ => Some(candidate),
        })
}

/// The chance that at least `needed` of `images` are right when each is right with a chance of `each`.
#[expect(clippy::cast_precision_loss, reason = "a batch is small")]
fn passes(each: f64, images: usize, needed: usize) -> f64 {
    let each = each.clamp(0.0, 1.0);
    // From all right downwards: each term follows from the one before.
    let mut ways = 1.0;
    let mut sum = 0.0;
    for wrong in 0..=images.saturating_sub(needed) {
        let right = images - wrong;
        sum += ways * each.powf(right as f64) * (1.0 - each).powf(wrong as f64);
        ways = ways * right as f64 / (wrong + 1) as f64;
    }
    sum
}

/// For weighing only; sums of money are never made of it.
fn dollars(amount: Amount) -> f64 {
    amount.to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bid(bid_id: &str, price: &str, confidence: f64, trust: f64) -> Candidate {
        Candidate {
            bid_id: bid_id.to_owned(),
            price: price.parse().unwrap(),
            confidence,
            trust,
        }
    }

    fn winner(bids: &[Candidate], percent: usize) -> Option<&str> {
        choose(bids, "1".parse().unwrap(), 20, percent).map(|bid| bid.bid_id.as_str())
    }

    #[test]
    fn the_chance_to_pass_is_the_tail_of_the_binomial_distribution() {
        assert!((passes(0.5, 2, 1) - 0.75).abs() < 1e-12);
        assert!((passes(0.9, 20, 17) - 0.867_046_7).abs() < 1e-6);
        assert!((passes(1.0, 20, 20) - 1.0).abs() < 1e-12);
        assert!(passes(0.0, 20, 1).abs() < 1e-12);
    }

    #[test]
    fn a_boast_wins_among_strangers_and_loses_once_it_is_known() {
        let honest = bid("honest", "0.22", 0.88, 0.3);
        assert_eq!(
            winner(&[honest.clone(), bid("boast", "0.08", 0.97, 0.3)], 85),
            Some("boast")
        );
        let known = bid("honest", "0.22", 0.88, 0.7);
        assert_eq!(
            winner(&[known, bid("boast", "0.08", 0.97, 0.1)], 85),
            Some("honest")
        );
    }

    #[test]
    fn who_is_dearer_wins_where_only_it_is_likely_to_pass() {
        let bids = [bid("cheap", "0.22", 0.88, 0.5), bid("good", "0.45", 0.985, 0.5)];
        assert_eq!(winner(&bids, 70), Some("cheap"));
        assert_eq!(winner(&bids, 95), Some("good"));
    }

    #[test]
    fn nobody_above_the_budget_is_chosen_and_of_equals_the_first_is() {
        assert_eq!(winner(&[bid("dear", "1.01", 1.0, 1.0)], 70), None);
        assert_eq!(winner(&[], 70), None);
        assert_eq!(
            winner(&[bid("a", "0.5", 0.9, 0.5), bid("b", "0.5", 0.9, 0.5)], 70),
            Some("a")
        );
    }
}
