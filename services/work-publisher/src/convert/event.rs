//! Events of works: out, and in again for replay.

use aex_error::wire;
use aex_proto::aex::{
    common::v1::Event as Stored,
    work_publisher::v1::{self as pb, WorkStatus},
};
use aex_store::{Fact, Failure, stored};
use aex_types::Timestamp;

use super::{
    constraints_out, payload_out, status_out, strategy_or_default, strategy_out, verification_or_default,
    verification_out,
};
use crate::domain::{
    payload::{Hash, Payload},
    terms::{Constraints, Terms},
    work::{self, Change, Status},
};

impl From<&work::Event> for Fact {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    fn from(event: &work::Event) -> Self {
        let work_id = event.work_id.to_string();
        let consumer_id = event.consumer_id.to_string();
        let at = (event.work_id, event.version, event.time);
        let fact = match event.change.clone() {
            Change::Submitted {
                terms,
                internal,
                close_time,
            } => Fact::new(
                "work.submitted",
                at,
                &submitted_out(event, *terms, internal, close_time),
            ),
            Change::Offered { providers_notified } => Fact::new(
                "work.offered",
                at,
                &pb::WorkOffered {
                    work_id,
                    providers_notified,
                },
            ),
            Change::BidReceived {
                bid_id,
                price,
                bids_received,
            } => Fact::new(
                "work.bid_received",
                at,
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
            } => Fact::new(
                "work.bid_withdrawn",
                at,
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
            } => Fact::new(
                "work.bid_window_closed",
                at,
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
            } => Fact::new(
                "work.evaluated",
                at,
                &pb::WorkEvaluated {
                    work_id,
                    evaluation_id: evaluation_id.to_string(),
                    winning_bid_id: wire::text(winning_bid_id),
                    valid_bids,
                },
            ),
            Change::AwardReleased {
                contract_id,
                reason,
                status,
            } => Fact::new(
                "work.award_released",
                at,
                &pb::WorkAwardReleased {
                    work_id,
                    contract_id: contract_id.to_string(),
                    reason,
                    status: status_out(status).into(),
                },
            ),
            Change::AwardBarred { contract_id, reason } => Fact::new(
                "work.award_barred",
                at,
                &pb::WorkAwardBarred {
                    work_id,
                    contract_id: contract_id.to_string(),
                    reason,
                },
            ),
            Change::Awarded { contract_id } => Fact::new(
                "work.awarded",
                at,
                &pb::WorkAwarded {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Executing { contract_id } => Fact::new(
                "work.executing",
                at,
                &pb::WorkExecuting {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Completed { contract_id } => Fact::new(
                "work.completed",
                at,
                &pb::WorkCompleted {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::AwardReserved { contract_id } => Fact::new(
                "work.award_reserved",
                at,
                &pb::WorkAwardReserved {
                    work_id,
                    contract_id: contract_id.to_string(),
                },
            ),
            Change::Failed { contract_id, reason } => Fact::new(
                "work.failed",
                at,
                &pb::WorkFailed {
                    work_id,
                    consumer_id,
                    contract_id: wire::text(contract_id),
                    reason,
                },
            ),
            Change::Cancelled {
                reason,
                max_price,
                internal,
                close_time,
            } => Fact::new(
                "work.cancelled",
                at,
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

/// An event of work-publisher, as the ledger kept it.
pub(crate) fn replayed(stored: &Stored) -> Result<work::Event, Failure> {
    let read = || {
        Some(work::Event {
            work_id: stored.aggregate_id.parse().ok()?,
            // Every event of a work is its consumer's to see, and nobody else's.
            consumer_id: stored.visible_to.first()?.parse().ok()?,
            version: stored.aggregate_version,
            time: stored::occurred(stored)?,
            change: change(stored)?,
        })
    };
    read().ok_or_else(|| stored::unreadable(stored))
}

fn change(stored: &Stored) -> Option<Change> {
    Some(match stored.r#type.as_str() {
        "work.submitted" => submitted(&stored::payload(stored)?)?,
        "work.offered" => Change::Offered {
            providers_notified: stored::payload::<pb::WorkOffered>(stored)?.providers_notified,
        },
        "work.bid_received" => {
            let read: pb::WorkBidReceived = stored::payload(stored)?;
            Change::BidReceived {
                bid_id: read.bid_id.parse().ok()?,
                price: wire::read_money(read.price.as_ref()?)?,
                bids_received: read.bids_received,
            }
        }
        "work.bid_withdrawn" => {
            let read: pb::WorkBidWithdrawn = stored::payload(stored)?;
            Change::BidWithdrawn {
                bid_id: read.bid_id.parse().ok()?,
                bids_received: read.bids_received,
            }
        }
        "work.bid_window_closed" => {
            let read: pb::WorkBidWindowClosed = stored::payload(stored)?;
            Change::WindowClosed {
                bid_count: read.bid_count,
                close_time: wire::read_time(read.close_time.as_ref()?)?,
                auto_award: read.auto_award,
                award_deadline: wire::read_time(read.award_deadline.as_ref()?)?,
            }
        }
        "work.evaluated" => {
            let read: pb::WorkEvaluated = stored::payload(stored)?;
            Change::Evaluated {
                evaluation_id: read.evaluation_id.parse().ok()?,
                winning_bid_id: wire::maybe(&read.winning_bid_id)?,
                valid_bids: read.valid_bids,
            }
        }
        "work.failed" => {
            let read: pb::WorkFailed = stored::payload(stored)?;
            Change::Failed {
                contract_id: wire::maybe(&read.contract_id)?,
                reason: read.reason,
            }
        }
        "work.cancelled" => {
            let read: pb::WorkCancelled = stored::payload(stored)?;
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
            contract_id: stored::payload::<pb::WorkAwardReserved>(stored)?
                .contract_id
                .parse()
                .ok()?,
        },
        "work.award_released" => {
            let read: pb::WorkAwardReleased = stored::payload(stored)?;
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
        "work.award_barred" => {
            let read: pb::WorkAwardBarred = stored::payload(stored)?;
            Change::AwardBarred {
                contract_id: read.contract_id.parse().ok()?,
                reason: read.reason,
            }
        }
        "work.awarded" => Change::Awarded {
            contract_id: stored::payload::<pb::WorkAwarded>(stored)?
                .contract_id
                .parse()
                .ok()?,
        },
        "work.executing" => Change::Executing {
            contract_id: stored::payload::<pb::WorkExecuting>(stored)?
                .contract_id
                .parse()
                .ok()?,
        },
        "work.completed" => Change::Completed {
            contract_id: stored::payload::<pb::WorkCompleted>(stored)?
                .contract_id
                .parse()
                .ok()?,
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
            min_trust_tier: wire::read_tier(given.min_trust_tier()),
            internal_only: given.internal_only,
            regions: given.regions.clone(),
        },
    };
    let payload = |info: &pb::PayloadInfo| {
        Some(Payload {
            content_type: info.content_type.clone(),
            size: info.size_bytes,
            sha256: Hash::try_from(info.sha256.as_ref()).ok()?,
            location: wire::maybe(&info.location)?,
        })
    };
    Some(Change::Submitted {
        terms: Box::new(Terms {
            category: read.category.parse().ok()?,
            description: read.description.parse().ok()?,
            max_price: wire::read_money(read.max_price.as_ref()?)?,
            bid_strategy: strategy_or_default(read.bid_strategy()),
            constraints,
            payload: wire::maybe_of(read.payload.as_ref(), payload)?,
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
