//! What a consumer asks for: fixed once the work is published.

use std::{fmt, str::FromStr, time::Duration};

use aex_types::{Money, Text, Tier};
use serde::{Deserialize, Serialize};

use super::payload::Payload;

/// Bytes of a category.
pub const CATEGORY_LIMIT: usize = 64;
/// Bytes of a description.
pub const DESCRIPTION_LIMIT: usize = 4000;

/// What a consumer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Its category.
    pub category: Text<CATEGORY_LIMIT>,
    /// What is to be done.
    pub description: Text<DESCRIPTION_LIMIT>,
    /// The most that is paid; more than 0.
    pub max_price: Money,
    /// How bids are ranked.
    pub bid_strategy: Strategy,
    /// What a bid must keep to.
    pub constraints: Constraints,
    /// What is to be worked on.
    pub payload: Option<Payload>,
    /// The first characters of the payload, when it is text.
    pub payload_preview: String,
    /// The best bid wins by itself when bidding ends.
    pub auto_award: bool,
    /// How the outcome is verified.
    pub verification: Verification,
    /// How long the consumer may take to accept or reject.
    pub review_time: Duration,
    /// How long after settlement the outcome may be disputed.
    pub dispute_window: Duration,
    /// How long the provider may take, from the award.
    pub contract_duration: Duration,
    /// How long bids are taken.
    pub bid_window: Duration,
}

/// What a bid must keep to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    /// The longest that an answer may take, in milliseconds.
    pub max_latency_ms: Option<u64>,
    /// Fields that the result must have.
    pub required_fields: Vec<String>,
    /// The least tier that may win.
    pub min_trust_tier: Option<Tier>,
    /// Only providers of the exchange's own house may win.
    pub internal_only: bool,
    /// Where it may be done; none means anywhere.
    pub regions: Vec<String>,
}

/// How bids are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Price counts half.
    LowestPrice,
    /// Trust, confidence and sample count most.
    BestQuality,
    /// Price and trust count the same.
    Balanced,
}

/// How the outcome is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The consumer accepts or rejects.
    ConsumerConfirm,
    /// The provider's word is taken.
    None,
}

/// A word that names none of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not one of the values")]
pub struct UnknownWord;

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LowestPrice => "LOWEST_PRICE",
            Self::BestQuality => "BEST_QUALITY",
            Self::Balanced => "BALANCED",
        })
    }
}

impl FromStr for Strategy {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let all = [Self::LowestPrice, Self::BestQuality, Self::Balanced];
        all.into_iter()
            .find(|strategy| strategy.to_string() == word)
            .ok_or(UnknownWord)
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConsumerConfirm => "CONSUMER_CONFIRM",
            Self::None => "NONE",
        })
    }
}

impl FromStr for Verification {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        [Self::ConsumerConfirm, Self::None]
            .into_iter()
            .find(|method| method.to_string() == word)
            .ok_or(UnknownWord)
    }
}
