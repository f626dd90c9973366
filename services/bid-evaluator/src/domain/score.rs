//! The five parts of a bid's score.
//!
//! | part | formula |
//! |---|---|
//! | price | `1 - price / max_price` |
//! | trust | the provider's trust score |
//! | confidence | the bid's own confidence |
//! | sample | `0.5` without a sample, else `0.5 + 0.25 * min(1, limit / latency) + 0.25 * covered / required` |
//! | SLA, where latency does not matter | `0.8` |
//! | SLA, where it does | `0` without a promise, else `min(1, 1 - (promised - limit) / limit)` |
//!
//! Each is clamped to [0, 1]. A sample counts only for what it shows: its latency against the work's limit
//! (or, without one, against the bid's own estimate), and how many of the work's required fields it has.
//! Where nothing is asked there is nothing to show, and a sample is worth as much as none. Sending one never
//! lowers a score.

use std::{fmt, time::Duration};

use aex_types::Money;
pub use aex_types::Score;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{bid::Facts, terms::Terms};

/// The score of a bid without a sample, and the least of one with a sample.
pub const SAMPLE_BASE: f64 = 0.5;
/// What a sample earns at most by its latency, and as much again by its fields.
pub const SAMPLE_SHARE: f64 = 0.25;
/// The score of any promise where latency does not matter.
pub const SLA_UNASKED: f64 = 0.8;

/// Digits that a ratio of prices is rounded to before it becomes a float: as many as a float holds exactly.
const RATIO_DIGITS: u32 = 15;
/// Ten to the power of [`RATIO_DIGITS`].
const RATIO_UNIT: f64 = 1e15;

/// How much of `whole` is left after `part`: `1 - part / whole`, exact to 15 digits. Nothing of nothing is left.
fn left_of(part: Decimal, whole: Decimal) -> Score {
    let left = part
        .checked_div(whole)
        .and_then(|share| Decimal::ONE.checked_sub(share));
    let left = left.unwrap_or_default().clamp(Decimal::ZERO, Decimal::ONE);
    let mut left = left.round_dp_with_strategy(RATIO_DIGITS, RoundingStrategy::MidpointAwayFromZero);
    left.rescale(RATIO_DIGITS);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a whole number up to 10^15 fits into the 53 bits of a float"
    )]
    let units = left.mantissa() as f64;
    Score::clamped(units / RATIO_UNIT)
}

/// A part of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// What it saves of the budget.
    Price,
    /// How far the provider is trusted.
    Trust,
    /// How sure the bid is of itself.
    Confidence,
    /// What its sample shows.
    Sample,
    /// The latency it promises.
    Sla,
}

impl Component {
    /// Every part, in the order in which they are summed.
    pub const ALL: [Self; 5] = [
        Self::Price,
        Self::Trust,
        Self::Confidence,
        Self::Sample,
        Self::Sla,
    ];

    /// The name, as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Trust => "trust",
            Self::Confidence => "confidence",
            Self::Sample => "sample",
            Self::Sla => "sla",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The parts of one bid's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Components {
    /// What it saves of the budget.
    pub price: Score,
    /// How far the provider is trusted.
    pub trust: Score,
    /// How sure the bid is of itself.
    pub confidence: Score,
    /// What its sample shows.
    pub sample: Score,
    /// The latency it promises.
    pub sla: Score,
}

impl Components {
    /// The parts of a bid's score under the terms of its work.
    pub fn of(terms: &Terms, bid: &Facts) -> Self {
        Self {
            price: price(bid.price, terms.max_price),
            trust: bid.trust,
            confidence: bid.confidence,
            sample: sample(terms, bid),
            sla: sla(terms.latency_limit(), bid.promised_latency),
        }
    }

    /// One of them.
    pub const fn get(&self, component: Component) -> Score {
        match component {
            Component::Price => self.price,
            Component::Trust => self.trust,
            Component::Confidence => self.confidence,
            Component::Sample => self.sample,
            Component::Sla => self.sla,
        }
    }
}

/// `1 - price / max_price`, by decimals and then once into a float. Of another currency: 0.
fn price(price: Money, max_price: Money) -> Score {
    if price.currency != max_price.currency {
        return Score::ZERO;
    }
    left_of(price.amount.decimal(), max_price.amount.decimal())
}

/// What the sample shows: its latency and the required fields that it has.
fn sample(terms: &Terms, bid: &Facts) -> Score {
    let Some(sample) = bid.sample else {
        return Score::clamped(SAMPLE_BASE);
    };
    let latency = sample_limit(terms, bid).map_or(Score::ZERO, |limit| kept(limit, sample.latency));
    let fields = coverage(sample.covered, sample.required);
    Score::clamped(SAMPLE_BASE + SAMPLE_SHARE * latency.get() + SAMPLE_SHARE * fields.get())
}

/// What a sample's latency is held against: the work's limit, else the bid's own estimate.
pub(super) fn sample_limit(terms: &Terms, bid: &Facts) -> Option<Duration> {
    terms
        .latency_limit()
        .or(bid.estimated_latency)
        .filter(|limit| !limit.is_zero())
}

/// `min(1, limit / latency)`; a latency of zero was not measured and shows nothing.
pub(super) fn kept(limit: Duration, latency: Duration) -> Score {
    if latency.is_zero() {
        Score::ZERO
    } else {
        Score::clamped(limit.div_duration_f64(latency))
    }
}

/// `covered / required`; where nothing is required nothing is shown.
pub(super) fn coverage(covered: u32, required: u32) -> Score {
    if required == 0 {
        Score::ZERO
    } else {
        Score::clamped(f64::from(covered) / f64::from(required))
    }
}

/// How well the promised latency keeps the limit. The promised availability does not matter.
fn sla(limit: Option<Duration>, promised: Option<Duration>) -> Score {
    let Some(limit) = limit else {
        return Score::clamped(SLA_UNASKED);
    };
    match promised.filter(|promised| !promised.is_zero()) {
        None => Score::ZERO,
        Some(promised) => Score::clamped(1.0 - promised.saturating_sub(limit).div_duration_f64(limit)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures;
    use super::*;

    /// The golden vectors of the promised latency under a limit of 500 ms.
    #[test]
    fn a_promise_is_worth_what_it_keeps_of_the_limit() {
        let limit = Some(Duration::from_millis(500));
        for (promised, score) in [(300, 1.0), (500, 1.0), (750, 0.5), (1500, 0.0), (0, 0.0)] {
            let promised = Some(Duration::from_millis(promised));
            assert_eq!(sla(limit, promised), Score::clamped(score), "{promised:?}");
        }
        assert_eq!(sla(limit, None), Score::ZERO);
        assert_eq!(sla(None, Some(Duration::from_millis(300))), Score::clamped(0.8));
        assert_eq!(sla(None, None), Score::clamped(0.8));
    }

    #[test]
    fn a_price_is_worth_what_it_leaves_of_the_budget() {
        for (paid, most, score) in [
            ("25", "50", 0.5),
            ("0.05", "0.15", 2.0 / 3.0),
            ("50", "50", 0.0),
            ("0", "50", 1.0),
        ] {
            let found = price(fixtures::usd(paid), fixtures::usd(most));
            assert!((found.get() - score).abs() < 1e-15, "{paid} of {most}: {found:?}");
        }
        assert_eq!(
            price(fixtures::usd("60"), fixtures::usd("50")),
            Score::ZERO,
            "above the budget"
        );
        assert_eq!(
            price(fixtures::usd("1"), fixtures::usd("0")),
            Score::ZERO,
            "no budget"
        );
        let euro = Money {
            currency: "EUR".parse().unwrap(),
            ..fixtures::usd("1")
        };
        assert_eq!(price(euro, fixtures::usd("50")), Score::ZERO, "another currency");
        assert_eq!(
            price(fixtures::usd("0.000001"), fixtures::usd("1000000")).rounded(),
            Score::ONE,
            "the extremes"
        );
        assert_eq!(
            price(fixtures::usd("999999999999"), fixtures::usd("0.000001")),
            Score::ZERO
        );
    }

    #[test]
    fn a_sample_counts_for_what_it_shows_and_for_nothing_else() {
        let mut terms = fixtures::terms();
        let mut bid = fixtures::facts(1);
        assert_eq!(sample(&terms, &bid), Score::clamped(0.5), "no sample");
        let shown = |latency, covered, required| {
            Some(super::super::bid::Shown {
                latency: Duration::from_millis(latency),
                covered,
                required,
            })
        };
        bid.sample = shown(300, 0, 0);
        assert_eq!(sample(&terms, &bid), Score::clamped(0.5), "nothing was asked");
        terms.max_latency = Some(Duration::from_millis(600));
        for (latency, covered, required, score) in [
            (300, 0, 0, 0.75),
            (1200, 0, 0, 0.625),
            (0, 3, 4, 0.6875),
            (600, 4, 4, 1.0),
            (600, 9, 4, 1.0),
        ] {
            bid.sample = shown(latency, covered, required);
            assert_eq!(
                sample(&terms, &bid),
                Score::clamped(score),
                "{latency} ms, {covered} of {required}"
            );
        }
        terms.max_latency = None;
        bid.estimated_latency = Some(Duration::from_millis(150));
        bid.sample = shown(300, 0, 0);
        assert_eq!(
            sample(&terms, &bid),
            Score::clamped(0.625),
            "slower than its own estimate"
        );
    }

    proptest! {
        #[test]
        fn every_part_is_a_score(
            terms in fixtures::any_terms(),
            bid in fixtures::any_bid(7),
            trust in fixtures::any_standing(),
        ) {
            let parts = Components::of(&terms, &Facts::of(&terms, &bid, &trust));
            for component in Component::ALL {
                let part = parts.get(component).get();
                prop_assert!((0.0..=1.0).contains(&part) && !part.is_sign_negative(), "{component}: {part}");
            }
        }

        #[test]
        fn a_lower_price_is_never_worth_less(
            low in 1..10_u64.pow(12),
            more in 0..10_u64.pow(12),
            most in 1..10_u64.pow(12),
        ) {
            let amount = |micros| aex_types::Amount::from_micros(micros).unwrap();
            let money = |micros| Money { amount: amount(micros), ..fixtures::usd("1") };
            prop_assert!(price(money(low), money(most)) >= price(money(low + more), money(most)));
        }

        #[test]
        fn a_sample_never_lowers_the_score(terms in fixtures::any_terms(), bid in fixtures::any_bid(7)) {
            let with = Facts::of(&terms, &bid, &fixtures::standing());
            let without = Facts { sample: None, ..with };
            prop_assert!(sample(&terms, &with) >= sample(&terms, &without));
        }
    }
}
