//! Scores, and the exact fractions that they are made of.

use std::{cmp::Ordering, fmt};

/// Steps from 0 to 1 that a score is shown in.
const SHOWN: f64 = 1e9;

/// A number from 0 to 1. Never NaN and never minus zero, so it has a total order and equal scores have equal
/// bits.
#[derive(Clone, Copy, PartialEq, Default)]
pub struct Score(f64);

impl Score {
    /// The least.
    pub const ZERO: Self = Self(0.0);
    /// The most.
    pub const ONE: Self = Self(1.0);

    /// The nearest score to a number: 0 below 0, 1 above 1, and 0 for what is no number.
    pub const fn clamped(number: f64) -> Self {
        // A comparison with NaN is false, and so is `-0.0 > 0.0`.
        if number >= 1.0 {
            Self::ONE
        } else if number > 0.0 {
            Self(number)
        } else {
            Self::ZERO
        }
    }

    /// The score as a number from 0 to 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Score {
    /// To the nearest 10^-9, without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&((self.0 * SHOWN).round() / SHOWN), f)
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A fraction of whole numbers. Scores are computed in these and divided once, at the end, so that a score is
/// the float nearest to the exact result: a tier that asks for 0.9 is reached at 9/10, and a better fraction
/// never rounds to a lesser score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    part: i64,
    whole: i64,
}

impl Fraction {
    /// `part / whole`.
    pub const fn new(part: i64, whole: i64) -> Self {
        Self { part, whole }
    }

    /// The fraction and so many hundredths.
    #[must_use]
    pub const fn plus_hundredths(self, hundredths: i64) -> Self {
        let part = self
            .part
            .saturating_mul(100)
            .saturating_add(hundredths.saturating_mul(self.whole));
        Self {
            part,
            whole: self.whole.saturating_mul(100),
        }
    }

    /// The fraction as a score, clamped to [0, 1]; a fraction of nothing is 0.
    pub const fn score(self) -> Score {
        if self.whole <= 0 {
            return Score::ZERO;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "counts of outcomes and their weights stay far below 2^53"
        )]
        let quotient = self.part as f64 / self.whole as f64;
        Score::clamped(quotient)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_outside_is_clamped_and_no_number_is_nothing() {
        for (number, score) in [
            (-0.5, 0.0),
            (1.5, 1.0),
            (f64::NAN, 0.0),
            (f64::INFINITY, 1.0),
            (-0.0, 0.0),
        ] {
            assert_eq!(
                Score::clamped(number).get().to_bits(),
                f64::to_bits(score),
                "{number}"
            );
        }
    }

    #[test]
    fn a_fraction_is_divided_once() {
        assert_eq!(
            Fraction::new(3, 10).plus_hundredths(60).score(),
            Score::clamped(0.9),
            "not 0.8999999999999999"
        );
        assert_eq!(Fraction::new(1, 2).plus_hundredths(-70).score(), Score::ZERO);
        assert_eq!(Fraction::new(1, 2).plus_hundredths(70).score(), Score::ONE);
        assert_eq!(Fraction::new(1, 0).score(), Score::ZERO);
    }

    proptest! {
        #[test]
        fn a_greater_part_is_never_a_lesser_score(
            part in 0..10_000_i64,
            more in 0..10_000_i64,
            whole in 1..10_000_i64,
        ) {
            prop_assert!(Fraction::new(part + more, whole).score() >= Fraction::new(part, whole).score());
        }
    }
}
