//! A registry of providers for tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aex_error::{Code, fault, status};
use aex_kit::{Hosted, Reply, Stream};
use aex_proto::aex::provider_registry::v1::{
    self as pb, ErrorReason, ProviderStatus,
    provider_registry_service_server::{
        ProviderRegistryService, ProviderRegistryServiceServer, SERVICE_NAME,
    },
};
use tonic::{Request, Response, Status, service::RoutesBuilder};

pub struct Registry(Mutex<HashMap<String, pb::Provider>>);

impl Registry {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// From now on the provider is a tenant's, with a status.
    pub fn set(&self, provider_id: &str, tenant_id: &str, status: ProviderStatus) {
        let provider = pb::Provider {
            provider_id: provider_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            status: status.into(),
            ..Default::default()
        };
        self.0.lock().unwrap().insert(provider_id.to_owned(), provider);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no such provider")]
struct Unknown;

impl aex_error::Explain for Unknown {
    fn explain(&self) -> aex_error::Fault {
        fault(Code::NotFound, ErrorReason::ProviderNotFound)
    }
}

impl Hosted for Registry {
    const NAME: &'static str = "provider-registry";
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(ProviderRegistryServiceServer::from_arc(self));
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}

#[tonic::async_trait]
impl ProviderRegistryService for Registry {
    async fn get_provider(&self, request: Request<pb::GetProviderRequest>) -> Reply<pb::GetProviderResponse> {
        let provider_id = request.into_inner().provider_id;
        let provider = self.0.lock().unwrap().get(&provider_id).cloned();
        let provider = Some(provider.ok_or_else(|| status(&Unknown))?);
        Ok(Response::new(pb::GetProviderResponse { provider }))
    }

    async fn register_provider(
        &self,
        _: Request<pb::RegisterProviderRequest>,
    ) -> Reply<pb::RegisterProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_providers(&self, _: Request<pb::ListProvidersRequest>) -> Reply<pb::ListProvidersResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn search_providers(
        &self,
        _: Request<pb::SearchProvidersRequest>,
    ) -> Reply<pb::SearchProvidersResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn update_provider(
        &self,
        _: Request<pb::UpdateProviderRequest>,
    ) -> Reply<pb::UpdateProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn deactivate_provider(
        &self,
        _: Request<pb::DeactivateProviderRequest>,
    ) -> Reply<pb::DeactivateProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn activate_provider(
        &self,
        _: Request<pb::ActivateProviderRequest>,
    ) -> Reply<pb::ActivateProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn suspend_provider(
        &self,
        _: Request<pb::SuspendProviderRequest>,
    ) -> Reply<pb::SuspendProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reinstate_provider(
        &self,
        _: Request<pb::ReinstateProviderRequest>,
    ) -> Reply<pb::ReinstateProviderResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn register_agent(&self, _: Request<pb::RegisterAgentRequest>) -> Reply<pb::RegisterAgentResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_agents(&self, _: Request<pb::ListAgentsRequest>) -> Reply<pb::ListAgentsResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn retire_agent(&self, _: Request<pb::RetireAgentRequest>) -> Reply<pb::RetireAgentResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn create_subscription(
        &self,
        _: Request<pb::CreateSubscriptionRequest>,
    ) -> Reply<pb::CreateSubscriptionResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_subscriptions(
        &self,
        _: Request<pb::ListSubscriptionsRequest>,
    ) -> Reply<pb::ListSubscriptionsResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn cancel_subscription(
        &self,
        _: Request<pb::CancelSubscriptionRequest>,
    ) -> Reply<pb::CancelSubscriptionResponse> {
        Err(Status::unimplemented("not asked"))
    }

    type WatchOpportunitiesStream = Stream<pb::WatchOpportunitiesResponse>;

    async fn watch_opportunities(
        &self,
        _: Request<pb::WatchOpportunitiesRequest>,
    ) -> Reply<Self::WatchOpportunitiesStream> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(&self, _: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        Err(Status::unimplemented("not asked"))
    }
}
