//! A double of identity that verifies every key.

use std::sync::Arc;

use aex_error::Denied;
use aex_kit::{Hosted, Reply, unary};
use aex_proto::aex::identity::v1::{
    self as pb,
    identity_service_server::{IdentityService, IdentityServiceServer, SERVICE_NAME},
};
use tonic::{Request, service::RoutesBuilder};

pub(crate) struct Double;

pub(crate) fn identity() -> Arc<Double> {
    Arc::new(Double)
}

/// This double does one thing.
async fn denied<Q, A>(request: Request<Q>) -> Reply<A> {
    unary(request, |_, _| async { Err(Denied::Audience) }).await
}

#[tonic::async_trait]
impl IdentityService for Double {
    async fn verify_api_key(
        &self,
        request: Request<pb::VerifyApiKeyRequest>,
    ) -> Reply<pb::VerifyApiKeyResponse> {
        unary(request, |_, _| async {
            Ok::<_, Denied>(pb::VerifyApiKeyResponse::default())
        })
        .await
    }

    async fn create_tenant(
        &self,
        request: Request<pb::CreateTenantRequest>,
    ) -> Reply<pb::CreateTenantResponse> {
        denied(request).await
    }

    async fn get_tenant(&self, request: Request<pb::GetTenantRequest>) -> Reply<pb::GetTenantResponse> {
        denied(request).await
    }

    async fn list_tenants(&self, request: Request<pb::ListTenantsRequest>) -> Reply<pb::ListTenantsResponse> {
        denied(request).await
    }

    async fn update_tenant(
        &self,
        request: Request<pb::UpdateTenantRequest>,
    ) -> Reply<pb::UpdateTenantResponse> {
        denied(request).await
    }

    async fn suspend_tenant(
        &self,
        request: Request<pb::SuspendTenantRequest>,
    ) -> Reply<pb::SuspendTenantResponse> {
        denied(request).await
    }

    async fn activate_tenant(
        &self,
        request: Request<pb::ActivateTenantRequest>,
    ) -> Reply<pb::ActivateTenantResponse> {
        denied(request).await
    }

    async fn terminate_tenant(
        &self,
        request: Request<pb::TerminateTenantRequest>,
    ) -> Reply<pb::TerminateTenantResponse> {
        denied(request).await
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Reply<pb::CreateApiKeyResponse> {
        denied(request).await
    }

    async fn get_api_key(&self, request: Request<pb::GetApiKeyRequest>) -> Reply<pb::GetApiKeyResponse> {
        denied(request).await
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Reply<pb::ListApiKeysResponse> {
        denied(request).await
    }

    async fn rotate_api_key(
        &self,
        request: Request<pb::RotateApiKeyRequest>,
    ) -> Reply<pb::RotateApiKeyResponse> {
        denied(request).await
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Reply<pb::RevokeApiKeyResponse> {
        denied(request).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        denied(request).await
    }
}

impl Hosted for Double {
    const NAME: &'static str = "identity";
    const PORT: u16 = 0;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(IdentityServiceServer::from_arc(self));
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}
