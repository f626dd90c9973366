//! What is known of a provider besides its outcomes.
//!
//! | modifier | points |
//! |---|---|
//! | identity verified | +0.05 |
//! | endpoint verified | +0.05 |
//! | tenure | +0.02 for each whole month of 30 days since the registration, at most +0.10 |
//! | disputes | -0.10 for each one that a consumer opened and that is under investigation, at most -0.20 |
//! | violations | -0.20 for each one that is open, at most -0.40 |

use std::{fmt, time::Duration};

use aex_types::Timestamp;

/// A month of tenure: 30 days.
pub const MONTH: Duration = Duration::from_hours(30 * 24);
/// The most months of tenure that count.
pub const MOST_MONTHS: u32 = 5;
/// The most disputes that count.
pub const MOST_DISPUTES: u32 = 2;
/// The most violations that count.
pub const MOST_VIOLATIONS: u32 = 2;

/// A modifier of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// The identity is verified.
    Identity,
    /// The endpoint is verified.
    Endpoint,
    /// How long the provider has been here.
    Tenure,
    /// Disputes under investigation.
    Disputes,
    /// Open violations.
    Violations,
}

impl Modifier {
    /// Every modifier.
    pub const ALL: [Self; 5] = [
        Self::Identity,
        Self::Endpoint,
        Self::Tenure,
        Self::Disputes,
        Self::Violations,
    ];

    /// The name, as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity_verified",
            Self::Endpoint => "endpoint_verified",
            Self::Tenure => "tenure",
            Self::Disputes => "open_disputes",
            Self::Violations => "open_violations",
        }
    }
}

impl fmt::Display for Modifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What stands against a provider at the moment of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charges {
    /// Disputes that a consumer opened and that are under investigation. Those that a provider opened, and
    /// those that nobody has looked at yet, do not count.
    pub open_disputes: u32,
    /// Violations that are not cleared.
    pub open_violations: u32,
}

impl Charges {
    /// Nothing stands against the provider.
    pub const NONE: Self = Self {
        open_disputes: 0,
        open_violations: 0,
    };
}

/// What modifies a score at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modifiers {
    /// The identity is verified.
    pub identity_verified: bool,
    /// The endpoint is verified.
    pub endpoint_verified: bool,
    /// Whole months since the registration, as many as there are.
    pub months: u32,
    /// What stands against the provider.
    pub charges: Charges,
}

impl Modifiers {
    /// What one of them adds, in hundredths.
    pub fn hundredths(&self, modifier: Modifier) -> i32 {
        let flag = |is_set| if is_set { 5 } else { 0 };
        let each = |points: i32, count: u32, most: u32| {
            points.saturating_mul(i32::try_from(count.min(most)).unwrap_or(i32::MAX))
        };
        match modifier {
            Modifier::Identity => flag(self.identity_verified),
            Modifier::Endpoint => flag(self.endpoint_verified),
            Modifier::Tenure => each(2, self.months, MOST_MONTHS),
            Modifier::Disputes => each(-10, self.charges.open_disputes, MOST_DISPUTES),
            Modifier::Violations => each(-20, self.charges.open_violations, MOST_VIOLATIONS),
        }
    }

    /// What one of them adds, from -0.4 to 0.1.
    pub fn points(&self, modifier: Modifier) -> f64 {
        f64::from(self.hundredths(modifier)) / 100.0
    }

    /// What they add together, in hundredths: from -60 to 20.
    pub fn sum(&self) -> i32 {
        Modifier::ALL
            .into_iter()
            .map(|modifier| self.hundredths(modifier))
            .sum()
    }
}

/// Whole months of 30 days from one moment to another; 0 when the second is not later.
pub fn months_between(from: Timestamp, to: Timestamp) -> u32 {
    let months = to.since(from).as_secs().checked_div(MONTH.as_secs()).unwrap_or(0);
    u32::try_from(months).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{
        evidence::{Evidence, Prior},
        fixtures,
        outcome::Kind::{FailureProvider as F, Success as S},
        score::Score,
    };
    use super::*;

    const BARE: Modifiers = Modifiers {
        identity_verified: false,
        endpoint_verified: false,
        months: 0,
        charges: Charges::NONE,
    };

    fn both(months: u32) -> Modifiers {
        Modifiers {
            identity_verified: true,
            endpoint_verified: true,
            months,
            ..BARE
        }
    }

    /// The published vectors of score and modifiers, without a prior.
    #[test]
    fn modifiers_add_to_the_base_as_published() {
        let score = |kinds: &[_], modifiers: Modifiers| {
            let base = Evidence::of(kinds.iter().copied()).base(Prior::NONE);
            base.plus_hundredths(i64::from(modifiers.sum())).score()
        };
        assert_eq!(score(&[S, F], both(3)), Score::clamped(0.66));
        assert_eq!(score(&[S; 5], both(5)), Score::ONE);
        assert_eq!(score(&[F; 5], BARE), Score::ZERO);
    }

    #[test]
    fn each_modifier_has_its_bound() {
        let charged = |open_disputes, open_violations| Modifiers {
            charges: Charges {
                open_disputes,
                open_violations,
            },
            ..BARE
        };
        assert_eq!(
            [0, 1, 5, 6, u32::MAX].map(|months| both(months).sum()),
            [10, 12, 20, 20, 20]
        );
        assert_eq!(
            [0, 1, 2, 3, u32::MAX].map(|open| charged(open, 0).sum()),
            [0, -10, -20, -20, -20]
        );
        assert_eq!(
            [0, 1, 2, 3, u32::MAX].map(|open| charged(0, open).sum()),
            [0, -20, -40, -40, -40]
        );
        assert_eq!(charged(9, 9).sum(), -60);
    }

    #[test]
    fn only_whole_months_count_and_the_future_is_none() {
        let days = |days: u64| months_between(fixtures::at(0), fixtures::at(days * 24 * 60 * 60));
        assert_eq!([0, 29, 30, 59, 75, 182].map(days), [0, 0, 1, 1, 2, 6]);
        assert_eq!(months_between(fixtures::at(1), fixtures::at(0)), 0);
        let almost = MONTH.saturating_sub(Duration::from_micros(1));
        assert_eq!(
            months_between(fixtures::at(0), fixtures::at(0).saturating_add(almost)),
            0
        );
    }
}
