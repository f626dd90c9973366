//! Numbers from 0 to 1: how good a bid is, how far a provider is trusted.

use std::{cmp::Ordering, fmt};

/// Steps from 0 to 1 that a score is rounded to before it is compared or shown.
const PRECISION: f64 = 1e9;

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

    /// The score to the nearest 10^-9, which is what is compared and shown.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self::clamped((self.0 * PRECISION).round() / PRECISION)
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
        fmt::Display::fmt(&self.rounded().0, f)
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_is_clamped_and_no_number_is_nothing() {
        for (number, score) in [
            (-0.5, 0.0),
            (1.5, 1.0),
            (f64::NAN, 0.0),
            (f64::INFINITY, 1.0),
            (f64::NEG_INFINITY, 0.0),
            (-0.0, 0.0),
            (0.25, 0.25),
        ] {
            let bits = Score::clamped(number).get().to_bits();
            assert_eq!(bits, f64::to_bits(score), "{number}");
        }
    }

    #[test]
    fn a_score_is_shown_to_nine_digits() {
        assert_eq!(Score::clamped(2.0 / 3.0).to_string(), "0.666666667");
        assert_eq!(Score::clamped(0.1 + 0.2).rounded(), Score::clamped(0.3));
    }
}
