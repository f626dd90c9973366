//! The ladder of tiers: which tier is open to a provider, and what is missing for the next.
//!
//! | tier | score | contracts | success rate | verified |
//! |---|---|---|---|---|
//! | UNVERIFIED | – | – | – | – |
//! | VERIFIED | 0.5 | 5 | 70 % | identity |
//! | TRUSTED | 0.7 | 25 | 85 % | identity, endpoint |
//! | PREFERRED | 0.9 | 100 | 95 % | identity, endpoint, review by a person |
//! | INTERNAL | the exchange's own house, whatever the score; never left | | | |
//!
//! A provider has the highest tier all of whose gates are open. It rises and falls with each event, without
//! delay. Contracts are counted over the provider's life. The success rate is `successful / (successful +
//! failed)` over the outcomes that the provider brought about; without any, its gate is shut.

use std::{fmt, str::FromStr};

use aex_types::Tier;

use super::score::{Fraction, Score};

/// Something about a provider that is checked outside of its contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// It is who it says.
    Identity,
    /// Its endpoint answers, over TLS, as an agent.
    Endpoint,
    /// It keeps the rules that it has to keep. No tier asks for it.
    Compliance,
    /// A person has looked at its record.
    Review,
}

/// A text that is no check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be IDENTITY, ENDPOINT, COMPLIANCE or REVIEW")]
pub struct CheckError;

impl Check {
    /// Every check.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Endpoint, Self::Compliance, Self::Review];

    /// The name, in capitals, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Endpoint => "ENDPOINT",
            Self::Compliance => "COMPLIANCE",
            Self::Review => "REVIEW",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Check {
    type Err = CheckError;

    fn from_str(text: &str) -> Result<Self, CheckError> {
        Self::ALL
            .into_iter()
            .find(|check| check.as_str() == text)
            .ok_or(CheckError)
    }
}

/// The checks that a provider has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Passed(u8);

impl Passed {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Has it passed this one?
    pub const fn has(self, check: Check) -> bool {
        self.0 & Self::bit(check) != 0
    }

    /// The same with one check passed, or not.
    #[must_use]
    pub const fn with(self, check: Check, is_passed: bool) -> Self {
        if is_passed {
            Self(self.0 | Self::bit(check))
        } else {
            Self(self.0 & !Self::bit(check))
        }
    }

    const fn bit(check: Check) -> u8 {
        match check {
            Check::Identity => 1,
            Check::Endpoint => 2,
            Check::Compliance => 4,
            Check::Review => 8,
        }
    }
}

impl FromIterator<Check> for Passed {
    fn from_iter<I: IntoIterator<Item = Check>>(checks: I) -> Self {
        checks
            .into_iter()
            .fold(Self::NONE, |passed, check| passed.with(check, true))
    }
}

/// What the ladder looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The score.
    pub score: Score,
    /// Contracts with an outcome that counts, over the provider's life.
    pub contracts: u64,
    /// Of these, successes of the provider.
    pub successful: u64,
    /// Of these, failures of the provider.
    pub failed: u64,
    /// The checks that it has passed.
    pub passed: Passed,
    /// It belongs to the exchange's own house.
    pub is_internal: bool,
}

impl Case {
    /// `successful / (successful + failed)`; `None` when there is neither.
    pub fn success_rate(&self) -> Option<Score> {
        let whole = self.successful.saturating_add(self.failed);
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        (whole > 0).then(|| Fraction::new(count(self.successful), count(whole)).score())
    }
}

/// Something that a tier asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// At least this score.
    Score(Score),
    /// At least so many contracts.
    Contracts(u64),
    /// At least this success rate, in percent.
    SuccessRate(u8),
    /// This check, passed.
    Check(Check),
}

impl Need {
    /// Is it met?
    pub fn is_met(self, case: &Case) -> bool {
        match self {
            Self::Score(least) => case.score >= least,
            Self::Contracts(least) => case.contracts >= least,
            Self::SuccessRate(percent) => {
                let whole = u128::from(case.successful) + u128::from(case.failed);
                whole > 0 && u128::from(case.successful) * 100 >= whole * u128::from(percent)
            }
            Self::Check(check) => case.passed.has(check),
        }
    }
}

const VERIFIED: [Need; 4] = [
    Need::Score(Score::clamped(0.5)),
    Need::Contracts(5),
    Need::SuccessRate(70),
    Need::Check(Check::Identity),
];
const TRUSTED: [Need; 5] = [
    Need::Score(Score::clamped(0.7)),
    Need::Contracts(25),
    Need::SuccessRate(85),
    Need::Check(Check::Identity),
    Need::Check(Check::Endpoint),
];
const PREFERRED: [Need; 6] = [
    Need::Score(Score::clamped(0.9)),
    Need::Contracts(100),
    Need::SuccessRate(95),
    Need::Check(Check::Identity),
    Need::Check(Check::Endpoint),
    Need::Check(Check::Review),
];

/// What a tier asks for. INTERNAL cannot be earned, and so asks for nothing that could be met.
pub const fn needs(tier: Tier) -> &'static [Need] {
    match tier {
        Tier::Unverified | Tier::Internal => &[],
        Tier::Verified => &VERIFIED,
        Tier::Trusted => &TRUSTED,
        Tier::Preferred => &PREFERRED,
    }
}

/// The tier that is open to a provider.
pub fn tier(case: &Case) -> Tier {
    if case.is_internal {
        return Tier::Internal;
    }
    let is_open = |tier: &Tier| needs(*tier).iter().all(|need| need.is_met(case));
    [Tier::Preferred, Tier::Trusted, Tier::Verified]
        .into_iter()
        .find(is_open)
        .unwrap_or_default()
}

/// The tier above; `None` above PREFERRED, since INTERNAL cannot be earned.
pub const fn next(tier: Tier) -> Option<Tier> {
    match tier {
        Tier::Unverified => Some(Tier::Verified),
        Tier::Verified => Some(Tier::Trusted),
        Tier::Trusted => Some(Tier::Preferred),
        Tier::Preferred | Tier::Internal => None,
    }
}

#[cfg(test)]
mod tests;
