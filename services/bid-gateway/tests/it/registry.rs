//! A registry of providers for tests.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aex_error::Code;
use aex_proto::aex::provider_registry::v1::{self as pb, ProviderStatus};
use aex_testkit::{Double, Script, double};

/// What the registry knows.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<HashMap<String, pb::Provider>>>);

impl Registry {
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

    pub fn played(&self) -> Arc<Double<double::ProviderRegistry>> {
        let known = self.clone();
        let double = Double::new(&Script::default());
        Arc::new(double.on("GetProvider", move |request: pb::GetProviderRequest| {
            let provider = known.0.lock().unwrap().get(&request.provider_id).cloned();
            let provider = Some(provider.ok_or((Code::NotFound, "PROVIDER_NOT_FOUND"))?);
            Ok(pb::GetProviderResponse { provider })
        }))
    }
}
