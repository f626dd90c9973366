//! What a work asks of a bid.

use std::{collections::BTreeSet, time::Duration};

use aex_types::{Money, Tier};

use super::{score::Score, strategy::Strategy};

/// What a work asks of a bid. The evaluation keeps them, so that it can be explained and checked later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The most that the work may cost. Above zero; with zero, every price is worth nothing.
    pub max_price: Money,
    /// What matters most to the consumer.
    pub strategy: Strategy,
    /// The slowest answer that will do, if it matters. Zero is as none.
    pub max_latency: Option<Duration>,
    /// The least tier that will do, if it matters.
    pub min_trust_tier: Option<Tier>,
    /// Only providers of the exchange's own house will do.
    pub internal_only: bool,
    /// Where the work may be done; empty is anywhere. Tags are compared letter by letter.
    pub regions: BTreeSet<String>,
    /// The fields that the result must have; empty is none.
    pub required_fields: BTreeSet<String>,
    /// The rules that the deployment has switched on.
    pub rules: Rules,
}

impl Terms {
    /// The slowest answer that will do; `None` when it does not matter.
    pub fn latency_limit(&self) -> Option<Duration> {
        self.max_latency.filter(|limit| !limit.is_zero())
    }
}

/// Rules that disqualify a bid only where a deployment wants them. By default all are off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// The least confidence that will do.
    pub confidence_floor: Option<Score>,
    /// A bid must name a region that the work names, if the work names any.
    pub region_covered: bool,
    /// A bid must bring a sample.
    pub sample_required: bool,
}
