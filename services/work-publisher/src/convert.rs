//! The wall between the wire and the domain: requests in, all faults at once; works and events out, and events in
//! again, for replay and from other services.

use std::time::Duration;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    bid_evaluator::v1::BidsEvaluated,
    bid_gateway::v1::{BidSubmitted, BidWithdrawn},
    common::v1::{Event as Stored, Tier as WireTier},
    contract_engine::v1 as contract,
    provider_registry::v1::OpportunityOpened,
    work_publisher::v1::{self as pb, BidStrategy, VerificationMethod, WorkStatus, WorkUpdateKind as Kind},
};
use aex_store::{Fact, Failure};
use aex_types::{ContractId, Timestamp, WorkId};

use crate::{
    config::WorkTimes,
    domain::{
        payload::{self, Hash, Payload},
        terms::{Constraints, Strategy, Terms, Tier, Verification},
        work::{self, Change, News, Outcome, Ranking, Status, Work},
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
        min_trust_tier: tier_in(tier?),
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

const fn tier_in(wire: WireTier) -> Option<Tier> {
    match wire {
        WireTier::Unspecified => None,
        WireTier::Unverified => Some(Tier::Unverified),
        WireTier::Verified => Some(Tier::Verified),
        WireTier::Trusted => Some(Tier::Trusted),
        WireTier::Preferred => Some(Tier::Preferred),
        WireTier::Internal => Some(Tier::Internal),
    }
}

const fn tier_out(tier: Option<Tier>) -> WireTier {
    match tier {
        None => WireTier::Unspecified,
        Some(Tier::Unverified) => WireTier::Unverified,
        Some(Tier::Verified) => WireTier::Verified,
        Some(Tier::Trusted) => WireTier::Trusted,
        Some(Tier::Preferred) => WireTier::Preferred,
        Some(Tier::Internal) => WireTier::Internal,
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
        min_trust_tier: tier_out(constraints.min_trust_tier).into(),
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
            contract_id: contract_id.map(|id| id.to_string()).unwrap_or_default(),
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
        Change::Offered { .. } | Change::AwardReserved { .. } => return None,
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
            bid_id: winning_bid_id.map(|id| id.to_string()).unwrap_or_default(),
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
            contract_id: contract_id.map(|id| id.to_string()).unwrap_or_default(),
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

impl From<&work::Event> for Fact {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn from(event: &work::Event) -> Self {
        let work_id = event.work_id.to_string();
        let consumer_id = event.consumer_id.to_string();
        let fact = match event.change.clone() {
            Change::Submitted {
                terms,
                internal,
                close_time,
            } => fact(
                "work.submitted",
                event,
                &submitted_out(event, *terms, internal, close_time),
            ),
            Change::Offered { providers_notified } => fact(
                "work.offered",
                event,
                &pb::WorkOffered {
                    work_id,
                    providers_notified,
                },
            ),
            Change::BidReceived {
                bid_id,
                price,
                bids_received,
            } => fact(
                "work.bid_received",
                event,
                &pb::WorkBidReceived {
                    work_id,
                    bid_id: bid_id.to_string(),
                    price: Some(wire::money(&price)),
                    bids_received,
                },
            ),
            Change::BidWithdrawn {
                bid_id,
                bids_received,
            } => fact(
                "work.bid_withdrawn",
                event,
                &pb::WorkBidWithdrawn {
                    work_id,
                    bid_id: bid_id.to_string(),
                    bids_received,
                },
            ),
            Change::WindowClosed {
                bid_count,
                close_time,
                auto_award,
                award_deadline,
            } => fact(
                "work.bid_window_closed",
                event,
                &pb::WorkBidWindowClosed {
                    work_id,
                    consumer_id,
                    bid_count,
                    close_time: Some(wire::time(close_time)),
                    auto_award,
                    award_deadline: Some(wire::time(award_deadline)),
                },
            ),
            Change::Evaluated {
                evaluation_id,
                winning_bid_id,
                valid_bids,
            } => fact(
                "work.evaluated",
                event,
                &pb::WorkEvaluated {
                    work_id,
                    evaluation_id: evaluation_id.to_string(),
                    winning_bid_id: winning_bid_id.map(|id| id.to_string()).unwrap_or_default(),
                    valid_bids,
                },
            ),
            Change::AwardReleased {
                contract_id,
                reason,
                status,
            } => fact(
                "work.award_released",
                event,
                &pb::WorkAwardReleased {
                    work_id,
                    contract_id: contract_id.to_string(),
                    reason,
                    status: status_out(status).into(),
                },
            ),
            Change::Awarded { contract_id } => fact(
                "work.awarded",
                event,
                &pb::WorkAwarded {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Executing { contract_id } => fact(
                "work.executing",
                event,
                &pb::WorkExecuting {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Completed { contract_id } => fact(
                "work.completed",
                event,
                &pb::WorkCompleted {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::AwardReserved { contract_id } => fact(
                "work.award_reserved",
                event,
                &pb::WorkAwardReserved {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Failed { contract_id, reason } => fact(
                "work.failed",
                event,
                &pb::WorkFailed {
                    work_id,
                    consumer_id,
                    contract_id: contract_id.map(|id| id.to_string()).unwrap_or_default(),
                    reason,
                },
            ),
            Change::Cancelled {
                reason,
                max_price,
                internal,
                close_time,
            } => fact(
                "work.cancelled",
                event,
                &pb::WorkCancelled {
                    work_id,
                    consumer_id,
                    reason,
                    cancel_time: Some(wire::time(event.time)),
                    max_price: Some(wire::money(&max_price)),
                    internal,
                    close_time: Some(wire::time(close_time)),
                },
            ),
        };
        fact.visible_to([event.consumer_id])
    }
}

fn submitted_out(
    event: &work::Event,
    terms: Terms,
    internal: bool,
    close_time: Timestamp,
) -> pb::WorkSubmitted {
    pb::WorkSubmitted {
        work_id: event.work_id.to_string(),
        consumer_id: event.consumer_id.to_string(),
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
        internal,
        bid_window: Some(wire::span(terms.bid_window)),
        close_time: Some(wire::time(close_time)),
    }
}

fn fact<P: prost::Message + prost::Name>(kind: &str, event: &work::Event, payload: &P) -> Fact {
    Fact::new(kind, event.work_id, event.version, event.time, payload)
}

/// An event of work-publisher, as the ledger kept it.
pub(crate) fn replayed(stored: &Stored) -> Result<work::Event, Failure> {
    let read = || {
        Some(work::Event {
            work_id: stored.aggregate_id.parse().ok()?,
            // Every event of a work is its consumer's to see, and nobody else's.
            consumer_id: stored.visible_to.first()?.parse().ok()?,
            version: stored.aggregate_version,
            time: wire::read_time(stored.occur_time.as_ref()?)?,
            change: change(stored)?,
        })
    };
    read().ok_or_else(|| unreadable(stored))
}

fn unreadable(stored: &Stored) -> Failure {
    Failure::corrupt(format!(
        "event {} of type {} cannot be read",
        stored.event_id, stored.r#type
    ))
}

fn payload<P: prost::Message + Default>(stored: &Stored) -> Option<P> {
    P::decode(stored.payload.clone()).ok()
}

/// Empty means absent; the outer `None` says that it cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn maybe<T: std::str::FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() {
        Some(None)
    } else {
        text.parse().ok().map(Some)
    }
}

fn change(stored: &Stored) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "work.submitted" => submitted(&payload(stored)?)?,
        "work.offered" => Change::Offered {
            providers_notified: payload::<pb::WorkOffered>(stored)?.providers_notified,
        },
        "work.bid_received" => {
            let read: pb::WorkBidReceived = payload(stored)?;
            Change::BidReceived {
                bid_id: read.bid_id.parse().ok()?,
                price: wire::read_money(read.price.as_ref()?)?,
                bids_received: read.bids_received,
            }
        }
        "work.bid_withdrawn" => {
            let read: pb::WorkBidWithdrawn = payload(stored)?;
            Change::BidWithdrawn {
                bid_id: read.bid_id.parse().ok()?,
                bids_received: read.bids_received,
            }
        }
        "work.bid_window_closed" => {
            let read: pb::WorkBidWindowClosed = payload(stored)?;
            Change::WindowClosed {
                bid_count: read.bid_count,
                close_time: wire::read_time(read.close_time.as_ref()?)?,
                auto_award: read.auto_award,
                award_deadline: wire::read_time(read.award_deadline.as_ref()?)?,
            }
        }
        "work.evaluated" => {
            let read: pb::WorkEvaluated = payload(stored)?;
            Change::Evaluated {
                evaluation_id: read.evaluation_id.parse().ok()?,
                winning_bid_id: maybe(&read.winning_bid_id)?,
                valid_bids: read.valid_bids,
            }
        }
        "work.failed" => {
            let read: pb::WorkFailed = payload(stored)?;
            Change::Failed {
                contract_id: maybe(&read.contract_id)?,
                reason: read.reason,
            }
        }
        "work.cancelled" => {
            let read: pb::WorkCancelled = payload(stored)?;
            Change::Cancelled {
                max_price: wire::read_money(read.max_price.as_ref()?)?,
                internal: read.internal,
                close_time: wire::read_time(read.close_time.as_ref()?)?,
                reason: read.reason,
            }
        }
        _ => award_change(stored)?,
    })
}

fn award_change(stored: &Stored) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "work.award_reserved" => Change::AwardReserved {
            contract_id: payload::<pb::WorkAwardReserved>(stored)?
                .contract_id
                .parse()
                .ok()?,
        },
        "work.award_released" => {
            let read: pb::WorkAwardReleased = payload(stored)?;
            Change::AwardReleased {
                contract_id: read.contract_id.parse().ok()?,
                status: match read.status() {
                    WorkStatus::Open => Status::Open,
                    WorkStatus::Evaluating => Status::Evaluating,
                    _ => return None,
                },
                reason: read.reason,
            }
        }
        "work.awarded" => Change::Awarded {
            contract_id: payload::<pb::WorkAwarded>(stored)?.contract_id.parse().ok()?,
        },
        "work.executing" => Change::Executing {
            contract_id: payload::<pb::WorkExecuting>(stored)?.contract_id.parse().ok()?,
        },
        "work.completed" => Change::Completed {
            contract_id: payload::<pb::WorkCompleted>(stored)?.contract_id.parse().ok()?,
        },
        _ => return None,
    })
}

fn submitted(read: &pb::WorkSubmitted) -> Option<Change> {
    let span = |span: Option<&prost_types::Duration>| wire::read_span(span?);
    let constraints = match &read.constraints {
        None => Constraints::default(),
        Some(given) => Constraints {
            max_latency_ms: match &given.max_latency {
                None => None,
                Some(latency) => Some(wire::read_span(latency)?.as_millis().try_into().ok()?),
            },
            required_fields: given.required_fields.clone(),
            min_trust_tier: tier_in(given.min_trust_tier()),
            internal_only: given.internal_only,
            regions: given.regions.clone(),
        },
    };
    let payload = match &read.payload {
        None => None,
        Some(info) => Some(Payload {
            content_type: info.content_type.clone(),
            size: info.size_bytes,
            sha256: Hash::try_from(info.sha256.as_ref()).ok()?,
            location: maybe(&info.location)?,
        }),
    };
    Some(Change::Submitted {
        terms: Box::new(Terms {
            category: read.category.parse().ok()?,
            description: read.description.parse().ok()?,
            max_price: wire::read_money(read.max_price.as_ref()?)?,
            bid_strategy: strategy_or_default(read.bid_strategy()),
            constraints,
            payload,
            payload_preview: read.payload_preview.clone(),
            auto_award: read.auto_award,
            verification: verification_or_default(read.verification_method()),
            review_time: span(read.review_time.as_ref())?,
            dispute_window: span(read.dispute_window.as_ref())?,
            contract_duration: span(read.contract_duration.as_ref())?,
            bid_window: span(read.bid_window.as_ref())?,
        }),
        internal: read.internal,
        close_time: wire::read_time(read.close_time.as_ref()?)?,
    })
}

/// What an event of another service says of a work; `None` when it says nothing.
pub(crate) fn heard(stored: &Stored) -> Result<Option<(WorkId, News)>, Failure> {
    let of_contract = |work_id: &str, contract_id: &str, outcome: Outcome| {
        let contract_id = contract_id.parse().ok()?;
        Some((work_id.parse().ok()?, News::Contract(contract_id, outcome)))
    };
    let read = || match stored.r#type.as_str() {
        "opportunity.opened" => {
            let read: OpportunityOpened = payload(stored)?;
            Some((read.work_id.parse().ok()?, News::Offered(read.providers_notified)))
        }
        "bid.submitted" => {
            let read: BidSubmitted = payload(stored)?;
            let news = News::BidReceived {
                bid_id: read.bid_id.parse().ok()?,
                price: wire::read_money(read.price.as_ref()?)?,
                replaces: !read.superseded_bid_id.is_empty(),
            };
            Some((read.work_id.parse().ok()?, news))
        }
        "bid.withdrawn" => {
            let read: BidWithdrawn = payload(stored)?;
            Some((
                read.work_id.parse().ok()?,
                News::BidWithdrawn(read.bid_id.parse().ok()?),
            ))
        }
        "bids.evaluated" => {
            let read: BidsEvaluated = payload(stored)?;
            let ranking = Ranking {
                evaluation_id: read.evaluation_id.parse().ok()?,
                winning_bid_id: maybe(&read.winning_bid_id)?,
                valid_bids: read.valid_bids,
            };
            Some((read.work_id.parse().ok()?, News::Evaluated(ranking)))
        }
        "contract.executing" => {
            let read: contract::ContractExecuting = payload(stored)?;
            of_contract(&read.work_id, &read.contract_id, Outcome::Executing)
        }
        "contract.completed" => {
            let read: contract::ContractCompleted = payload(stored)?;
            of_contract(&read.work_id, &read.contract_id, Outcome::Completed)
        }
        "contract.failed" => {
            let read: contract::ContractFailed = payload(stored)?;
            let reason = read.reason;
            of_contract(&read.work_id, &read.contract_id, Outcome::Failed { reason })
        }
        "contract.expired" => {
            let read: contract::ContractExpired = payload(stored)?;
            let reason = "expired".to_owned();
            of_contract(&read.work_id, &read.contract_id, Outcome::Failed { reason })
        }
        _ => None,
    };
    match read() {
        Some(heard) => Ok(Some(heard)),
        None if KNOWN.contains(&stored.r#type.as_str()) => Err(unreadable(stored)),
        None => Ok(None),
    }
}

/// What work-publisher listens to.
pub(crate) const KNOWN: &[&str] = &[
    "opportunity.opened",
    "bid.submitted",
    "bid.withdrawn",
    "bids.evaluated",
    "contract.executing",
    "contract.completed",
    "contract.failed",
    "contract.expired",
];
