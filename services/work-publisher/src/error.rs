//! Everything that work-publisher says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::work_publisher::v1::ErrorReason as R;
use aex_store::Failure;
use aex_types::{Money, WorkId};

use crate::domain::work;

/// Everything that work-publisher says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no work {0}")]
    WorkNotFound(WorkId),
    #[error("the work may cost {needed}, and {available} is available; deposit first")]
    InsufficientFunds { needed: Money, available: String },
    #[error("the payload of work {work_id} is kept at {location}")]
    PayloadElsewhere { work_id: WorkId, location: String },
    #[error(transparent)]
    Work(#[from] work::Refusal),
    #[error(transparent)]
    Peer(#[from] Unanswered),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] Failure),
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        match self {
            Self::WorkNotFound(id) => fault(Code::NotFound, R::WorkNotFound).with("work_id", id),
            Self::InsufficientFunds { needed, available } => {
                fault(Code::FailedPrecondition, R::InsufficientFunds)
                    .with("needed", needed)
                    .with("available", available)
            }
            Self::PayloadElsewhere { work_id, location } => {
                fault(Code::FailedPrecondition, R::PayloadElsewhere)
                    .with("work_id", work_id)
                    .with("location", location)
            }
            Self::Work(work::Refusal::NotCancellable { work_id, status }) => {
                fault(Code::FailedPrecondition, R::WorkNotCancellable)
                    .with("work_id", work_id)
                    .with("status", status)
            }
            Self::Work(work::Refusal::NotAwardable { work_id, status }) => {
                fault(Code::FailedPrecondition, R::WorkNotAwardable)
                    .with("work_id", work_id)
                    .with("status", status)
            }
            Self::Peer(unanswered) => unanswered.explain(),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}
