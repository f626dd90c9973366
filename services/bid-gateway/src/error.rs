//! Everything that bid-gateway says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::bid_gateway::v1::ErrorReason as R;
use aex_store::Failure;
use aex_types::{AgentId, BidId, ProviderId, WorkId};

use crate::domain::book::Refusal;

/// Everything that bid-gateway says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no bid {0}")]
    BidNotFound(BidId),
    #[error("there is no work {0}")]
    WorkNotFound(WorkId),
    #[error("there is no provider {0}")]
    ProviderNotFound(ProviderId),
    #[error("provider {0} is not active")]
    ProviderNotActive(ProviderId),
    #[error("the provider has no agent {0}")]
    AgentNotFound(AgentId),
    #[error("agent {0} is retired")]
    AgentRetired(AgentId),
    #[error(transparent)]
    Book(#[from] Refusal),
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
            Self::BidNotFound(id) => fault(Code::NotFound, R::BidNotFound).with("bid_id", id),
            Self::WorkNotFound(id) => fault(Code::NotFound, R::WorkNotFound).with("work_id", id),
            Self::ProviderNotFound(id) => fault(Code::NotFound, R::ProviderNotFound).with("provider_id", id),
            Self::ProviderNotActive(id) => {
                fault(Code::FailedPrecondition, R::ProviderNotActive).with("provider_id", id)
            }
            Self::AgentNotFound(id) => fault(Code::NotFound, R::AgentNotFound).with("agent_id", id),
            Self::AgentRetired(id) => fault(Code::FailedPrecondition, R::AgentRetired).with("agent_id", id),
            Self::Book(refusal) => explain_book(refusal),
            Self::Peer(unanswered) => unanswered.explain(),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}

fn explain_book(refusal: &Refusal) -> Fault {
    match refusal {
        Refusal::Closed { work_id } => {
            fault(Code::FailedPrecondition, R::BookClosed).with("work_id", work_id)
        }
        // Waiting does not help: a place comes free only when somebody takes a bid back.
        Refusal::Full { work_id } => fault(Code::ResourceExhausted, R::BookFull)
            .with("work_id", work_id)
            .final_(),
        Refusal::RevisionLimit { work_id, provider_id } => {
            fault(Code::ResourceExhausted, R::RevisionLimitReached)
                .with("work_id", work_id)
                .with("provider_id", provider_id)
                .final_()
        }
        Refusal::OwnWork { work_id } => fault(Code::FailedPrecondition, R::OwnWork).with("work_id", work_id),
        Refusal::CurrencyMismatch { work_id, currency } => {
            fault(Code::FailedPrecondition, R::CurrencyMismatch)
                .with("work_id", work_id)
                .with("currency", currency)
        }
        Refusal::NotLive { bid_id, status } => fault(Code::FailedPrecondition, R::BidNotLive)
            .with("bid_id", bid_id)
            .with("status", status),
    }
}
