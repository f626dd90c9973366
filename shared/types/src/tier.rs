//! How far a provider is trusted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How far a provider is trusted, from the least to the most.
///
/// The order is the order of the declaration: `Tier::Trusted >= Tier::Verified` says that who is trusted may
/// do what asks for a verified provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Tier {
    /// Unknown, just registered, or without enough good outcomes yet.
    #[default]
    Unverified,
    /// Its identity is verified and its first contracts went well.
    Verified,
    /// Its endpoint is verified too and it has a record of good contracts.
    Trusted,
    /// A long and nearly faultless record, and a review by a person passed.
    Preferred,
    /// Belongs to the exchange's own house.
    Internal,
}

/// A text that is no tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be UNVERIFIED, VERIFIED, TRUSTED, PREFERRED or INTERNAL")]
pub struct TierError;

impl Tier {
    /// Every tier, from the least to the most.
    pub const ALL: [Self; 5] = [
        Self::Unverified,
        Self::Verified,
        Self::Trusted,
        Self::Preferred,
        Self::Internal,
    ];

    /// The name, in capitals, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unverified => "UNVERIFIED",
            Self::Verified => "VERIFIED",
            Self::Trusted => "TRUSTED",
            Self::Preferred => "PREFERRED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = TierError;

    fn from_str(text: &str) -> Result<Self, TierError> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or(TierError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_stand_in_order_and_reading_undoes_printing() {
        assert!(Tier::ALL.is_sorted());
        assert_eq!(Tier::default(), Tier::Unverified);
        for tier in Tier::ALL {
            assert_eq!(tier.to_string().parse(), Ok(tier));
        }
    }

    #[test]
    fn what_is_no_tier_is_refused() {
        for wrong in ["", "trusted", "TRUSTED ", "TIER_TRUSTED", "GOLD"] {
            assert_eq!(wrong.parse::<Tier>(), Err(TierError), "{wrong}");
        }
    }
}
