//! What settlement asks other services.

use aex_error::Unanswered;
use aex_kit::{Call, Link};
use aex_proto::aex::identity::v1::{
    GetTenantRequest, TenantStatus, identity_service_client::IdentityServiceClient,
};
use aex_types::TenantId;
use tonic::Code;

use crate::Error;

/// Is the tenant active?
pub(crate) async fn active_tenant(identity: &Link, call: &Call, tenant: TenantId) -> Result<(), Error> {
    let request = GetTenantRequest {
        tenant_id: tenant.to_string(),
    };
    let answer = IdentityServiceClient::new(identity.on(call))
        .get_tenant(request)
        .await;
    let found = match answer {
        Ok(answer) => answer.into_inner().tenant,
        Err(status) if status.code() == Code::NotFound => None,
        Err(status) => return Err(Unanswered::by("identity", status).into()),
    };
    match found {
        Some(found) if found.status() == TenantStatus::Active => Ok(()),
        _ => Err(Error::TenantNotActive(tenant)),
    }
}
