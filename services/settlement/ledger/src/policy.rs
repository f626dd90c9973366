//! What configuration decides: the fee, how long a payout waits, and how much a deposit may be.

use std::{collections::BTreeMap, time::Duration};

use aex_types::{Amount, BasisPoints, Currency, Tier};

/// How long a payout waits, given the dispute window of its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutHold {
    /// As long as the window, and at least this long.
    AtLeast(Duration),
    /// As long as the window.
    Window,
    /// As long as the window, and at most this long.
    AtMost(Duration),
}

impl PayoutHold {
    /// The wait for a contract with this window.
    #[must_use]
    pub fn with(self, window: Duration) -> Duration {
        match self {
            Self::AtLeast(least) => window.max(least),
            Self::Window => window,
            Self::AtMost(most) => window.min(most),
        }
    }
}

/// The wait of a payout, for each tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutHolds {
    /// Of [`Tier::Unverified`].
    pub unverified: PayoutHold,
    /// Of [`Tier::Verified`].
    pub verified: PayoutHold,
    /// Of [`Tier::Trusted`].
    pub trusted: PayoutHold,
    /// Of [`Tier::Preferred`].
    pub preferred: PayoutHold,
    /// Of [`Tier::Internal`].
    pub internal: PayoutHold,
}

impl PayoutHolds {
    /// The table of money page §5.5.
    pub const STANDARD: Self = Self {
        unverified: PayoutHold::AtLeast(Duration::from_hours(72)),
        verified: PayoutHold::Window,
        trusted: PayoutHold::Window,
        preferred: PayoutHold::AtMost(Duration::from_hours(1)),
        internal: PayoutHold::AtMost(Duration::ZERO),
    };

    /// No wait for anybody: development.
    pub const NONE: Self = Self {
        unverified: PayoutHold::AtMost(Duration::ZERO),
        verified: PayoutHold::AtMost(Duration::ZERO),
        trusted: PayoutHold::AtMost(Duration::ZERO),
        preferred: PayoutHold::AtMost(Duration::ZERO),
        internal: PayoutHold::AtMost(Duration::ZERO),
    };

    /// How the payouts of a tier wait.
    pub const fn of(&self, tier: Tier) -> PayoutHold {
        match tier {
            Tier::Unverified => self.unverified,
            Tier::Verified => self.verified,
            Tier::Trusted => self.trusted,
            Tier::Preferred => self.preferred,
            Tier::Internal => self.internal,
        }
    }
}

/// How much one deposit may be, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositLimits {
    /// At least this.
    pub min: Amount,
    /// At most this.
    pub max: Amount,
}

/// What configuration decides, as one versioned value.
///
/// What a contract is subject to is read at its award and frozen in its hold, so a later version changes no contract
/// that exists. A version is never changed; another configuration has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which configuration this is.
    pub version: u32,
    /// The platform's share of what a contract costs: 1500 basis points, unless configured otherwise.
    pub fee: BasisPoints,
    /// How long payouts wait.
    pub payout_holds: PayoutHolds,
    /// The shortest dispute window that an award may have.
    pub dispute_window_min: Duration,
    /// The longest dispute window that an award may have.
    pub dispute_window_max: Duration,
    /// The currencies that can be deposited, and how much at a time.
    pub deposits: BTreeMap<Currency, DepositLimits>,
}
