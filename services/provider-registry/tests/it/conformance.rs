use aex_kit::{Hosted as _, Principal};
use aex_proto::aex::provider_registry::v1::{self as pb, provider_registry_service_server::SERVICE_NAME};
use aex_provider_registry::App;
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms, Stranger},
};
use prost::Message as _;

use crate::fixture::{
    Registry, activate, cancel, deactivate, key, register, register_agent, reinstate, retire, subscribe,
    suspend, usd,
};

impl Conforms for Registry {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn fresh_tenant(&mut self) -> Principal {
        self.tenant("Eve").await
    }

    fn to_stranger(&self, method: &str) -> Option<Stranger> {
        match method {
            "GetProvider" | "ListAgents" | "SearchProviders" => {
                Some(Stranger::Answered("who sells can be looked up by who buys"))
            }
            _ => None,
        }
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let ada = self.tenant("Ada").await;
        let provider_id = self.register(&ada, "Ada's").await;
        let request = match method {
            "RegisterProvider" => register("Second").encode_to_vec(),
            "GetProvider" => pb::GetProviderRequest {
                provider_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "ListProviders" => pb::ListProvidersRequest {
                page_size: 5,
                ..Default::default()
            }
            .encode_to_vec(),
            "SearchProviders" => pb::SearchProvidersRequest {
                category: "vision.classification".to_owned(),
                ..Default::default()
            }
            .encode_to_vec(),
            "UpdateProvider" => pb::UpdateProviderRequest {
                idempotency_key: key(),
                provider_id,
                display_name: "Countess".to_owned(),
                endpoint: "https://other.example".to_owned(),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["display_name".to_owned(), "endpoint".to_owned()],
                }),
                ..Default::default()
            }
            .encode_to_vec(),
            "DeactivateProvider" => deactivate(&provider_id).encode_to_vec(),
            "ActivateProvider" => {
                self.deactivate(&ada, &provider_id).await;
                activate(&provider_id).encode_to_vec()
            }
            "SuspendProvider" => return Some((Who::Operator, suspend(&provider_id).encode_to_vec())),
            "ReinstateProvider" => {
                self.suspend(&provider_id).await;
                return Some((Who::Operator, reinstate(&provider_id).encode_to_vec()));
            }
            "RegisterAgent" => register_agent(&provider_id, 1).encode_to_vec(),
            "ListAgents" => pb::ListAgentsRequest {
                provider_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "RetireAgent" => {
                let agent_id = self.register_agent(&ada, &provider_id, 2).await.agent_id;
                retire(&agent_id).encode_to_vec()
            }
            "CreateSubscription" => pb::CreateSubscriptionRequest {
                min_budget: Some(usd("0.5")),
                ..subscribe(&provider_id, &["vision.*"])
            }
            .encode_to_vec(),
            "ListSubscriptions" => pb::ListSubscriptionsRequest {
                provider_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "CancelSubscription" => {
                let made = self.subscribe(&ada, &provider_id, &["*"]).await;
                cancel(&made.subscription_id).encode_to_vec()
            }
            "WatchOpportunities" => pb::WatchOpportunitiesRequest {
                provider_id,
                resume_token: 0,
            }
            .encode_to_vec(),
            "Audit" => return Some((Who::Operator, pb::AuditRequest::default().encode_to_vec())),
            _ => return None,
        };
        Some((Who::Tenant(ada), request))
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Registry::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Registry::in_shape(Shape::MutualTls).await).await;
}
