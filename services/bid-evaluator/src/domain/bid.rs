//! A bid as the evaluation sees it, and what it keeps of it.

use std::{collections::BTreeSet, time::Duration};

use aex_types::{AgentId, BidId, Money, ProviderId, TenantId, Tier, Timestamp};

use super::{score::Score, terms::Terms};

/// A live bid of a sealed book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bid {
    /// Its id.
    pub id: BidId,
    /// Who bids.
    pub provider_id: ProviderId,
    /// The tenant that owns the provider.
    pub provider_tenant_id: TenantId,
    /// The agent that would do the work, when it is said.
    pub agent_id: Option<AgentId>,
    /// Which revision of the provider's bid it is, from 1.
    pub revision: u32,
    /// What it costs.
    pub price: Money,
    /// How sure the bid is of itself.
    pub confidence: Score,
    /// How long the work would take, as the bid estimates. Zero is as none.
    pub estimated_latency: Option<Duration>,
    /// What it promises.
    pub sla: Option<Sla>,
    /// A taste of the result.
    pub sample: Option<Sample>,
    /// Where the agent works; empty is not told. Tags are compared letter by letter.
    pub regions: BTreeSet<String>,
    /// Until when it stands.
    pub expires_at: Timestamp,
    /// When the exchange took it.
    pub received_at: Timestamp,
}

/// What a bid promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sla {
    /// The slowest answer that it promises. Zero is no promise.
    pub max_latency: Duration,
    /// The share of the time that it promises to answer. It is shown to the consumer and does not touch the
    /// score.
    pub availability: Score,
}

/// A taste of the result, made by the provider before the award.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// How long the sample took, as the provider tells. Zero is not told.
    pub latency: Duration,
    /// The names of the fields that its output has at its top; none when it is no JSON object.
    pub fields: BTreeSet<String>,
}

/// How a provider stands at the evaluation. Only active providers bid, and the award asks again: that is not asked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The trust score that trust-broker gave.
    pub trust: Score,
    /// The tier that it gave.
    pub tier: Tier,
}

/// What the evaluation keeps of a bid: all that its score is made of, so that it can be explained and checked
/// later without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The bid.
    pub bid_id: BidId,
    /// Who bids.
    pub provider_id: ProviderId,
    /// The tenant that owns the provider.
    pub provider_tenant_id: TenantId,
    /// The agent that would do the work, when it is said.
    pub agent_id: Option<AgentId>,
    /// Which revision of the provider's bid was judged.
    pub revision: u32,
    /// What it costs.
    pub price: Money,
    /// How sure the bid is of itself.
    pub confidence: Score,
    /// How long the work would take, as the bid estimates.
    pub estimated_latency: Option<Duration>,
    /// The slowest answer that it promises.
    pub promised_latency: Option<Duration>,
    /// What its sample shows, if it has one.
    pub sample: Option<Shown>,
    /// Until when it stands.
    pub expires_at: Timestamp,
    /// When the exchange took it.
    pub received_at: Timestamp,
    /// The provider's trust score at the evaluation.
    pub trust: Score,
    /// The provider's tier at the evaluation.
    pub tier: Tier,
}

/// What a sample shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// How long it took; zero is not told.
    pub latency: Duration,
    /// How many of the work's required fields it has.
    pub covered: u32,
    /// How many fields the work requires.
    pub required: u32,
}

impl Facts {
    /// What is kept of a bid on a work, and of its provider.
    pub fn of(terms: &Terms, bid: &Bid, standing: &Standing) -> Self {
        let told = |span: &Duration| !span.is_zero();
        Self {
            bid_id: bid.id,
            provider_id: bid.provider_id,
            provider_tenant_id: bid.provider_tenant_id,
            agent_id: bid.agent_id,
            revision: bid.revision,
            price: bid.price,
            confidence: bid.confidence,
            estimated_latency: bid.estimated_latency.filter(told),
            promised_latency: bid.sla.map(|sla| sla.max_latency).filter(told),
            sample: bid
                .sample
                .as_ref()
                .map(|sample| Shown::of(sample, &terms.required_fields)),
            expires_at: bid.expires_at,
            received_at: bid.received_at,
            trust: standing.trust,
            tier: standing.tier,
        }
    }
}

impl Shown {
    fn of(sample: &Sample, required: &BTreeSet<String>) -> Self {
        let count = |fields: usize| u32::try_from(fields).unwrap_or(u32::MAX);
        Self {
            latency: sample.latency,
            covered: count(required.intersection(&sample.fields).count()),
            required: count(required.len()),
        }
    }
}
