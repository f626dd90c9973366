//! What contract-engine asks of others: one function for each question, and the only user of a link.
//!
//! A definite refusal becomes an error or an answer of our own. Everything else, a service that is away, slow or broken,
//! stays what it is, and the question is asked again.

mod answer;

use std::time::Duration;

use aex_error::{Unanswered, wire};
use aex_kit::{Call, Link, Mesh};
use aex_proto::aex::{
    bid_evaluator::v1::{self as evaluator, bid_evaluator_service_client::BidEvaluatorServiceClient},
    bid_gateway::v1::{self as gateway, bid_gateway_service_client::BidGatewayServiceClient},
    provider_registry::v1::{
        self as registry, provider_registry_service_client::ProviderRegistryServiceClient,
    },
    settlement::v1::{self as money, settlement_service_client::SettlementServiceClient},
    work_publisher::v1::{self as publisher, work_publisher_service_client::WorkPublisherServiceClient},
};
use aex_types::{AgentId, BidId, Money, ProviderId, TenantId, Tier, Timestamp, WorkId};
use bytes::Bytes;

use self::answer::asked;
pub(crate) use self::answer::{Answer, Refused};
use crate::{
    Error,
    domain::{
        contract::{Contract, VoidReason},
        saga::{RankedBid, Ranking},
    },
};

const PUBLISHER: &str = "work-publisher";
const GATEWAY: &str = "bid-gateway";
const EVALUATOR: &str = "bid-evaluator";
const REGISTRY: &str = "provider-registry";
const SETTLEMENT: &str = "settlement";

/// How long after the last moment of a contract its hold is overdue.
const OVERDUE: Duration = Duration::from_hours(1);
/// How long the consumer may review, and the provider may take, where the work does not say.
const REVIEW: Duration = Duration::from_hours(24);
const DURATION: Duration = Duration::from_hours(1);

/// The others.
#[derive(Debug)]
pub(crate) struct Peers {
    publisher: Link,
    gateway: Link,
    evaluator: Link,
    registry: Link,
    settlement: Link,
}

/// A work, as far as a contract needs it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) consumer_id: TenantId,
    pub(crate) category: String,
    pub(crate) max_price: Money,
    pub(crate) is_awardable: bool,
    pub(crate) confirm_outcome: bool,
    pub(crate) review_time: Duration,
    pub(crate) dispute_window: Option<Duration>,
    pub(crate) contract_duration: Duration,
    pub(crate) required_fields: Vec<String>,
    pub(crate) auto_award: bool,
}

/// A bid, as far as a contract needs it.
#[derive(Debug, Clone)]
pub(crate) struct Bid {
    pub(crate) provider_id: ProviderId,
    pub(crate) provider_tenant_id: TenantId,
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) price: Money,
    pub(crate) revision: u32,
    pub(crate) endpoint: String,
    pub(crate) expire_time: Timestamp,
}

/// A payload; without bytes where there is none, and where it has a location.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    pub(crate) media_type: String,
    pub(crate) sha256: Bytes,
    pub(crate) size: u64,
    pub(crate) location: String,
}

impl Peers {
    pub(crate) fn new(from: &'static str, mesh: &Mesh) -> Self {
        Self {
            publisher: mesh.link(from, PUBLISHER),
            gateway: mesh.link(from, GATEWAY),
            evaluator: mesh.link(from, EVALUATOR),
            registry: mesh.link(from, REGISTRY),
            settlement: mesh.link(from, SETTLEMENT),
        }
    }

    /// What is the work?
    pub(crate) async fn work(&self, call: &Call, id: WorkId) -> Result<Work, Error> {
        let work = self.get_work(call, id).await?;
        read_work(&work).ok_or_else(|| Unanswered::unreadable(PUBLISHER).into())
    }

    async fn get_work(&self, call: &Call, id: WorkId) -> Result<publisher::Work, Error> {
        let mut client = WorkPublisherServiceClient::new(self.publisher.on(call));
        let request = publisher::GetWorkRequest {
            work_id: id.to_string(),
        };
        let answer = asked(call, PUBLISHER, client.get_work(request)).await?;
        answer
            .or("WORK_NOT_FOUND", Error::WorkNotFound(id))?
            .work
            .ok_or_else(|| Unanswered::unreadable(PUBLISHER).into())
    }

    /// What is to be worked on? Where it is kept elsewhere the work says what it is, and there are no bytes.
    pub(crate) async fn payload(&self, call: &Call, contract: &Contract) -> Result<Payload, Error> {
        let id = contract.terms.work_id;
        let mut client = WorkPublisherServiceClient::new(self.publisher.on(call))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE);
        let request = publisher::GetWorkPayloadRequest {
            work_id: id.to_string(),
        };
        let (bytes, info) = match asked(call, PUBLISHER, client.get_work_payload(request)).await? {
            Answer::Refused(no) if no.is("PAYLOAD_ELSEWHERE") => {
                (Bytes::new(), self.get_work(call, id).await?.payload)
            }
            other => {
                let answer = other.or("WORK_NOT_FOUND", Error::WorkNotFound(id))?;
                (answer.payload, answer.info)
            }
        };
        let info = info.unwrap_or_default();
        Ok(Payload {
            bytes,
            media_type: info.content_type,
            sha256: info.sha256,
            size: info.size_bytes,
            location: info.location,
        })
    }

    /// What is the bid, and does it stand?
    pub(crate) async fn bid(&self, call: &Call, work: WorkId, id: BidId) -> Result<Bid, Error> {
        let mut client = BidGatewayServiceClient::new(self.gateway.on(call));
        let request = gateway::GetBidRequest {
            bid_id: id.to_string(),
        };
        let answer = asked(call, GATEWAY, client.get_bid(request)).await?;
        let answer = answer.or("BID_NOT_FOUND", Error::BidNotFound(id))?;
        let bid = answer.bid.ok_or_else(|| Unanswered::unreadable(GATEWAY))?;
        if bid.work_id != work.to_string() {
            return Err(Error::BidNotFound(id));
        }
        match bid.status() {
            gateway::BidStatus::Received | gateway::BidStatus::Ranked => {}
            gateway::BidStatus::Superseded => return Err(Error::BidChanged(id)),
            _ => return Err(Error::BidNotRanked(id)),
        }
        let bid = read_bid(&bid).ok_or_else(|| Unanswered::unreadable(GATEWAY))?;
        if bid.expire_time <= call.now() {
            return Err(Error::BidExpired(id));
        }
        Ok(bid)
    }

    /// How are the bids ranked? Closes the book where nobody has.
    pub(crate) async fn evaluate(
        &self,
        call: &Call,
        work: WorkId,
    ) -> Result<Answer<Ranking, VoidReason>, Error> {
        let mut client = BidEvaluatorServiceClient::new(self.evaluator.on(call))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE);
        let request = evaluator::EvaluateRequest {
            work_id: work.to_string(),
        };
        Ok(match asked(call, EVALUATOR, client.evaluate(request)).await? {
            Answer::Given(answer) => Answer::Given(read_ranking(answer.evaluation)?),
            Answer::Refused(no) if no.is("WORK_NOT_FOUND") => Answer::Refused(VoidReason::WorkNotFound),
            Answer::Refused(no) => {
                tracing::error!(%work, refusal = no.words(), "the bids cannot be ranked");
                Answer::Refused(VoidReason::WorkNotAwardable)
            }
        })
    }

    /// How were the bids ranked? `None` when they were not yet.
    pub(crate) async fn ranking(&self, call: &Call, work: WorkId) -> Result<Option<Ranking>, Error> {
        let mut client = BidEvaluatorServiceClient::new(self.evaluator.on(call))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE);
        let request = evaluator::GetEvaluationRequest {
            work_id: work.to_string(),
        };
        match asked(call, EVALUATOR, client.get_evaluation(request)).await? {
            Answer::Given(answer) => read_ranking(answer.evaluation).map(Some),
            Answer::Refused(no) if no.is("EVALUATION_NOT_FOUND") => Ok(None),
            Answer::Refused(no) => Err(no.into()),
        }
    }

    /// Who owns the provider, and is it active?
    pub(crate) async fn provider(&self, call: &Call, id: ProviderId) -> Result<(TenantId, bool), Error> {
        let mut client = ProviderRegistryServiceClient::new(self.registry.on(call));
        let request = registry::GetProviderRequest {
            provider_id: id.to_string(),
            ..Default::default()
        };
        let answer = asked(call, REGISTRY, client.get_provider(request)).await?;
        let answer = answer.or("PROVIDER_NOT_FOUND", Error::ProviderNotFound(id))?;
        let provider = answer.provider.ok_or_else(|| Unanswered::unreadable(REGISTRY))?;
        let tenant = provider
            .tenant_id
            .parse()
            .map_err(|_| Unanswered::unreadable(REGISTRY))?;
        Ok((tenant, provider.status() == registry::ProviderStatus::Active))
    }

    /// Takes the work for the contract.
    pub(crate) async fn reserve(
        &self,
        call: &Call,
        contract: &Contract,
    ) -> Result<Option<VoidReason>, Error> {
        let mut client = WorkPublisherServiceClient::new(self.publisher.on(call));
        let request = publisher::ReserveAwardRequest {
            work_id: contract.terms.work_id.to_string(),
            contract_id: contract.id.to_string(),
            consumer_id: contract.terms.consumer_id.to_string(),
        };
        Ok(
            match asked(call, PUBLISHER, client.reserve_award(request)).await? {
                Answer::Given(_) => None,
                Answer::Refused(no) if no.is("WORK_NOT_FOUND") => Some(VoidReason::WorkNotFound),
                Answer::Refused(no) => {
                    if !no.is("WORK_NOT_AWARDABLE") {
                        let refusal = no.words();
                        tracing::error!(contract = %contract.id, refusal, "the work cannot be taken");
                    }
                    Some(VoidReason::WorkNotAwardable)
                }
            },
        )
    }

    /// Tells the work that the contract stands. A work that is beyond that does not mind.
    pub(crate) async fn confirm(&self, call: &Call, contract: &Contract) -> Result<(), Error> {
        let mut client = WorkPublisherServiceClient::new(self.publisher.on(call));
        let request = publisher::ConfirmAwardRequest {
            work_id: contract.terms.work_id.to_string(),
            contract_id: contract.id.to_string(),
        };
        if let Answer::Refused(no) = asked(call, PUBLISHER, client.confirm_award(request)).await? {
            let refusal = no.words();
            tracing::error!(contract = %contract.id, refusal, "the work does not know its contract");
        }
        Ok(())
    }

    /// Gives the work back.
    pub(crate) async fn release_work(&self, call: &Call, contract: &Contract) -> Result<(), Error> {
        let mut client = WorkPublisherServiceClient::new(self.publisher.on(call));
        let request = publisher::ReleaseAwardRequest {
            work_id: contract.terms.work_id.to_string(),
            contract_id: contract.id.to_string(),
            reason: contract.reason.clone(),
            r#final: contract.is_final,
            sealed: contract.sealed,
        };
        match asked(call, PUBLISHER, client.release_award(request)).await? {
            Answer::Refused(no) if !no.is("WORK_NOT_FOUND") => {
                tracing::error!(contract = %contract.id, refusal = no.words(), "the work is not taken back");
            }
            Answer::Refused(_) | Answer::Given(_) => {}
        }
        Ok(())
    }

    /// Holds the price.
    pub(crate) async fn hold(
        &self,
        call: &Call,
        contract: &Contract,
        tier: Tier,
    ) -> Result<Option<VoidReason>, Error> {
        let terms = &contract.terms;
        let mut client = SettlementServiceClient::new(self.settlement.on(call));
        let deadline = terms
            .expire_time
            .saturating_add(terms.review_time)
            .saturating_add(OVERDUE);
        let request = money::PlaceHoldRequest {
            contract_id: contract.id.to_string(),
            consumer_id: terms.consumer_id.to_string(),
            provider_id: terms.provider_id.to_string(),
            provider_tenant_id: terms.provider_tenant_id.to_string(),
            amount: Some(wire::money(&terms.price)),
            tier: wire::tier(tier).into(),
            dispute_window: terms.dispute_window.map(wire::span),
            deadline: Some(wire::time(deadline)),
        };
        Ok(match asked(call, SETTLEMENT, client.place_hold(request)).await? {
            Answer::Given(_) => None,
            Answer::Refused(no) => Some(not_held(contract, &no)),
        })
    }

    /// Gives the money back, now or not before a moment. A definite refusal is told once: where contract and hold do not
    /// agree is what `aex fsck` finds, and to ask again would not change it.
    pub(crate) async fn release_money(
        &self,
        call: &Call,
        contract: &Contract,
        not_before: Option<Timestamp>,
    ) -> Result<(), Error> {
        let mut client = SettlementServiceClient::new(self.settlement.on(call));
        let request = money::ReleaseHoldRequest {
            contract_id: contract.id.to_string(),
            not_before: not_before.map(wire::time),
        };
        if let Answer::Refused(no) = asked(call, SETTLEMENT, client.release_hold(request)).await? {
            tracing::error!(contract = %contract.id, refusal = no.words(), "the money is not given back");
        }
        Ok(())
    }

    /// Pays the provider.
    pub(crate) async fn settle(&self, call: &Call, contract: &Contract) -> Result<Answer<()>, Error> {
        let mut client = SettlementServiceClient::new(self.settlement.on(call));
        let request = money::SettleContractRequest {
            contract_id: contract.id.to_string(),
            price: Some(wire::money(&contract.terms.price)),
        };
        Ok(
            match asked(call, SETTLEMENT, client.settle_contract(request)).await? {
                Answer::Given(_) => Answer::Given(()),
                Answer::Refused(no) => Answer::Refused(no),
            },
        )
    }
}

/// Why the price of a contract is not held.
fn not_held(contract: &Contract, no: &Refused) -> VoidReason {
    let terms = &contract.terms;
    match no.reason() {
        "INSUFFICIENT_FUNDS" | "RECEIVABLE_OPEN" | "TENANT_NOT_ACTIVE" => VoidReason::InsufficientFunds,
        "CURRENCY_UNSUPPORTED" => VoidReason::CurrencyUnsupported,
        "REQUEST_INVALID" if terms.consumer_id == terms.provider_tenant_id => VoidReason::SameTenant,
        _ => {
            tracing::error!(contract = %contract.id, refusal = no.words(), "the price is not held");
            VoidReason::HoldRefused
        }
    }
}

fn read_work(work: &publisher::Work) -> Option<Work> {
    use publisher::{VerificationMethod, WorkStatus};
    let span = |span: &Option<prost_types::Duration>| span.as_ref().and_then(wire::read_span);
    Some(Work {
        consumer_id: work.consumer_id.parse().ok()?,
        category: work.category.clone(),
        max_price: wire::read_money(work.max_price.as_ref()?)?,
        is_awardable: matches!(work.status(), WorkStatus::Open | WorkStatus::Evaluating),
        confirm_outcome: work.verification_method() != VerificationMethod::None,
        review_time: span(&work.review_time).unwrap_or(REVIEW),
        dispute_window: span(&work.dispute_window),
        contract_duration: span(&work.contract_duration).unwrap_or(DURATION),
        required_fields: work
            .constraints
            .as_ref()
            .map(|constraints| constraints.required_fields.clone())
            .unwrap_or_default(),
        auto_award: work.auto_award,
    })
}

fn read_bid(bid: &gateway::Bid) -> Option<Bid> {
    Some(Bid {
        provider_id: bid.provider_id.parse().ok()?,
        provider_tenant_id: bid.provider_tenant_id.parse().ok()?,
        agent_id: wire::maybe(&bid.agent_id)?,
        price: wire::read_money(bid.price.as_ref()?)?,
        revision: bid.revision,
        endpoint: bid.endpoint.clone(),
        expire_time: wire::read_time(bid.expire_time.as_ref()?)?,
    })
}

fn read_ranking(evaluation: Option<evaluator::Evaluation>) -> Result<Ranking, Error> {
    let read = |evaluation: evaluator::Evaluation| {
        let ranked = evaluation.ranked_bids.iter().map(|bid| {
            Some(RankedBid {
                bid_id: bid.bid_id.parse().ok()?,
                provider_id: bid.provider_id.parse().ok()?,
                revision: bid.revision,
                price: wire::read_money(bid.price.as_ref()?)?,
                tier: wire::read_tier(bid.tier())?,
            })
        });
        let disqualified = evaluation
            .disqualified_bids
            .iter()
            .map(|bid| Some((bid.bid_id.parse().ok()?, bid.provider_id.parse().ok()?)));
        Some(Ranking {
            ranked: ranked.collect::<Option<_>>()?,
            disqualified: disqualified.collect::<Option<_>>()?,
        })
    };
    evaluation
        .and_then(read)
        .ok_or_else(|| Unanswered::unreadable(EVALUATOR).into())
}
