//! Everything that bid-evaluator says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::{bid_evaluator::v1::ErrorReason as R, common::v1::ErrorReason as Common};
use aex_store::Failure;
use aex_types::WorkId;

use crate::domain::evaluation::Refusal;

/// Everything that bid-evaluator says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no work {0}")]
    WorkNotFound(WorkId),
    #[error("there is no evaluation of work {0}")]
    EvaluationNotFound(WorkId),
    #[error(transparent)]
    Evaluation(#[from] Refusal),
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
            Self::EvaluationNotFound(id) => fault(Code::NotFound, R::EvaluationNotFound).with("work_id", id),
            // Each of these is a fault of the services that were asked.
            Self::Evaluation(_) => fault(Code::Internal, Common::Internal),
            Self::Peer(unanswered) => unanswered.explain(),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}
