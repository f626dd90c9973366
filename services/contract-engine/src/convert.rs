//! The wall between the wire and the domain: requests in, all faults at once, and resources out. Events have their own
//! file.

mod event;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    bid_evaluator::v1::{BidsEvaluated, EvaluatedBid, EvaluationStatus},
    common::v1::Event as Stored,
    contract_engine::v1 as pb,
};
use aex_store::{Failure, stored};
use aex_types::{BidId, ContractId, WorkId};
use prost::Message as _;

pub(crate) use self::event::fact;
use crate::domain::{
    contract::{Content, Contract, Delivery, Status, Terms},
    result::Offer,
    saga::{ATTEMPTS, RankedBid, Ranking},
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
            agent_id: wire::text(terms.agent_id),
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

fn proposed(id: &str, terms: &Terms) -> pb::ContractProposed {
    pb::ContractProposed {
        contract_id: id.to_owned(),
        work_id: terms.work_id.to_string(),
        bid_id: terms.bid_id.to_string(),
        bid_revision: terms.bid_revision,
        consumer_id: terms.consumer_id.to_string(),
        provider_id: terms.provider_id.to_string(),
        provider_tenant_id: terms.provider_tenant_id.to_string(),
        agent_id: wire::text(terms.agent_id),
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
        agent_id: wire::maybe(&payload.agent_id)?,
        category: payload.category.clone(),
        price: wire::read_money(payload.price.as_ref()?)?,
        endpoint: payload.endpoint.clone(),
        confirm_outcome: payload.confirm_outcome,
        review_time: wire::read_span(payload.review_time.as_ref()?)?,
        dispute_window: wire::maybe_of(payload.dispute_window.as_ref(), wire::read_span)?,
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

/// The work that an event of the evaluator wants awarded, and the bids that can be tried; `None` when it wants none.
pub(crate) fn to_be_awarded(stored: &Stored) -> Result<Option<(WorkId, Ranking)>, Failure> {
    let read = || {
        let payload: BidsEvaluated = stored::payload(stored)?;
        if !payload.auto_award || payload.status() != EvaluationStatus::Evaluated {
            return Some(None);
        }
        Some(Some((payload.work_id.parse().ok()?, best(&payload)?)))
    };
    read().ok_or_else(|| stored::unreadable(stored))
}

/// The best bids of an evaluation, as many as an automatic award may try.
fn best(payload: &BidsEvaluated) -> Option<Ranking> {
    let bid = |bid: &EvaluatedBid| {
        Some(RankedBid {
            bid_id: bid.bid_id.parse().ok()?,
            provider_id: bid.provider_id.parse().ok()?,
            revision: bid.revision,
            price: wire::read_money(bid.price.as_ref()?)?,
            tier: wire::read_tier(bid.tier())?,
        })
    };
    let best = payload.ranked_bids.iter().take(ATTEMPTS).map(bid);
    Some(Ranking {
        ranked: best.collect::<Option<_>>()?,
        disqualified: Vec::new(),
    })
}
