//! What bid-gateway asks other services: one function per question.

use aex_error::{Code, Unanswered, wire};
use aex_kit::Call;
use aex_proto::aex::{
    provider_registry::v1::{
        AgentStatus, GetProviderRequest, ProviderStatus,
        provider_registry_service_client::ProviderRegistryServiceClient,
    },
    work_publisher::v1::{
        GetWorkRequest, WorkStatus, work_publisher_service_client::WorkPublisherServiceClient,
    },
};
use aex_types::{AgentId, ProviderId, TenantId, WorkId};

use crate::{App, Error, domain::book::Terms};

const PUBLISHER: &str = "work-publisher";
const REGISTRY: &str = "provider-registry";

/// A work as its publisher has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    pub(crate) terms: Terms,
    pub(crate) is_open: bool,
}

/// A provider as its registry has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Provider {
    pub(crate) tenant_id: TenantId,
    pub(crate) is_active: bool,
    /// Does the agent that was asked for work? `None` when the provider has no such agent.
    pub(crate) has_working_agent: Option<bool>,
}

impl App {
    /// What does a work ask, and does it take bids?
    pub(crate) async fn work(&self, call: &Call, id: WorkId) -> Result<Work, Error> {
        let request = GetWorkRequest {
            work_id: id.to_string(),
        };
        let answer = WorkPublisherServiceClient::new(self.publisher.on(call))
            .get_work(request)
            .await
            .map_err(|status| match status.code() {
                Code::NotFound => Error::WorkNotFound(id),
                _ => Unanswered::by(PUBLISHER, status).into(),
            })?;
        let read = || {
            let work = answer.into_inner().work?;
            let terms = Terms {
                work_id: id,
                consumer_id: work.consumer_id.parse().ok()?,
                internal: work.internal,
                max_price: wire::read_money(work.max_price.as_ref()?)?,
                close_time: wire::read_time(work.close_time.as_ref()?)?,
            };
            let is_open = work.status() == WorkStatus::Open;
            Some(Work { terms, is_open })
        };
        read().ok_or_else(|| Unanswered::unreadable(PUBLISHER).into())
    }

    /// Whose is a provider, may it bid, and does this agent of it work?
    pub(crate) async fn provider(
        &self,
        call: &Call,
        id: ProviderId,
        agent: Option<AgentId>,
    ) -> Result<Provider, Error> {
        let request = GetProviderRequest {
            provider_id: id.to_string(),
            agent_id: wire::text(agent),
        };
        let answer = ProviderRegistryServiceClient::new(self.registry.on(call))
            .get_provider(request)
            .await
            .map_err(|status| match status.code() {
                Code::NotFound => Error::ProviderNotFound(id),
                _ => Unanswered::by(REGISTRY, status).into(),
            })?;
        let read = || {
            let answer = answer.into_inner();
            let (provider, agent) = (answer.provider?, answer.agent);
            Some(Provider {
                tenant_id: provider.tenant_id.parse().ok()?,
                is_active: provider.status() == ProviderStatus::Active,
                has_working_agent: agent.map(|agent| agent.status() == AgentStatus::Active),
            })
        };
        read().ok_or_else(|| Unanswered::unreadable(REGISTRY).into())
    }
}
