//! The methods of identity: the table of contents.

mod activate_tenant;
mod audit;
mod create_api_key;
mod create_tenant;
mod get_api_key;
mod get_tenant;
mod list_api_keys;
mod list_tenants;
mod revoke_api_key;
mod rotate_api_key;
mod suspend_tenant;
mod terminate_tenant;
mod update_tenant;
mod verify_api_key;

use aex_error::{Denied, Invalid};
use aex_kit::{Call, Caller, Reply, unary};
use aex_proto::aex::identity::v1::{self as pb, identity_service_server::IdentityService};
use aex_types::TenantId;
use tonic::Request;

use self::{
    activate_tenant::activate_tenant, audit::audit, create_api_key::create_api_key,
    create_tenant::create_tenant, get_api_key::get_api_key, get_tenant::get_tenant,
    list_api_keys::list_api_keys, list_tenants::list_tenants, revoke_api_key::revoke_api_key,
    rotate_api_key::rotate_api_key, suspend_tenant::suspend_tenant, terminate_tenant::terminate_tenant,
    update_tenant::update_tenant, verify_api_key::verify_api_key,
};
use crate::{
    App, Error,
    domain::{
        api_key::{ApiKey, Granter},
        secret::{Secret, SecretHash},
    },
};

#[tonic::async_trait]
impl IdentityService for App {
    async fn create_tenant(
        &self,
        request: Request<pb::CreateTenantRequest>,
    ) -> Reply<pb::CreateTenantResponse> {
        unary(request, |call, request| create_tenant(self, call, request)).await
    }

    async fn get_tenant(&self, request: Request<pb::GetTenantRequest>) -> Reply<pb::GetTenantResponse> {
        unary(request, |call, request| get_tenant(self, call, request)).await
    }

    async fn list_tenants(&self, request: Request<pb::ListTenantsRequest>) -> Reply<pb::ListTenantsResponse> {
        unary(request, |call, request| list_tenants(self, call, request)).await
    }

    async fn update_tenant(
        &self,
        request: Request<pb::UpdateTenantRequest>,
    ) -> Reply<pb::UpdateTenantResponse> {
        unary(request, |call, request| update_tenant(self, call, request)).await
    }

    async fn suspend_tenant(
        &self,
        request: Request<pb::SuspendTenantRequest>,
    ) -> Reply<pb::SuspendTenantResponse> {
        unary(request, |call, request| suspend_tenant(self, call, request)).await
    }

    async fn activate_tenant(
        &self,
        request: Request<pb::ActivateTenantRequest>,
    ) -> Reply<pb::ActivateTenantResponse> {
        unary(request, |call, request| activate_tenant(self, call, request)).await
    }

    async fn terminate_tenant(
        &self,
        request: Request<pb::TerminateTenantRequest>,
    ) -> Reply<pb::TerminateTenantResponse> {
        unary(request, |call, request| terminate_tenant(self, call, request)).await
    }

    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Reply<pb::CreateApiKeyResponse> {
        unary(request, |call, request| create_api_key(self, call, request)).await
    }

    async fn get_api_key(&self, request: Request<pb::GetApiKeyRequest>) -> Reply<pb::GetApiKeyResponse> {
        unary(request, |call, request| get_api_key(self, call, request)).await
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Reply<pb::ListApiKeysResponse> {
        unary(request, |call, request| list_api_keys(self, call, request)).await
    }

    async fn rotate_api_key(
        &self,
        request: Request<pb::RotateApiKeyRequest>,
    ) -> Reply<pb::RotateApiKeyResponse> {
        unary(request, |call, request| rotate_api_key(self, call, request)).await
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Reply<pb::RevokeApiKeyResponse> {
        unary(request, |call, request| revoke_api_key(self, call, request)).await
    }

    async fn verify_api_key(
        &self,
        request: Request<pb::VerifyApiKeyRequest>,
    ) -> Reply<pb::VerifyApiKeyResponse> {
        unary(request, |call, request| verify_api_key(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

impl App {
    fn new_secret(&self, call: &Call) -> Result<(Secret, SecretHash), Error> {
        let secret = call.runtime().with_rng(|rng| self.mint.strike(rng));
        let hash = self.mint.hash(secret.reveal());
        Ok((
            secret,
            hash.ok_or_else(|| aex_store::Failure::corrupt("a new secret is not one of ours"))?,
        ))
    }
}

/// The tenant that a request is about: a tenant means itself, an operator names one.
fn whose(call: &Call, named: &str) -> Result<TenantId, Error> {
    let named: Option<TenantId> = if named.is_empty() {
        None
    } else {
        Some(
            named
                .parse()
                .map_err(|error: aex_types::IdError| Invalid::field("tenant_id", error.to_string()))?,
        )
    };
    match (call.caller(), named) {
        (Caller::Tenant(principal), None) => Ok(principal.tenant),
        (_, Some(tenant)) if call.may_see(tenant) => Ok(tenant),
        (_, Some(tenant)) => Err(Error::TenantNotFound(tenant)),
        (_, None) => Err(Invalid::field("tenant_id", "must be given").into()),
    }
}

/// What the caller may give to a new key.
fn granter(call: &Call) -> Result<Granter, Error> {
    match call.caller() {
        Caller::Operator(_) => Ok(Granter::Operator),
        Caller::Tenant(principal) => Ok(Granter::Key {
            scopes: principal
                .scopes
                .iter()
                .filter_map(|scope| scope.parse().ok())
                .collect(),
            provider_id: principal.provider,
        }),
        Caller::Public | Caller::Service(_) => Err(Denied::Audience.into()),
    }
}

/// Sorts out keys that the caller may not know of.
fn own(call: &Call) -> impl Fn(&ApiKey) -> bool + Copy + use<> {
    let only = match call.caller() {
        Caller::Tenant(principal) => Some(principal.tenant),
        _ => None,
    };
    move |key| only.is_none_or(|tenant| tenant == key.tenant_id)
}
