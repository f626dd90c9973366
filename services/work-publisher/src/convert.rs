//! The wall between the wire and the domain: requests in, all faults at once, and works out. Events have their own
//! files: those of works, out and in again, and those of other services.

mod event;
mod heard;

use std::time::Duration;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    common::v1::Tier as WireTier,
    work_publisher::v1::{self as pb, BidStrategy, VerificationMethod, WorkStatus, WorkUpdateKind as Kind},
};
use aex_types::{ContractId, Timestamp};

pub(crate) use self::{
    event::replayed,
    heard::{KNOWN, heard},
};
use crate::{
    config::WorkTimes,
    domain::{
        payload::{self, Hash, Payload},
        terms::{Constraints, Strategy, Terms, Verification},
        work::{self, Change, Status, Work},
    },
};

/// How long bids are taken where the consumer does not say.
const BID_WINDOW: Duration = Duration::from_secs(30);
/// How long the consumer may take to accept or reject where it does not say.
const REVIEW_TIME: Duration = Duration::from_hours(24);
/// How long the provider may take where the consumer does not say.
const CONTRACT_DURATION: Duration = Duration::from_hours(1);

/// The terms of a work to publish, with every default written out.
pub(crate) fn terms(request: &pb::PublishWorkRequest, times: &WorkTimes) -> Result<Terms, Invalid> {
    let mut check = Check::of(request);
    let category = check.parse("category", &request.category);
    let description = check.parse("description", &request.description);
    let max_price = check.money("max_price", request.max_price.as_ref());
    if max_price.is_some_and(|price| price.amount.is_zero()) {
        check.note("max_price.amount", "must be more than 0");
    }
    let bid_strategy = check
        .choice("bid_strategy", request.bid_strategy)
        .map(strategy_or_default);
    let verification = check
        .choice("verification_method", request.verification_method)
        .map(verification_or_default);
    let constraints = constraints_in(&mut check, request.constraints.as_ref());
    let payload = payload_in(&mut check, request);
    let mut span = |field: &str, given: Option<&prost_types::Duration>, default: Duration| {
        let span = check.maybe_span(field, given)?;
        Some(span.map_or(default, whole_millis))
    };
    let bid_window = span("bid_window", request.bid_window.as_ref(), BID_WINDOW);
    let review_time = span("review_time", request.review_time.as_ref(), REVIEW_TIME);
    let dispute_window = span(
        "dispute_window",
        request.dispute_window.as_ref(),
        times.dispute_window(),
    );
    let contract_duration = span(
        "contract_duration",
        request.contract_duration.as_ref(),
        CONTRACT_DURATION,
    );
    check.finish(|| {
        Some(Terms {
            category: category?,
            description: description?,
            max_price: max_price?,
            bid_strategy: bid_strategy?,
            constraints: constraints?,
            payload: payload?,
            payload_preview: payload::preview(&request.payload, &request.payload_content_type),
            auto_award: request.auto_award,
            verification: verification?,
            review_time: review_time?,
            dispute_window: dispute_window?,
            contract_duration: contract_duration?,
            bid_window: bid_window?,
        })
    })
}

/// Spans are kept to the millisecond.
fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(span.as_millis().try_into().unwrap_or(u64::MAX))
}

fn constraints_in(check: &mut Check, given: Option<&pb::Constraints>) -> Option<Constraints> {
    let Some(given) = given else {
        return Some(Constraints::default());
    };
    let max_latency = check.maybe_span("constraints.max_latency", given.max_latency.as_ref());
    let tier = check.choice("constraints.min_trust_tier", given.min_trust_tier);
    Some(Constraints {
        max_latency_ms: max_latency?.map(|span| span.as_millis().try_into().unwrap_or(u64::MAX)),
        required_fields: given.required_fields.clone(),
        min_trust_tier: wire::read_tier(tier?),
        internal_only: given.internal_only,
        regions: given.regions.clone(),
    })
}

/// The payload, inline or elsewhere, never both; the outer `None` says that it is unusable.
#[expect(clippy::option_option, reason = "absent and unusable are two things")]
fn payload_in(check: &mut Check, request: &pb::PublishWorkRequest) -> Option<Option<Payload>> {
    let is_inline = !request.payload.is_empty();
    let is_elsewhere = !request.payload_location.is_empty();
    if is_inline && is_elsewhere {
        check.note("payload_location", "must be empty where the payload is given");
    }
    if is_inline && request.payload_content_type.is_empty() {
        check.note("payload_content_type", "must be given with a payload");
    }
    if !is_inline && !is_elsewhere && !request.payload_content_type.is_empty() {
        check.note("payload_content_type", "must be empty without a payload");
    }
    if is_elsewhere && !request.payload_location.starts_with("https://") {
        check.note("payload_location", "must be an https URL");
    }
    let sha256 = Hash::try_from(request.payload_sha256.as_ref()).ok();
    if is_elsewhere && sha256.is_none() {
        check.note("payload_sha256", "must have 32 bytes");
    }
    if is_elsewhere && request.payload_size_bytes == 0 {
        check.note("payload_size_bytes", "must be given with a location");
    }
    if !is_elsewhere && !request.payload_sha256.is_empty() {
        check.note("payload_sha256", "must be empty without a location");
    }
    if !is_elsewhere && request.payload_size_bytes != 0 {
        check.note("payload_size_bytes", "must be 0 without a location");
    }
    if is_inline {
        return Some(Some(Payload::of(&request.payload, &request.payload_content_type)));
    }
    if !is_elsewhere {
        return Some(None);
    }
    Some(Some(Payload {
        content_type: request.payload_content_type.clone(),
        size: request.payload_size_bytes,
        sha256: sha256?,
        location: Some(request.payload_location.clone()),
    }))
}

impl TryFrom<&pb::ReleaseAwardRequest> for work::Release {
    type Error = Invalid;

    fn try_from(request: &pb::ReleaseAwardRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let work_id = check.parse("work_id", &request.work_id);
        let contract_id = check.parse("contract_id", &request.contract_id);
        check.finish(|| {
            Some(Self {
                work_id: work_id?,
                contract_id: contract_id?,
                reason: request.reason.clone(),
                is_final: request.r#final,
                is_sealed: request.sealed,
            })
        })
    }
}

const fn strategy_or_default(wire: BidStrategy) -> Strategy {
    match wire {
        BidStrategy::LowestPrice => Strategy::LowestPrice,
        BidStrategy::BestQuality => Strategy::BestQuality,
        BidStrategy::Balanced | BidStrategy::Unspecified => Strategy::Balanced,
    }
}

const fn strategy_out(strategy: Strategy) -> BidStrategy {
    match strategy {
        Strategy::LowestPrice => BidStrategy::LowestPrice,
        Strategy::BestQuality => BidStrategy::BestQuality,
        Strategy::Balanced => BidStrategy::Balanced,
    }
}

const fn verification_or_default(wire: VerificationMethod) -> Verification {
    match wire {
        VerificationMethod::ConsumerConfirm | VerificationMethod::Unspecified => {
            Verification::ConsumerConfirm
        }
        VerificationMethod::None => Verification::None,
    }
}

const fn verification_out(verification: Verification) -> VerificationMethod {
    match verification {
        Verification::ConsumerConfirm => VerificationMethod::ConsumerConfirm,
        Verification::None => VerificationMethod::None,
    }
}

const fn status_out(status: Status) -> WorkStatus {
    match status {
        Status::Open => WorkStatus::Open,
        Status::Evaluating => WorkStatus::Evaluating,
        Status::Awarding => WorkStatus::Awarding,
        Status::Awarded => WorkStatus::Awarded,
        Status::Executing => WorkStatus::Executing,
        Status::Completed => WorkStatus::Completed,
        Status::Failed => WorkStatus::Failed,
        Status::Cancelled => WorkStatus::Cancelled,
    }
}

fn constraints_out(constraints: &Constraints) -> Option<pb::Constraints> {
    (*constraints != Constraints::default()).then(|| pb::Constraints {
        max_latency: constraints
            .max_latency_ms
            .map(|millis| wire::span(Duration::from_millis(millis))),
        required_fields: constraints.required_fields.clone(),
        min_trust_tier: constraints
            .min_trust_tier
            .map_or(WireTier::Unspecified, wire::tier)
            .into(),
        internal_only: constraints.internal_only,
        regions: constraints.regions.clone(),
    })
}

/// What is known of a payload, for the wire.
pub(crate) fn payload_out(payload: &Payload) -> pb::PayloadInfo {
    pb::PayloadInfo {
        content_type: payload.content_type.clone(),
        size_bytes: payload.size,
        sha256: payload.sha256.to_vec().into(),
        location: payload.location.clone().unwrap_or_default(),
    }
}

impl From<Work> for pb::Work {
    fn from(work: Work) -> Self {
        let contract_id = work.contract_id.filter(|_| work.award_time.is_some());
        let terms = work.terms;
        Self {
            work_id: work.id.to_string(),
            consumer_id: work.consumer_id.to_string(),
            category: terms.category.into(),
            description: terms.description.into(),
            max_price: Some(wire::money(&terms.max_price)),
            bid_strategy: strategy_out(terms.bid_strategy).into(),
            constraints: constraints_out(&terms.constraints),
            payload: terms.payload.as_ref().map(payload_out),
            payload_preview: terms.payload_preview,
            auto_award: terms.auto_award,
            verification_method: verification_out(terms.verification).into(),
            review_time: Some(wire::span(terms.review_time)),
            dispute_window: Some(wire::span(terms.dispute_window)),
            contract_duration: Some(wire::span(terms.contract_duration)),
            internal: work.internal,
            status: status_out(work.status).into(),
            status_reason: work.status_reason,
            providers_notified: work.providers_notified,
            bids_received: work.bids_received,
            contract_id: wire::text(contract_id),
            create_time: Some(wire::time(work.create_time)),
            close_time: Some(wire::time(work.close_time)),
            award_time: work.award_time.map(wire::time),
            end_time: work.end_time.map(wire::time),
            update_time: Some(wire::time(work.update_time)),
        }
    }
}

/// What the watchers of a work are told of an event; `None` when it is nothing to them.
pub(crate) fn update(event: &work::Event, status: Status) -> Option<pb::WatchWorkResponse> {
    let told = |kind: Kind| pb::WatchWorkResponse {
        kind: kind.into(),
        status: status_out(status).into(),
        time: Some(wire::time(event.time)),
        ..Default::default()
    };
    let of_contract = |kind: Kind, contract_id: &ContractId| pb::WatchWorkResponse {
        contract_id: contract_id.to_string(),
        ..told(kind)
    };
    Some(match &event.change {
        Change::Submitted { .. } => told(Kind::Published),
        Change::Offered { .. } | Change::AwardReserved { .. } | Change::AwardBarred { .. } => return None,
        Change::BidReceived { bid_id, price, .. } => pb::WatchWorkResponse {
            bid_id: bid_id.to_string(),
            price: Some(wire::money(price)),
            ..told(Kind::BidReceived)
        },
        Change::BidWithdrawn { bid_id, .. } => pb::WatchWorkResponse {
            bid_id: bid_id.to_string(),
            ..told(Kind::BidWithdrawn)
        },
        Change::WindowClosed { .. } => told(Kind::Closed),
        Change::Evaluated { winning_bid_id, .. } => pb::WatchWorkResponse {
            bid_id: wire::text(*winning_bid_id),
            ..told(Kind::Evaluated)
        },
        Change::AwardReleased {
            contract_id, reason, ..
        } => pb::WatchWorkResponse {
            reason: reason.clone(),
            ..of_contract(Kind::Reopened, contract_id)
        },
        Change::Awarded { contract_id } => of_contract(Kind::Awarded, contract_id),
        Change::Executing { contract_id } => of_contract(Kind::Executing, contract_id),
        Change::Completed { contract_id } => of_contract(Kind::Completed, contract_id),
        Change::Failed { contract_id, reason } => pb::WatchWorkResponse {
            contract_id: wire::text(*contract_id),
            reason: reason.clone(),
            ..told(Kind::Failed)
        },
        Change::Cancelled { reason, .. } => pb::WatchWorkResponse {
            reason: reason.clone(),
            ..told(Kind::Cancelled)
        },
    })
}

/// The notice that bidding is about to end.
pub(crate) fn closing(now: Timestamp) -> pb::WatchWorkResponse {
    pb::WatchWorkResponse {
        kind: Kind::Closing.into(),
        status: WorkStatus::Open.into(),
        time: Some(wire::time(now)),
        ..Default::default()
    }
}
