//! A registry of providers for tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aex_error::Code;
use aex_proto::aex::provider_registry::v1::{self as pb, AgentStatus, ProviderStatus};
use aex_testkit::{Double, Script, double};

/// What the registry knows.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    providers: HashMap<String, pb::Provider>,
    agents: HashMap<String, pb::Agent>,
}

impl Registry {
    /// From now on the provider is a tenant's, with a status.
    pub fn set(&self, provider_id: &str, tenant_id: &str, status: ProviderStatus) {
        let provider = pb::Provider {
            provider_id: provider_id.to_owned(),
            tenant_id: tenant_id.to_owned(),
            status: status.into(),
            ..Default::default()
        };
        let mut known = self.0.lock().unwrap();
        known.providers.insert(provider_id.to_owned(), provider);
    }

    /// From now on the agent is a provider's, with a status.
    pub fn set_agent(&self, agent_id: &str, provider_id: &str, status: AgentStatus) {
        let agent = pb::Agent {
            agent_id: agent_id.to_owned(),
            provider_id: provider_id.to_owned(),
            status: status.into(),
            ..Default::default()
        };
        self.0.lock().unwrap().agents.insert(agent_id.to_owned(), agent);
    }

    pub fn played(&self) -> Arc<Double<double::ProviderRegistry>> {
        let known = self.clone();
        let double = Double::new(&Script::default());
        Arc::new(double.on("GetProvider", move |request: pb::GetProviderRequest| {
            let known = known.0.lock().unwrap();
            let provider = known.providers.get(&request.provider_id).cloned();
            let provider = Some(provider.ok_or((Code::NotFound, "PROVIDER_NOT_FOUND"))?);
            let agent = known.agents.get(&request.agent_id).cloned();
            let agent = agent.filter(|agent| agent.provider_id == request.provider_id);
            Ok(pb::GetProviderResponse { provider, agent })
        }))
    }
}
