//! The wall between the wire and the domain: requests in, all faults at once; resources and events out, and events in
//! again for replay.

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    bid_evaluator::v1::{BidsEvaluated, EvaluationStatus},
    common::v1::{Event as Stored, Tier as WireTier},
    contract_engine::v1 as pb,
};
use aex_store::{Fact, Failure};
use aex_types::{BidId, ContractId, Tier, Timestamp, WorkId};
use prost::Message as _;

use crate::domain::{
    contract::{Change, Content, Contract, Delivery, Event, FailReason, Party, Status, Terms, VoidReason},
    result::Offer,
};

/// Awards a work to a bid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Award {
    pub(crate) work_id: WorkId,
    pub(crate) bid_id: BidId,
}

impl TryFrom<&pb::AwardContractRequest> for Award {
    type Error = Invalid;

    fn try_from(request: &pb::AwardContractRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let work_id = check.parse("work_id", &request.work_id);
        let bid_id = check.parse("bid_id", &request.bid_id);
        check.finish(|| {
            Some(Self {
                work_id: work_id?,
                bid_id: bid_id?,
            })
        })
    }
}

/// The contract that a request names, when nothing else of it needs reading.
pub(crate) fn contract_id(request: &impl aex_proto::Rules, named: &str) -> Result<ContractId, Invalid> {
    let mut check = Check::of(request);
    let id = check.parse("contract_id", named);
    check.finish(|| id)
}

/// A contract and a text about it.
pub(crate) fn with_text<const MAX: usize>(
    request: &impl aex_proto::Rules,
    named: &str,
    (field, text): (&str, &str),
) -> Result<(ContractId, aex_types::Text<MAX>), Invalid> {
    let mut check = Check::of(request);
    let id = check.parse("contract_id", named);
    let text = check.parse(field, text);
    check.finish(|| Some((id?, text?)))
}

/// What a provider delivers.
pub(crate) fn offer(request: &pb::CompleteContractRequest) -> Result<(ContractId, Offer), Invalid> {
    let mut check = Check::of(request);
    let id = check.parse("contract_id", &request.contract_id);
    let sha256 = if request.result_sha256.is_empty() {
        None
    } else {
        let read: Result<[u8; 32], _> = request.result_sha256.as_ref().try_into();
        if read.is_err() {
            check.note("result_sha256", "must have 32 bytes");
        }
        read.ok()
    };
    let offer = Offer {
        summary: request.summary.clone(),
        bytes: request.result.clone(),
        media_type: request.result_content_type.clone(),
        location: (!request.result_location.is_empty()).then(|| request.result_location.clone()),
        sha256,
        size: request.result_size_bytes,
    };
    check.finish(|| Some((id?, offer)))
}

/// The status that a list asks for; `None` means all.
pub(crate) fn wanted(status: pb::ContractStatus) -> Option<Status> {
    STATUSES
        .into_iter()
        .find(|(_, wire)| *wire == status)
        .map(|(status, _)| status)
}

const STATUSES: [(Status, pb::ContractStatus); 9] = [
    (Status::Proposed, pb::ContractStatus::Proposed),
    (Status::Awarded, pb::ContractStatus::Awarded),
    (Status::Void, pb::ContractStatus::Void),
    (Status::Executing, pb::ContractStatus::Executing),
    (
        Status::VerificationPending,
        pb::ContractStatus::VerificationPending,
    ),
    (Status::Completed, pb::ContractStatus::Completed),
    (Status::Settled, pb::ContractStatus::Settled),
    (Status::Failed, pb::ContractStatus::Failed),
    (Status::Expired, pb::ContractStatus::Expired),
];

impl From<Status> for pb::ContractStatus {
    fn from(status: Status) -> Self {
        let known = STATUSES.into_iter().find(|(one, _)| *one == status);
        known.map_or(Self::Unspecified, |(_, wire)| wire)
    }
}

impl From<&Delivery> for pb::Result {
    fn from(delivery: &Delivery) -> Self {
        let summary = delivery.summary.clone();
        match &delivery.content {
            None => Self {
                summary,
                ..Self::default()
            },
            Some(content) => Self {
                summary,
                content_type: content.media_type.clone(),
                size_bytes: content.size,
                sha256: content.sha256.to_vec().into(),
                location: content.location.clone().unwrap_or_default(),
            },
        }
    }
}

/// A result read back; `None` when it is damaged.
pub(crate) fn delivery(result: &pb::Result) -> Option<Delivery> {
    let content = if result.sha256.is_empty() {
        None
    } else {
        Some(Content {
            media_type: result.content_type.clone(),
            size: result.size_bytes,
            sha256: result.sha256.as_ref().try_into().ok()?,
            location: (!result.location.is_empty()).then(|| result.location.clone()),
        })
    };
    Some(Delivery {
        summary: result.summary.clone(),
        content,
    })
}

/// A result as its column has it.
pub(crate) fn delivery_bytes(result: &Delivery) -> Vec<u8> {
    pb::Result::from(result).encode_to_vec()
}

/// A result from its column.
pub(crate) fn delivery_from(bytes: &[u8]) -> Option<Delivery> {
    delivery(&pb::Result::decode(bytes).ok()?)
}

impl From<&Contract> for pb::Contract {
    fn from(contract: &Contract) -> Self {
        let terms = &contract.terms;
        Self {
            contract_id: contract.id.to_string(),
            work_id: terms.work_id.to_string(),
            bid_id: terms.bid_id.to_string(),
            consumer_id: terms.consumer_id.to_string(),
            provider_id: terms.provider_id.to_string(),
            provider_tenant_id: terms.provider_tenant_id.to_string(),
            agent_id: text(terms.agent_id),
            category: terms.category.clone(),
            price: Some(wire::money(&terms.price)),
            endpoint: terms.endpoint.clone(),
            status: pb::ContractStatus::from(contract.status).into(),
            status_reason: contract.reason.clone(),
            message: contract.message.clone(),
            progress_percent: contract.progress,
            result: contract.result.as_ref().map(Into::into),
            confirm_outcome: terms.confirm_outcome,
            expire_time: Some(wire::time(terms.expire_time)),
            review_deadline: contract.review_deadline.map(wire::time),
            create_time: Some(wire::time(contract.create_time)),
            award_time: contract.award_time.map(wire::time),
            start_time: contract.start_time.map(wire::time),
            deliver_time: contract.deliver_time.map(wire::time),
            end_time: contract.end_time.map(wire::time),
            settle_time: contract.settle_time.map(wire::time),
            update_time: Some(wire::time(contract.update_time)),
        }
    }
}

/// What a watcher of one contract is told.
pub(crate) fn told_of_one(contract: &Contract) -> pb::WatchContractResponse {
    pb::WatchContractResponse {
        contract: Some(contract.into()),
        resume_token: 0,
    }
}

/// What a watcher of all contracts is told.
pub(crate) fn told_of_all(contract: &Contract) -> pb::WatchContractsResponse {
    pb::WatchContractsResponse {
        contract: Some(contract.into()),
        resume_token: 0,
    }
}

fn text<T: std::fmt::Display>(id: Option<T>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

const TIERS: [(Tier, WireTier); 5] = [
    (Tier::Unverified, WireTier::Unverified),
    (Tier::Verified, WireTier::Verified),
    (Tier::Trusted, WireTier::Trusted),
    (Tier::Preferred, WireTier::Preferred),
    (Tier::Internal, WireTier::Internal),
];

/// A tier, for the wire.
pub(crate) fn tier_out(tier: Tier) -> WireTier {
    let known = TIERS.into_iter().find(|(one, _)| *one == tier);
    known.map_or(WireTier::Unspecified, |(_, wire)| wire)
}

/// A tier from the wire.
pub(crate) fn tier(wire: WireTier) -> Option<Tier> {
    TIERS
        .into_iter()
        .find(|(_, one)| *one == wire)
        .map(|(tier, _)| tier)
}

fn proposed(id: &str, terms: &Terms) -> pb::ContractProposed {
    pb::ContractProposed {
        contract_id: id.to_owned(),
        work_id: terms.work_id.to_string(),
        bid_id: terms.bid_id.to_string(),
        bid_revision: terms.bid_revision,
        consumer_id: terms.consumer_id.to_string(),
        provider_id: terms.provider_id.to_string(),
        provider_tenant_id: terms.provider_tenant_id.to_string(),
        agent_id: text(terms.agent_id),
        category: terms.category.clone(),
        price: Some(wire::money(&terms.price)),
        endpoint: terms.endpoint.clone(),
        confirm_outcome: terms.confirm_outcome,
        review_time: Some(wire::span(terms.review_time)),
        dispute_window: terms.dispute_window.map(wire::span),
        required_fields: terms.required_fields.clone(),
        expire_time: Some(wire::time(terms.expire_time)),
        auto_award: terms.attempt.is_some(),
        attempt: terms.attempt.unwrap_or_default(),
        bid_expire_time: Some(wire::time(terms.bid_expire_time)),
        work_auto_award: terms.work_auto_award,
    }
}

fn terms(payload: &pb::ContractProposed) -> Option<Terms> {
    Some(Terms {
        work_id: payload.work_id.parse().ok()?,
        bid_id: payload.bid_id.parse().ok()?,
        bid_revision: payload.bid_revision,
        bid_expire_time: wire::read_time(payload.bid_expire_time.as_ref()?)?,
        consumer_id: payload.consumer_id.parse().ok()?,
        provider_id: payload.provider_id.parse().ok()?,
        provider_tenant_id: payload.provider_tenant_id.parse().ok()?,
        agent_id: match payload.agent_id.as_str() {
            "" => None,
            agent => Some(agent.parse().ok()?),
        },
        category: payload.category.clone(),
        price: wire::read_money(payload.price.as_ref()?)?,
        endpoint: payload.endpoint.clone(),
        confirm_outcome: payload.confirm_outcome,
        review_time: wire::read_span(payload.review_time.as_ref()?)?,
        dispute_window: match &payload.dispute_window {
            None => None,
            Some(window) => Some(wire::read_span(window)?),
        },
        required_fields: payload.required_fields.clone(),
        expire_time: wire::read_time(payload.expire_time.as_ref()?)?,
        attempt: payload.auto_award.then_some(payload.attempt),
        work_auto_award: payload.work_auto_award,
    })
}

/// Terms as their column has them.
pub(crate) fn terms_bytes(terms: &Terms) -> Vec<u8> {
    proposed("", terms).encode_to_vec()
}

/// Terms from their column.
pub(crate) fn terms_from(bytes: &[u8]) -> Option<Terms> {
    terms(&pb::ContractProposed::decode(bytes).ok()?)
}

const fn party_out(party: Option<Party>) -> pb::Party {
    match party {
        None => pb::Party::Unspecified,
        Some(Party::Consumer) => pb::Party::Consumer,
        Some(Party::Provider) => pb::Party::Provider,
    }
}

const fn party(wire: pb::Party) -> Option<Party> {
    match wire {
        pb::Party::Unspecified => None,
        pb::Party::Consumer => Some(Party::Consumer),
        pb::Party::Provider => Some(Party::Provider),
    }
}

/// An event of a contract, for the ledger. The terms stand in the state, which the event has been folded into.
#[expect(clippy::too_many_lines, reason = "one arm for each event")]
pub(crate) fn fact(event: &Event, after: &Contract) -> Fact {
    let terms = &after.terms;
    let known = Known::of(after);
    let fact = match &event.change {
        Change::Proposed(terms) => made(event, "contract.proposed", &proposed(&known.contract_id, terms)),
        Change::Awarded { tier } => made(event, "contract.awarded", &known.awarded(terms, *tier)),
        Change::Void {
            reason,
            sealed,
            is_final,
        } => made(
            event,
            "contract.void",
            &pb::ContractVoid {
                contract_id: known.contract_id,
                work_id: known.work_id,
                bid_id: terms.bid_id.to_string(),
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                reason: reason.as_str().to_owned(),
                sealed: *sealed,
                r#final: *is_final,
            },
        ),
        Change::Executing => made(
            event,
            "contract.executing",
            &pb::ContractExecuting {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                agent_id: known.agent_id,
            },
        ),
        Change::Progress { percent, message } => made(
            event,
            "contract.progress",
            &pb::ContractProgress {
                contract_id: known.contract_id,
                work_id: known.work_id,
                provider_id: known.provider_id,
                percent: *percent,
                message: message.clone(),
            },
        ),
        Change::Delivered {
            result,
            review_deadline,
        } => made(
            event,
            "contract.delivered",
            &pb::ContractDelivered {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                agent_id: known.agent_id,
                result: Some(result.into()),
                review_deadline: Some(wire::time(*review_deadline)),
            },
        ),
        Change::Completed { by, .. } => made(event, "contract.completed", &known.completed(after, *by)),
        Change::Paid => made(
            event,
            "contract.paid",
            &pb::ContractPaid {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                price: Some(wire::money(&terms.price)),
            },
        ),
        Change::Failed {
            reason,
            message,
            release_not_before,
        } => made(
            event,
            "contract.failed",
            &pb::ContractFailed {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                provider_tenant_id: known.provider_tenant_id,
                agent_id: known.agent_id,
                category: terms.category.clone(),
                price: Some(wire::money(&terms.price)),
                reason: reason.as_str().to_owned(),
                message: message.clone(),
                failed_by: party_out(Some(reason.said_by())).into(),
                fault: party_out(Some(reason.fault())).into(),
                release_not_before: release_not_before.map(wire::time),
            },
        ),
        Change::Expired => made(
            event,
            "contract.expired",
            &pb::ContractExpired {
                contract_id: known.contract_id,
                work_id: known.work_id,
                consumer_id: known.consumer_id,
                provider_id: known.provider_id,
                provider_tenant_id: known.provider_tenant_id,
                agent_id: known.agent_id,
                category: terms.category.clone(),
                price: Some(wire::money(&terms.price)),
            },
        ),
    };
    match &event.change {
        // Of an award that is not decided, or came to nothing, the provider does not learn.
        Change::Proposed(_) | Change::Void { .. } => fact.visible_to([terms.consumer_id]),
        _ if terms.consumer_id == terms.provider_tenant_id => fact.visible_to([terms.consumer_id]),
        _ => fact.visible_to([terms.consumer_id, terms.provider_tenant_id]),
    }
}

fn made<P: prost::Message + prost::Name>(event: &Event, kind: &str, payload: &P) -> Fact {
    Fact::new(kind, event.contract_id, event.version, event.time, payload)
}

/// What nearly every event of a contract says.
#[expect(clippy::struct_field_names, reason = "as the fields of the events")]
struct Known {
    contract_id: String,
    work_id: String,
    consumer_id: String,
    provider_id: String,
    provider_tenant_id: String,
    agent_id: String,
}

impl Known {
    fn of(contract: &Contract) -> Self {
        let terms = &contract.terms;
        Self {
            contract_id: contract.id.to_string(),
            work_id: terms.work_id.to_string(),
            consumer_id: terms.consumer_id.to_string(),
            provider_id: terms.provider_id.to_string(),
            provider_tenant_id: terms.provider_tenant_id.to_string(),
            agent_id: text(terms.agent_id),
        }
    }

    fn awarded(self, terms: &Terms, tier: Tier) -> pb::ContractAwarded {
        pb::ContractAwarded {
            contract_id: self.contract_id,
            work_id: self.work_id,
            bid_id: terms.bid_id.to_string(),
            consumer_id: self.consumer_id,
            provider_id: self.provider_id,
            provider_tenant_id: self.provider_tenant_id,
            agent_id: self.agent_id,
            category: terms.category.clone(),
            price: Some(wire::money(&terms.price)),
            endpoint: terms.endpoint.clone(),
            tier: tier_out(tier).into(),
            expire_time: Some(wire::time(terms.expire_time)),
        }
    }

    fn completed(self, contract: &Contract, by: Option<Party>) -> pb::ContractCompleted {
        let terms = &contract.terms;
        pb::ContractCompleted {
            contract_id: self.contract_id,
            work_id: self.work_id,
            consumer_id: self.consumer_id,
            provider_id: self.provider_id,
            provider_tenant_id: self.provider_tenant_id,
            agent_id: self.agent_id,
            category: terms.category.clone(),
            price: Some(wire::money(&terms.price)),
            result: contract.result.as_ref().map(Into::into),
            accepted_by: party_out(by).into(),
            start_time: contract.start_time.or(contract.award_time).map(wire::time),
            deliver_time: contract.deliver_time.map(wire::time),
        }
    }
}

/// The work that an event of the evaluator wants awarded; `None` when it wants none.
pub(crate) fn to_be_awarded(stored: &Stored) -> Result<Option<WorkId>, Failure> {
    let broken = || Failure::corrupt(format!("event {} cannot be read", stored.event_id));
    let payload = BidsEvaluated::decode(stored.payload.clone()).map_err(|_| broken())?;
    let is_wanted = payload.auto_award && payload.status() == EvaluationStatus::Evaluated;
    let work_id = payload.work_id.parse().map_err(|_| broken())?;
    Ok(is_wanted.then_some(work_id))
}

impl TryFrom<&Stored> for Event {
    type Error = Failure;

    fn try_from(stored: &Stored) -> Result<Self, Failure> {
        let read = || {
            Some(Self {
                contract_id: stored.aggregate_id.parse().ok()?,
                version: stored.aggregate_version,
                time: wire::read_time(stored.occur_time.as_ref()?)?,
                change: change(stored)?,
            })
        };
        read().ok_or_else(|| {
            Failure::corrupt(format!(
                "event {} of type {} cannot be read",
                stored.event_id, stored.r#type
            ))
        })
    }
}

fn change(stored: &Stored) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "contract.proposed" => Change::Proposed(Box::new(terms(&payload(stored)?)?)),
        "contract.awarded" => Change::Awarded {
            tier: tier(payload::<pb::ContractAwarded>(stored)?.tier())?,
        },
        "contract.void" => {
            let payload: pb::ContractVoid = payload(stored)?;
            Change::Void {
                reason: payload.reason.parse::<VoidReason>().ok()?,
                sealed: payload.sealed,
                is_final: payload.r#final,
            }
        }
        "contract.executing" => Change::Executing,
        "contract.progress" => {
            let payload: pb::ContractProgress = payload(stored)?;
            Change::Progress {
                percent: payload.percent,
                message: payload.message,
            }
        }
        "contract.delivered" => {
            let payload: pb::ContractDelivered = payload(stored)?;
            Change::Delivered {
                result: delivery(payload.result.as_ref()?)?,
                review_deadline: wire::read_time(payload.review_deadline.as_ref()?)?,
            }
        }
        "contract.completed" => {
            let payload: pb::ContractCompleted = payload(stored)?;
            let by = party(payload.accepted_by());
            // Only the provider's own word completes what was not delivered before.
            let result = match by {
                Some(Party::Provider) => Some(delivery(payload.result.as_ref()?)?),
                _ => None,
            };
            Change::Completed { by, result }
        }
        "contract.paid" => Change::Paid,
        "contract.failed" => {
            let payload: pb::ContractFailed = payload(stored)?;
            Change::Failed {
                reason: payload.reason.parse::<FailReason>().ok()?,
                release_not_before: match &payload.release_not_before {
                    None => None,
                    Some(time) => Some(wire::read_time(time)?),
                },
                message: payload.message,
            }
        }
        "contract.expired" => Change::Expired,
        _ => return None,
    })
}

fn payload<P: prost::Message + Default>(stored: &Stored) -> Option<P> {
    P::decode(stored.payload.clone()).ok()
}

/// When a token or a hold ends, for the wire.
pub(crate) fn time(time: Timestamp) -> prost_types::Timestamp {
    wire::time(time)
}
