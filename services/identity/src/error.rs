//! Everything that identity says no with.

use aex_error::{Code, Denied, Explain, Fault, Invalid, fault};
use aex_proto::aex::identity::v1::ErrorReason as R;
use aex_store::Failure;
use aex_types::{KeyId, TenantId};

use crate::domain::{api_key, tenant};

/// Everything that identity says no with.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("there is no tenant {0}")]
    TenantNotFound(TenantId),
    #[error("there is no key {0}")]
    ApiKeyNotFound(KeyId),
    #[error(transparent)]
    Tenant(#[from] tenant::Refusal),
    #[error(transparent)]
    ApiKey(#[from] api_key::Refusal),
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
            Self::TenantNotFound(id) => fault(Code::NotFound, R::TenantNotFound).with("tenant_id", id),
            Self::ApiKeyNotFound(id) => fault(Code::NotFound, R::ApiKeyNotFound).with("key_id", id),
            Self::Tenant(refusal) | Self::ApiKey(api_key::Refusal::Tenant(refusal)) => {
                explain_tenant(refusal)
            }
            Self::ApiKey(refusal) => explain_key(refusal),
            Self::Invalid(invalid) => invalid.explain(),
            Self::Denied(denied) => denied.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}

fn explain_tenant(refusal: &tenant::Refusal) -> Fault {
    use tenant::Refusal as Why;
    match refusal {
        Why::NotActive { tenant_id, status } => fault(Code::FailedPrecondition, R::TenantNotActive)
            .with("tenant_id", tenant_id)
            .with("status", status),
        Why::NotSuspended { tenant_id, status } => fault(Code::FailedPrecondition, R::TenantNotSuspended)
            .with("tenant_id", tenant_id)
            .with("status", status),
        Why::Terminated { tenant_id } => {
            fault(Code::FailedPrecondition, R::TenantTerminated).with("tenant_id", tenant_id)
        }
    }
}

fn explain_key(refusal: &api_key::Refusal) -> Fault {
    use api_key::Refusal as Why;
    match refusal {
        Why::Tenant(refusal) => explain_tenant(refusal),
        Why::NotActive { key_id, status } => fault(Code::FailedPrecondition, R::ApiKeyNotActive)
            .with("key_id", key_id)
            .with("status", status),
        Why::NotGrantable { scope } => {
            fault(Code::PermissionDenied, R::ScopeNotGrantable).with("scope", scope)
        }
        Why::BindingNotGrantable => {
            fault(Code::PermissionDenied, R::ScopeNotGrantable).with("scope", "provider_id")
        }
        Why::LimitReached { tenant_id } => {
            fault(Code::FailedPrecondition, R::ApiKeyLimitReached).with("tenant_id", tenant_id)
        }
        Why::ExpiredAlready => Invalid::field("expire_time", "must be in the future").explain(),
    }
}
