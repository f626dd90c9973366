//! Scores, and the exact fractions that they are made of.

pub use aex_types::Score;

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
