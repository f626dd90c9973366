//! What the end of a contract says about its provider.

use std::{fmt, str::FromStr};

use aex_types::{ContractId, Money, TenantId, Timestamp};

use super::score::{Fraction, Score};

/// How a contract ended, and what it is worth to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Done and paid: 1.
    Success,
    /// Done in part, and accepted: 0.7.
    SuccessPartial,
    /// The provider failed: 0.
    FailureProvider,
    /// Something outside of both failed: 0.5.
    FailureExternal,
    /// The consumer failed: 0.8.
    FailureConsumer,
    /// Disputed, and decided for the provider: 0.8.
    DisputeWon,
    /// Disputed, and decided against the provider: 0.
    DisputeLost,
    /// Nobody ended it before its time was over: 0.2.
    Expired,
}

/// A text that is no kind of outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of outcome")]
pub struct KindError;

/// Whom an outcome is counted for in the success rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credit {
    /// A success of the provider.
    Success,
    /// A failure of the provider.
    Failure,
    /// Neither: the provider alone did not bring it about.
    Neither,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::SuccessPartial,
        Self::FailureProvider,
        Self::FailureExternal,
        Self::FailureConsumer,
        Self::DisputeWon,
        Self::DisputeLost,
        Self::Expired,
    ];

    /// The name, in capitals, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::SuccessPartial => "SUCCESS_PARTIAL",
            Self::FailureProvider => "FAILURE_PROVIDER",
            Self::FailureExternal => "FAILURE_EXTERNAL",
            Self::FailureConsumer => "FAILURE_CONSUMER",
            Self::DisputeWon => "DISPUTE_WON",
            Self::DisputeLost => "DISPUTE_LOST",
            Self::Expired => "EXPIRED",
        }
    }

    /// What it is worth, from 0 to 1.
    pub const fn score(self) -> Score {
        Fraction::new(self.tenths() as i64, 10).score()
    }

    /// What it is worth, in tenths.
    pub(super) const fn tenths(self) -> u32 {
        match self {
            Self::Success => 10,
            Self::FailureConsumer | Self::DisputeWon => 8,
            Self::SuccessPartial => 7,
            Self::FailureExternal => 5,
            Self::Expired => 2,
            Self::FailureProvider | Self::DisputeLost => 0,
        }
    }

    /// Whom it is counted for. What the provider alone did not bring about is not in the success rate:
    /// failures of the consumer or from outside, a dispute won, and an expiry (which costs score instead).
    pub const fn credit(self) -> Credit {
        match self {
            Self::Success | Self::SuccessPartial => Credit::Success,
            Self::FailureProvider | Self::DisputeLost => Credit::Failure,
            Self::FailureExternal | Self::FailureConsumer | Self::DisputeWon | Self::Expired => {
                Credit::Neither
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(KindError)
    }
}

/// The outcome of one contract. A contract has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The contract.
    pub contract_id: ContractId,
    /// Who paid for it.
    pub consumer_id: TenantId,
    /// The price agreed.
    pub price: Money,
    /// How it ended.
    pub kind: Kind,
    /// When it ended.
    pub completed_at: Timestamp,
}

impl Outcome {
    /// Its place in time: newer outcomes have a greater one, and no two contracts the same.
    pub fn place(&self) -> (Timestamp, ContractId) {
        (self.completed_at, self.contract_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_worth_what_is_published() {
        let worth = [1.0, 0.7, 0.0, 0.5, 0.8, 0.8, 0.0, 0.2];
        for (kind, worth) in Kind::ALL.into_iter().zip(worth) {
            assert_eq!(kind.score(), Score::clamped(worth), "{kind}");
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("success".parse::<Kind>(), Err(KindError));
    }

    #[test]
    fn only_what_the_provider_brought_about_is_in_the_success_rate() {
        let counted: Vec<_> = Kind::ALL
            .into_iter()
            .filter(|kind| kind.credit() != Credit::Neither)
            .collect();
        assert_eq!(
            counted,
            [
                Kind::Success,
                Kind::SuccessPartial,
                Kind::FailureProvider,
                Kind::DisputeLost
            ]
        );
    }
}
