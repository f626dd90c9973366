//! Everything that provider-registry says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, Unanswered, fault};
use aex_proto::aex::provider_registry::v1::ErrorReason as R;
use aex_store::Failure;
use aex_types::{AgentId, ProviderId, SubscriptionId, TenantId};

use crate::domain::{agent, provider, subscription};

/// Everything that provider-registry says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no provider {0}")]
    ProviderNotFound(ProviderId),
    #[error("there is no agent {0}")]
    AgentNotFound(AgentId),
    #[error("there is no subscription {0}")]
    SubscriptionNotFound(SubscriptionId),
    #[error("the key belongs to an agent already")]
    AgentKeyTaken,
    #[error("tenant {0} is not active")]
    TenantNotActive(TenantId),
    #[error(transparent)]
    Provider(#[from] provider::Refusal),
    #[error(transparent)]
    Agent(#[from] agent::Refusal),
    #[error(transparent)]
    Subscription(#[from] subscription::Refusal),
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
            Self::ProviderNotFound(id) => fault(Code::NotFound, R::ProviderNotFound).with("provider_id", id),
            Self::AgentNotFound(id) => fault(Code::NotFound, R::AgentNotFound).with("agent_id", id),
            Self::SubscriptionNotFound(id) => {
                fault(Code::NotFound, R::SubscriptionNotFound).with("subscription_id", id)
            }
            Self::AgentKeyTaken => fault(Code::AlreadyExists, R::AgentKeyTaken),
            Self::TenantNotActive(id) => {
                fault(Code::FailedPrecondition, R::TenantNotActive).with("tenant_id", id)
            }
            Self::Provider(refusal) => explain_provider(refusal),
            Self::Agent(refusal) => explain_agent(refusal),
            Self::Subscription(refusal) => explain_subscription(refusal),
            Self::Peer(unanswered) => unanswered.explain(),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}

fn explain_provider(refusal: &provider::Refusal) -> Fault {
    use provider::Refusal as Why;
    match refusal {
        Why::StatusInvalid { provider_id, status } => {
            fault(Code::FailedPrecondition, R::ProviderStatusInvalid)
                .with("provider_id", provider_id)
                .with("status", status)
        }
        Why::LimitReached { tenant_id } => fault(Code::FailedPrecondition, R::ProviderLimitReached)
            .with("tenant_id", tenant_id)
            .with("limit", provider::MOST),
    }
}

fn explain_agent(refusal: &agent::Refusal) -> Fault {
    use agent::Refusal as Why;
    match refusal {
        Why::ProofInvalid { provider_id } => {
            fault(Code::InvalidArgument, R::AgentProofInvalid).with("provider_id", provider_id)
        }
        Why::LimitReached { provider_id } => fault(Code::FailedPrecondition, R::AgentLimitReached)
            .with("provider_id", provider_id)
            .with("limit", agent::MOST),
        Why::Retired { agent_id } => {
            fault(Code::FailedPrecondition, R::AgentRetired).with("agent_id", agent_id)
        }
    }
}

fn explain_subscription(refusal: &subscription::Refusal) -> Fault {
    use subscription::Refusal as Why;
    match refusal {
        Why::LimitReached { provider_id } => fault(Code::FailedPrecondition, R::SubscriptionLimitReached)
            .with("provider_id", provider_id)
            .with("limit", subscription::MOST),
        Why::Cancelled { subscription_id } => {
            fault(Code::FailedPrecondition, R::SubscriptionCancelled).with("subscription_id", subscription_id)
        }
    }
}
