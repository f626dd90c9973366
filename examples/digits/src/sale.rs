//! How one batch was traded.

use aex_types::Amount;
use serde::{Serialize, Serializer};

use crate::plan::Kind;

/// One batch, at its end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sale {
    /// Its place in the day.
    pub(crate) number: usize,
    /// How well it had to be read.
    pub(crate) kind: Kind,
    /// The exchange chose the winner.
    pub(crate) is_auto: bool,
    /// The work.
    pub(crate) work_id: String,
    /// How it ended: `completed`, `failed`, `cancelled`.
    pub(crate) status: String,
    /// Why it failed; empty otherwise.
    pub(crate) reason: String,
    /// The providers whose bids were valid.
    pub(crate) bidders: Vec<String>,
    /// Its contract; empty when it found nobody.
    pub(crate) contract_id: String,
    /// Who got the contract, and why.
    pub(crate) winner: Option<Winner>,
    /// Images read rightly; absent when nothing was delivered.
    pub(crate) right: Option<usize>,
    /// The share of them.
    pub(crate) accuracy: Option<f64>,
    /// The consumer took it.
    pub(crate) is_accepted: Option<bool>,
    /// What was paid.
    pub(crate) money: Moved,
}

/// Who won, and why.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Winner {
    /// The provider.
    pub(crate) provider_id: String,
    /// What it asked, in dollars.
    #[serde(serialize_with = "spelled")]
    pub(crate) price: Amount,
    /// Its place in the exchange's ranking.
    pub(crate) rank: u32,
    /// Its score in that ranking.
    pub(crate) score: f64,
    /// The best score.
    pub(crate) best_score: f64,
    /// Its trust at that moment.
    pub(crate) trust: f64,
    /// What each part brought to the score.
    pub(crate) parts: Vec<(String, f64)>,
}

/// The money of one contract, in dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Moved {
    /// By the consumer.
    #[serde(serialize_with = "spelled")]
    pub(crate) paid: Amount,
    /// To the exchange.
    #[serde(serialize_with = "spelled")]
    pub(crate) fee: Amount,
    /// To the provider.
    #[serde(serialize_with = "spelled")]
    pub(crate) payout: Amount,
    /// Not paid, and not given back yet.
    #[serde(serialize_with = "spelled")]
    pub(crate) held: Amount,
}

/// Money is a text wherever it is written.
pub(crate) fn spelled<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}
