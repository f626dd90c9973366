//! What bid-evaluator asks of others: one function for each question, and the only user of a link.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aex_error::{Unanswered, wire};
use aex_kit::{Call, Link, Mesh};
use aex_proto::aex::{
    bid_gateway::v1::{self as gateway, bid_gateway_service_client::BidGatewayServiceClient},
    trust_broker::v1::{BatchGetTrustRequest, Trust, trust_broker_service_client::TrustBrokerServiceClient},
    work_publisher::v1::{self as publisher, work_publisher_service_client::WorkPublisherServiceClient},
};
use aex_types::{Money, ProviderId, TenantId, Tier, Timestamp, WorkId};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    Error,
    domain::{
        bid::{Bid, Sample, Sla, Standing},
        score::Score,
        strategy::Strategy,
        terms::{Rules, Terms},
    },
};

const PUBLISHER: &str = "work-publisher";
const GATEWAY: &str = "bid-gateway";
const TRUST: &str = "trust-broker";

/// The others.
#[derive(Debug)]
pub(crate) struct Peers {
    publisher: Link,
    gateway: Link,
    trust: Link,
}

/// A work, as far as an evaluation needs it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) consumer_id: TenantId,
    pub(crate) auto_award: bool,
    max_price: Money,
    strategy: Strategy,
    max_latency: Option<Duration>,
    min_trust_tier: Option<Tier>,
    internal_only: bool,
    regions: BTreeSet<String>,
    required_fields: BTreeSet<String>,
}

impl Work {
    /// What it asks of a bid, under the deployment's rules.
    pub(crate) fn terms(&self, rules: Rules) -> Terms {
        Terms {
            max_price: self.max_price,
            strategy: self.strategy,
            max_latency: self.max_latency,
            min_trust_tier: self.min_trust_tier,
            internal_only: self.internal_only,
            regions: self.regions.clone(),
            required_fields: self.required_fields.clone(),
            rules,
        }
    }
}

/// A sealed book.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) bids: Vec<Bid>,
    pub(crate) sealed_at: Timestamp,
    pub(crate) total_bids: u32,
}

impl Peers {
    pub(crate) fn new(from: &'static str, mesh: &Mesh) -> Self {
        Self {
            publisher: mesh.link(from, PUBLISHER),
            gateway: mesh.link(from, GATEWAY),
            trust: mesh.link(from, TRUST),
        }
    }

    /// What does the work ask?
    pub(crate) async fn work(&self, call: &Call, id: WorkId) -> Result<Work, Error> {
        let request = publisher::GetWorkRequest {
            work_id: id.to_string(),
        };
        let answer = WorkPublisherServiceClient::new(self.publisher.on(call))
            .get_work(request)
            .await
            .map_err(|status| refused(PUBLISHER, id, status))?;
        let work = answer.into_inner().work;
        work.as_ref()
            .and_then(read_work)
            .ok_or_else(|| Unanswered::unreadable(PUBLISHER).into())
    }

    /// Closes the book and answers what is in it.
    pub(crate) async fn seal(&self, call: &Call, id: WorkId) -> Result<Book, Error> {
        let request = gateway::SealBookRequest {
            work_id: id.to_string(),
        };
        let answer = BidGatewayServiceClient::new(self.gateway.on(call))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
            .seal_book(request)
            .await
            .map_err(|status| refused(GATEWAY, id, status))?
            .into_inner();
        let read = || {
            Some(Book {
                bids: answer.bids.iter().map(read_bid).collect::<Option<_>>()?,
                sealed_at: wire::read_time(answer.seal_time.as_ref()?)?,
                total_bids: answer.total_bids,
            })
        };
        read().ok_or_else(|| Unanswered::unreadable(GATEWAY).into())
    }

    /// How does each provider stand? Nothing is made up: who is not answered for is an error.
    pub(crate) async fn standings(
        &self,
        call: &Call,
        providers: impl Iterator<Item = ProviderId>,
    ) -> Result<BTreeMap<ProviderId, Standing>, Error> {
        let providers: BTreeSet<_> = providers.collect();
        if providers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let request = BatchGetTrustRequest {
            provider_ids: providers.iter().map(ToString::to_string).collect(),
        };
        let answer = TrustBrokerServiceClient::new(self.trust.on(call))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
            .batch_get_trust(request)
            .await
            .map_err(|status| Unanswered::by(TRUST, status))?;
        let trusts = answer.into_inner().trusts;
        let read: Option<_> = trusts.iter().map(read_standing).collect();
        read.ok_or_else(|| Unanswered::unreadable(TRUST).into())
    }
}

fn refused(service: &'static str, work: WorkId, status: Status) -> Error {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.as_str());
    if status.code() == Code::NotFound && reason == Some("WORK_NOT_FOUND") {
        Error::WorkNotFound(work)
    } else {
        Unanswered::by(service, status).into()
    }
}

fn read_work(work: &publisher::Work) -> Option<Work> {
    let asked = work.constraints.clone().unwrap_or_default();
    Some(Work {
        consumer_id: work.consumer_id.parse().ok()?,
        auto_award: work.auto_award,
        max_price: wire::read_money(work.max_price.as_ref()?)?,
        strategy: match work.bid_strategy() {
            publisher::BidStrategy::LowestPrice => Strategy::LowestPrice,
            publisher::BidStrategy::BestQuality => Strategy::BestQuality,
            publisher::BidStrategy::Balanced | publisher::BidStrategy::Unspecified => Strategy::Balanced,
        },
        max_latency: wire::maybe_of(asked.max_latency.as_ref(), wire::read_span)?,
        min_trust_tier: wire::read_tier(asked.min_trust_tier()),
        internal_only: asked.internal_only,
        regions: asked.regions.into_iter().collect(),
        required_fields: asked.required_fields.into_iter().collect(),
    })
}

fn read_bid(bid: &gateway::Bid) -> Option<Bid> {
    let span = |span: &Option<prost_types::Duration>| wire::maybe_of(span.as_ref(), wire::read_span);
    let sla = |sla: &gateway::Sla| {
        Some(Sla {
            max_latency: span(&sla.max_latency)?.unwrap_or_default(),
            availability: Score::clamped(sla.availability),
        })
    };
    let sample = |sample: &gateway::Sample| {
        Some(Sample {
            latency: span(&sample.latency)?.unwrap_or_default(),
            fields: bid.sample_fields.iter().cloned().collect(),
        })
    };
    Some(Bid {
        id: bid.bid_id.parse().ok()?,
        provider_id: bid.provider_id.parse().ok()?,
        provider_tenant_id: bid.provider_tenant_id.parse().ok()?,
        agent_id: wire::maybe(&bid.agent_id)?,
        revision: bid.revision,
        price: wire::read_money(bid.price.as_ref()?)?,
        confidence: Score::clamped(bid.confidence),
        estimated_latency: span(&bid.estimated_latency)?,
        sla: wire::maybe_of(bid.sla.as_ref(), sla)?,
        sample: wire::maybe_of(bid.sample.as_ref(), sample)?,
        regions: bid.regions.iter().cloned().collect(),
        expires_at: wire::read_time(bid.expire_time.as_ref()?)?,
        received_at: wire::read_time(bid.receive_time.as_ref()?)?,
    })
}

fn read_standing(trust: &Trust) -> Option<(ProviderId, Standing)> {
    let standing = Standing {
        trust: Score::clamped(trust.score),
        tier: wire::read_tier(trust.tier())?,
    };
    Some((trust.provider_id.parse().ok()?, standing))
}
