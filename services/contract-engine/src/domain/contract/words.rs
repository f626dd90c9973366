//! Where a contract stands, who deals with it, and why it came to nothing or failed: closed sets of words.

use std::{fmt, str::FromStr};

/// Where a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "as in aex/contract_engine/v1/contract.proto")]
pub enum Status {
    Proposed,
    Awarded,
    Void,
    Executing,
    VerificationPending,
    Completed,
    Settled,
    Failed,
    Expired,
}

/// A text that is no status, or no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not known")]
pub struct Unknown;

impl Status {
    /// Every status.
    pub const ALL: [Self; 9] = [
        Self::Proposed,
        Self::Awarded,
        Self::Void,
        Self::Executing,
        Self::VerificationPending,
        Self::Completed,
        Self::Settled,
        Self::Failed,
        Self::Expired,
    ];

    /// The name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Awarded => "AWARDED",
            Self::Void => "VOID",
            Self::Executing => "EXECUTING",
            Self::VerificationPending => "VERIFICATION_PENDING",
            Self::Completed => "COMPLETED",
            Self::Settled => "SETTLED",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }

    /// May the provider still deliver?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Awarded | Self::Executing)
    }

    /// Do the two parties still deal with each other?
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Awarded | Self::Executing | Self::VerificationPending)
    }

    /// Is there nothing that could still happen?
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Void | Self::Settled | Self::Failed | Self::Expired)
    }

    /// Does the provider know of it? Of an award that is not decided, or came to nothing, it does not.
    pub const fn is_known_to_provider(self) -> bool {
        !matches!(self, Self::Proposed | Self::Void)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}

/// Why an award came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoidReason {
    /// There is no such work any more.
    WorkNotFound,
    /// The work is cancelled, over, or held by another contract.
    WorkNotAwardable,
    /// The bid is withdrawn, over the budget, or fails another condition of the work.
    BidNotRanked,
    /// The provider has replaced the bid.
    BidChanged,
    /// The consumer cannot pay.
    InsufficientFunds,
    /// The price is in a currency that is not traded here.
    CurrencyUnsupported,
    /// The consumer would pay itself.
    SameTenant,
    /// Settlement does not hold the price on these terms.
    HoldRefused,
    /// So much time went by that the provider could not deliver any more.
    TooLate,
}

impl VoidReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::WorkNotFound,
        Self::WorkNotAwardable,
        Self::BidNotRanked,
        Self::BidChanged,
        Self::InsufficientFunds,
        Self::CurrencyUnsupported,
        Self::SameTenant,
        Self::HoldRefused,
        Self::TooLate,
    ];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkNotFound => "work_not_found",
            Self::WorkNotAwardable => "work_not_awardable",
            Self::BidNotRanked => "bid_not_ranked",
            Self::BidChanged => "bid_changed",
            Self::InsufficientFunds => "insufficient_funds",
            Self::CurrencyUnsupported => "currency_unsupported",
            Self::SameTenant => "same_tenant",
            Self::HoldRefused => "hold_refused",
            Self::TooLate => "too_late",
        }
    }

    /// Is it because of the bid, so that another bid may do?
    pub const fn is_of_the_bid(self) -> bool {
        matches!(self, Self::BidNotRanked | Self::BidChanged | Self::SameTenant)
    }

    /// Is it because of the money, so that no other bid would do?
    pub const fn is_of_the_money(self) -> bool {
        matches!(
            self,
            Self::InsufficientFunds | Self::CurrencyUnsupported | Self::HoldRefused
        )
    }
}

impl FromStr for VoidReason {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}

/// One side of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The tenant that buys.
    Consumer,
    /// The tenant that sells.
    Provider,
}

/// Why a contract failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// The consumer rejected what was delivered.
    RejectedByConsumer,
    /// The provider said that it could not do it.
    ProviderReportedFailure,
    /// The provider gave it up.
    FailedByProvider,
    /// The consumer gave it up.
    FailedByConsumer,
}

impl FailReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::RejectedByConsumer,
        Self::ProviderReportedFailure,
        Self::FailedByProvider,
        Self::FailedByConsumer,
    ];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RejectedByConsumer => "rejected_by_consumer",
            Self::ProviderReportedFailure => "provider_reported_failure",
            Self::FailedByProvider => "failed_by_provider",
            Self::FailedByConsumer => "failed_by_consumer",
        }
    }

    /// Who says so.
    pub const fn said_by(self) -> Party {
        match self {
            Self::RejectedByConsumer | Self::FailedByConsumer => Party::Consumer,
            Self::ProviderReportedFailure | Self::FailedByProvider => Party::Provider,
        }
    }

    /// Whose failure it is: a rejection counts as the provider's.
    pub const fn fault(self) -> Party {
        match self {
            Self::FailedByConsumer => Party::Consumer,
            Self::RejectedByConsumer | Self::ProviderReportedFailure | Self::FailedByProvider => {
                Party::Provider
            }
        }
    }
}

impl FromStr for FailReason {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}
