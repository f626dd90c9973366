//! What a row of outcomes says together.
//!
//! With `s_i` the worth of the outcome of rank `i`, the newest first and counted from 0, and `w_i` its
//! weight:
//!
//! - `w_i = 1` for `i < 10`, `0.5` for `i < 50`, `0.25` for `i < 100`, `0.1` for `i < 200`, and nothing
//!   beyond;
//! - `raw_base = Σ w_i s_i / Σ w_i`, and 0.3 without any outcome;
//! - `base = (k p + Σ w_i s_i) / (k + Σ w_i)`, with a prior of `k = 5` outcomes that are worth `p`: 0.3 each,
//!   and 1 each
//!   for a provider of the exchange's own house.
//!
//! The prior keeps a first success from being a perfect score: without it one contract with a friend would
//! do.

use super::{
    outcome::Kind,
    score::{Fraction, Score},
};

/// Up to which rank a weight holds, and the weight in twentieths.
const WEIGHTS: [(usize, u32); 4] = [(10, 20), (50, 10), (100, 5), (200, 2)];
/// What of a weight is 1.
const WEIGHT_UNIT: u32 = 20;
/// What of a product of a weight and a worth is 1: worths are tenths.
const POINT_UNIT: u32 = WEIGHT_UNIT * 10;

/// What is believed of a provider before anything is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prior {
    /// How many outcomes it weighs.
    pub outcomes: u32,
    /// What each of them is worth, in tenths.
    pub tenths: u32,
}

impl Prior {
    /// Of anybody: five outcomes worth 0.3.
    pub const STRANGER: Self = Self {
        outcomes: 5,
        tenths: 3,
    };
    /// Of a provider of the exchange's own house: five outcomes worth 1.
    pub const HOUSE: Self = Self {
        outcomes: 5,
        tenths: 10,
    };
    /// None: the published formula. A provider without outcomes is still worth 0.3.
    pub const NONE: Self = Self {
        outcomes: 0,
        tenths: 3,
    };

    /// What each of its outcomes is worth, from 0 to 1.
    pub fn worth(self) -> Score {
        Fraction::new(i64::from(self.tenths), 10).score()
    }
}

/// What a row of outcomes says together: the sum of their weights, and of their weights by their worths. Both
/// exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    outcomes: usize,
    weight: u32,
    points: u32,
}

impl Evidence {
    /// Weighs outcomes, the newest first. Those beyond the first 200 weigh nothing.
    pub fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let weighed = kinds
            .into_iter()
            .enumerate()
            .take_while(|(rank, _)| twentieths(*rank) > 0);
        weighed.fold(Self::default(), |sum, (rank, kind)| {
            let weight = twentieths(rank);
            Self {
                outcomes: sum.outcomes.saturating_add(1),
                weight: sum.weight.saturating_add(weight),
                points: sum.points.saturating_add(weight.saturating_mul(kind.tenths())),
            }
        })
    }

    /// How many outcomes were weighed: at most 200.
    pub const fn outcomes(self) -> usize {
        self.outcomes
    }

    /// `Σ w_i`, from 0 to 52.5.
    pub fn weight(self) -> f64 {
        f64::from(self.weight) / f64::from(WEIGHT_UNIT)
    }

    /// `Σ w_i s_i`, from 0 to 52.5.
    pub fn points(self) -> f64 {
        f64::from(self.points) / f64::from(POINT_UNIT)
    }

    /// `(k p + Σ w_i s_i) / (k + Σ w_i)`, exact. Where that is nothing of nothing it is the worth of the
    /// prior.
    pub fn base(self, prior: Prior) -> Fraction {
        let prior_weight = prior.outcomes.saturating_mul(WEIGHT_UNIT);
        let whole = prior_weight.saturating_add(self.weight);
        if whole == 0 {
            return Fraction::new(i64::from(prior.tenths), 10);
        }
        let part = prior_weight
            .saturating_mul(prior.tenths)
            .saturating_add(self.points);
        Fraction::new(i64::from(part), i64::from(whole).saturating_mul(10))
    }

    /// The base without a prior: `Σ w_i s_i / Σ w_i`, and 0.3 without any outcome.
    pub fn raw_base(self) -> Score {
        self.base(Prior::NONE).score()
    }
}

/// The weight of the outcome of a rank, counted from 0 at the newest: from 1 down to 0.1, and 0 beyond rank
/// 199.
pub fn weight(rank: usize) -> f64 {
    f64::from(twentieths(rank)) / f64::from(WEIGHT_UNIT)
}

fn twentieths(rank: usize) -> u32 {
    WEIGHTS
        .into_iter()
        .find(|(limit, _)| rank < *limit)
        .map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures;
    use super::Kind::{FailureProvider as F, Success as S};
    use super::*;

    fn raw(runs: &[(Kind, usize)]) -> f64 {
        let kinds = runs
            .iter()
            .flat_map(|&(kind, times)| std::iter::repeat_n(kind, times));
        Evidence::of(kinds).raw_base().get()
    }

    /// The published vectors, the newest outcome first.
    #[test]
    fn the_raw_base_is_that_of_the_published_vectors() {
        let vectors: [(&[(Kind, usize)], f64); 7] = [
            (&[], 0.3),
            (&[(S, 3)], 1.0),
            (&[(F, 3)], 0.0),
            (&[(S, 1), (F, 1)], 0.5),
            (&[(S, 10), (F, 1)], 10.0 / 10.5),
            (&[(S, 10), (F, 190)], 10.0 / 52.5),
            (&[(F, 10), (S, 190)], 42.5 / 52.5),
        ];
        for (runs, base) in vectors {
            assert!(
                (raw(runs) - base).abs() < 1e-15,
                "{runs:?}: {} is not {base}",
                raw(runs)
            );
        }
        assert_eq!(
            format!(
                "{:.4} {:.4}",
                raw(&[(S, 10), (F, 190)]),
                raw(&[(F, 10), (S, 190)])
            ),
            "0.1905 0.8095"
        );
    }

    #[test]
    fn what_lies_beyond_two_hundred_weighs_nothing() {
        let most = Evidence::of(std::iter::repeat_n(S, 1000));
        assert_eq!((most.outcomes(), most.weight(), most.points()), (200, 52.5, 52.5));
        for (rank, expected) in [
            (0, 20),
            (9, 20),
            (10, 10),
            (49, 10),
            (50, 5),
            (99, 5),
            (100, 2),
            (199, 2),
            (200, 0),
        ] {
            assert_eq!(twentieths(rank), expected, "rank {rank}");
        }
    }

    #[test]
    fn the_prior_keeps_a_first_success_from_being_perfect() {
        let base = |times, prior| Evidence::of(std::iter::repeat_n(S, times)).base(prior).score();
        assert_eq!(base(0, Prior::STRANGER), Score::clamped(0.3));
        assert_eq!(base(0, Prior::HOUSE), Score::ONE);
        assert_eq!(base(1, Prior::STRANGER), Score::clamped(2.5 / 6.0));
        assert_eq!(base(1, Prior::NONE), Score::ONE);
        assert_eq!(base(200, Prior::STRANGER), Score::clamped(54.0 / 57.5));
    }

    fn any_kinds() -> impl Strategy<Value = Vec<Kind>> {
        prop::collection::vec(fixtures::any_kind(), 0..250)
    }

    proptest! {
        #[test]
        fn one_more_success_never_lowers_the_base(kinds in any_kinds(), place: prop::sample::Index) {
            let mut more = kinds.clone();
            more.insert(place.index(kinds.len() + 1), S);
            for prior in [Prior::STRANGER, Prior::HOUSE] {
                let base = |kinds: &[Kind]| Evidence::of(kinds.iter().copied()).base(prior).score();
                let [before, after] = [base(&kinds), base(&more)];
                prop_assert!(after >= before, "{before} {after}");
            }
        }

        #[test]
        fn a_better_outcome_never_lowers_the_base(
            kinds in any_kinds(),
            place: prop::sample::Index,
            other in fixtures::any_kind(),
        ) {
            prop_assume!(!kinds.is_empty());
            let place = place.index(kinds.len());
            let mut better = kinds.clone();
            if other.score() > kinds[place].score() {
                better[place] = other;
            }
            let [before, after] = [&kinds, &better].map(|kinds| Evidence::of(kinds.iter().copied()).raw_base());
            prop_assert!(after >= before, "{before} {after}");
        }

        #[test]
        fn a_base_lies_between_the_prior_and_the_outcomes(kinds in any_kinds()) {
            let evidence = Evidence::of(kinds);
            let (raw, base) = (evidence.raw_base(), evidence.base(Prior::STRANGER).score());
            let prior = Prior::STRANGER.worth();
            prop_assert!(base >= raw.min(prior) && base <= raw.max(prior), "{raw} {base}");
        }

        #[test]
        fn exact_sums_agree_with_sums_of_floats(kinds in any_kinds()) {
            let (mut points, mut sum) = (1.5, 5.0);
            for (rank, kind) in kinds.iter().enumerate() {
                points += weight(rank) * kind.score().get();
                sum += weight(rank);
            }
            let base = Evidence::of(kinds).base(Prior::STRANGER).score().get();
            prop_assert!((base - points / sum).abs() < 1e-12);
        }
    }
}
