//! What provider-registry asks of other services: one function per question.

use aex_error::Unanswered;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{
    GetTenantRequest, TenantStatus, identity_service_client::IdentityServiceClient,
};
use aex_types::TenantId;
use tonic::Code;

use crate::{App, Error};

const IDENTITY: &str = "identity";

/// A tenant that may register providers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seller {
    pub(crate) tenant_id: TenantId,
    /// It belongs to the exchange's own house.
    pub(crate) internal: bool,
}

impl App {
    /// Is the tenant active, and is it of the house? The key that opened the door may be older than a suspension.
    pub(crate) async fn active_seller(&self, call: &Call, tenant_id: TenantId) -> Result<Seller, Error> {
        let request = GetTenantRequest {
            tenant_id: tenant_id.to_string(),
        };
        let answer = IdentityServiceClient::new(self.identity.on(call))
            .get_tenant(request)
            .await;
        let tenant = match answer {
            Ok(answer) => answer.into_inner().tenant,
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => return Err(Unanswered::by(IDENTITY, status).into()),
        };
        tenant
            .filter(|tenant| tenant.status() == TenantStatus::Active)
            .map(|tenant| Seller {
                tenant_id,
                internal: tenant.internal,
            })
            .ok_or(Error::TenantNotActive(tenant_id))
    }
}
