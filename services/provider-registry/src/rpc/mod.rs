//! The methods of provider-registry: the table of contents.

mod activate_provider;
mod audit;
mod cancel_subscription;
mod create_subscription;
mod deactivate_provider;
mod get_provider;
mod list_agents;
mod list_providers;
mod list_subscriptions;
mod register_agent;
mod register_provider;
mod reinstate_provider;
mod retire_agent;
mod search_providers;
mod suspend_provider;
mod update_provider;
mod watch_opportunities;

use aex_error::Denied;
use aex_kit::{Call, Reply, Stream, stream, unary};
use aex_proto::aex::provider_registry::v1::{
    self as pb, provider_registry_service_server::ProviderRegistryService,
};
use aex_types::{ProviderId, TenantId};
use tonic::Request;

use self::{
    activate_provider::activate_provider, audit::audit, cancel_subscription::cancel_subscription,
    create_subscription::create_subscription, deactivate_provider::deactivate_provider,
    get_provider::get_provider, list_agents::list_agents, list_providers::list_providers,
    list_subscriptions::list_subscriptions, register_agent::register_agent,
    register_provider::register_provider, reinstate_provider::reinstate_provider, retire_agent::retire_agent,
    search_providers::search_providers, suspend_provider::suspend_provider, update_provider::update_provider,
    watch_opportunities::watch_opportunities,
};
use crate::{App, Error, domain::provider::Provider};

#[tonic::async_trait]
impl ProviderRegistryService for App {
    type WatchOpportunitiesStream = Stream<pb::WatchOpportunitiesResponse>;

    async fn register_provider(
        &self,
        request: Request<pb::RegisterProviderRequest>,
    ) -> Reply<pb::RegisterProviderResponse> {
        unary(request, |call, request| register_provider(self, call, request)).await
    }

    async fn get_provider(&self, request: Request<pb::GetProviderRequest>) -> Reply<pb::GetProviderResponse> {
        unary(request, |call, request| get_provider(self, call, request)).await
    }

    async fn list_providers(
        &self,
        request: Request<pb::ListProvidersRequest>,
    ) -> Reply<pb::ListProvidersResponse> {
        unary(request, |call, request| list_providers(self, call, request)).await
    }

    async fn search_providers(
        &self,
        request: Request<pb::SearchProvidersRequest>,
    ) -> Reply<pb::SearchProvidersResponse> {
        unary(request, |call, request| search_providers(self, call, request)).await
    }

    async fn update_provider(
        &self,
        request: Request<pb::UpdateProviderRequest>,
    ) -> Reply<pb::UpdateProviderResponse> {
        unary(request, |call, request| update_provider(self, call, request)).await
    }

    async fn deactivate_provider(
        &self,
        request: Request<pb::DeactivateProviderRequest>,
    ) -> Reply<pb::DeactivateProviderResponse> {
        unary(request, |call, request| deactivate_provider(self, call, request)).await
    }

    async fn activate_provider(
        &self,
        request: Request<pb::ActivateProviderRequest>,
    ) -> Reply<pb::ActivateProviderResponse> {
        unary(request, |call, request| activate_provider(self, call, request)).await
    }

    async fn suspend_provider(
        &self,
        request: Request<pb::SuspendProviderRequest>,
    ) -> Reply<pb::SuspendProviderResponse> {
        unary(request, |call, request| suspend_provider(self, call, request)).await
    }

    async fn reinstate_provider(
        &self,
        request: Request<pb::ReinstateProviderRequest>,
    ) -> Reply<pb::ReinstateProviderResponse> {
        unary(request, |call, request| reinstate_provider(self, call, request)).await
    }

    async fn register_agent(
        &self,
        request: Request<pb::RegisterAgentRequest>,
    ) -> Reply<pb::RegisterAgentResponse> {
        unary(request, |call, request| register_agent(self, call, request)).await
    }

    async fn list_agents(&self, request: Request<pb::ListAgentsRequest>) -> Reply<pb::ListAgentsResponse> {
        unary(request, |call, request| list_agents(self, call, request)).await
    }

    async fn retire_agent(&self, request: Request<pb::RetireAgentRequest>) -> Reply<pb::RetireAgentResponse> {
        unary(request, |call, request| retire_agent(self, call, request)).await
    }

    async fn create_subscription(
        &self,
        request: Request<pb::CreateSubscriptionRequest>,
    ) -> Reply<pb::CreateSubscriptionResponse> {
        unary(request, |call, request| create_subscription(self, call, request)).await
    }

    async fn list_subscriptions(
        &self,
        request: Request<pb::ListSubscriptionsRequest>,
    ) -> Reply<pb::ListSubscriptionsResponse> {
        unary(request, |call, request| list_subscriptions(self, call, request)).await
    }

    async fn cancel_subscription(
        &self,
        request: Request<pb::CancelSubscriptionRequest>,
    ) -> Reply<pb::CancelSubscriptionResponse> {
        unary(request, |call, request| cancel_subscription(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }

    async fn watch_opportunities(
        &self,
        request: Request<pb::WatchOpportunitiesRequest>,
    ) -> Reply<Self::WatchOpportunitiesStream> {
        stream(request, |call, request| watch_opportunities(self, call, request)).await
    }
}

/// For whom the caller acts: its tenant, and of that one provider alone when its key is bound to it.
#[derive(Debug, Clone, Copy)]
struct Acting {
    tenant: TenantId,
    bound: Option<ProviderId>,
}

impl Acting {
    fn of(call: &Call) -> Result<Self, Denied> {
        let principal = call.principal()?;
        Ok(Self {
            tenant: principal.tenant,
            bound: principal.provider,
        })
    }

    /// May it act for this provider of this tenant?
    fn owns(self, tenant: TenantId, provider: ProviderId) -> bool {
        tenant == self.tenant && self.bound.is_none_or(|bound| bound == provider)
    }

    /// The provider, if it may act for it; any other is not there.
    fn own(self, found: Option<Provider>, id: ProviderId) -> Result<Provider, Error> {
        found
            .filter(|provider| self.owns(provider.tenant_id, provider.id))
            .ok_or(Error::ProviderNotFound(id))
    }
}
