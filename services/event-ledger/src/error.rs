//! Everything that the event ledger says no with.

use std::sync::Arc;

use aex_error::{Code, Denied, Explain, Fault, Invalid, fault};
use aex_proto::aex::event_ledger::v1::ErrorReason as R;
use aex_store::Failure;

use crate::domain::{consumer, placing};

/// Everything that the event ledger says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("events[{index}] names the producer {producer}, the caller is {caller}")]
    ProducerMismatch {
        index: usize,
        producer: String,
        caller: String,
    },
    #[error(transparent)]
    Placing(#[from] placing::Refusal),
    #[error("there is no consumer {0}")]
    ConsumerNotFound(String),
    #[error(transparent)]
    Consumer(#[from] consumer::Refusal),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] Failure),
    #[error(transparent)]
    Commit(#[from] Arc<Failure>),
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        match self {
            Self::ProducerMismatch { index, producer, .. } => {
                fault(Code::PermissionDenied, R::ProducerMismatch)
                    .with("index", index)
                    .with("producer", producer)
            }
            Self::Placing(refusal) => explain_placing(refusal),
            Self::ConsumerNotFound(name) => fault(Code::NotFound, R::ConsumerNotFound).with("name", name),
            Self::Consumer(refusal) => explain_consumer(refusal),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
            Self::Commit(failure) => failure.explain(),
        }
    }
}

fn explain_placing(refusal: &placing::Refusal) -> Fault {
    use placing::Refusal as Why;
    match refusal {
        Why::IdReused(id) => fault(Code::AlreadyExists, R::EventIdReused).with("event_id", id),
        Why::OutOfOrder {
            aggregate_id,
            next,
            given,
        } => fault(Code::FailedPrecondition, R::VersionOutOfOrder)
            .with("aggregate_id", aggregate_id)
            .with("next_version", next)
            .with("version", given),
    }
}

fn explain_consumer(refusal: &consumer::Refusal) -> Fault {
    use consumer::Refusal as Why;
    let invalid = fault(Code::FailedPrecondition, R::PositionInvalid);
    match refusal {
        Why::Back { name, at } => invalid.with("name", name).with("sequence", at),
        Why::BeyondEnd { head } => invalid.with("head_sequence", head),
        Why::TooMany => fault(Code::ResourceExhausted, R::ConsumerLimitReached)
            .with("limit", consumer::MOST)
            .final_(),
    }
}
