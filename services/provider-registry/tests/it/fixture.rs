//! Provider-registry in a world of its own, beside an identity and a ledger, with clients for its callers.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_kit::{Hosted as _, Principal, Wire, config::Secret};
use aex_proto::aex::{
    common::v1::Money,
    identity::v1::{self as identity, identity_service_client::IdentityServiceClient},
    provider_registry::v1::{self as pb, provider_registry_service_client::ProviderRegistryServiceClient},
};
use aex_provider_registry::{App, Config, SCHEMA, domain::agent::challenge};
use aex_store::Store;
use aex_testkit::{Database, Ledger, Shape, Who, World, principal};
use ed25519_dalek::{Signer as _, SigningKey};

pub type Client = ProviderRegistryServiceClient<Wire>;

pub struct Registry {
    pub world: World,
    pub database: Database,
    pub app: Arc<App>,
    pub ledger: Arc<Ledger>,
    pub operator: Client,
    pub identity: IdentityServiceClient<Wire>,
    _identity_database: Database,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Registry {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let identity_database = Database::of(&aex_identity::SCHEMA).await;
        let store = Store::attach(
            &aex_identity::SCHEMA,
            identity_database.connect(),
            world.runtime(),
        );
        let mut config = aex_identity::Config::default();
        config.keys.pepper = Some(Secret::new("a pepper of thirty-two bytes, no less".to_owned()));
        let identity = Arc::new(aex_identity::App::on(store, &config, world.mesh()));
        world.host(&identity).await;
        let ledger = Ledger::new();
        world.host(&ledger).await;
        let database = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
        world.host(&app).await;
        let operator = Client::new(world.client(&Who::Operator, App::NAME));
        let identity = IdentityServiceClient::new(world.client(&Who::Operator, aex_identity::App::NAME));
        Self {
            world,
            database,
            app,
            ledger,
            operator,
            identity,
            _identity_database: identity_database,
        }
    }

    /// The registry with its workers running.
    pub async fn at_work() -> Self {
        let registry = Self::new().await;
        Arc::clone(&registry.app).start_workers();
        registry
    }

    /// A key of a new tenant that may do everything.
    pub async fn tenant(&mut self, name: &str) -> Principal {
        self.tenant_of_house(name, false).await
    }

    pub async fn tenant_of_house(&mut self, name: &str, internal: bool) -> Principal {
        let request = identity::CreateTenantRequest {
            idempotency_key: key(),
            display_name: name.to_owned(),
            r#type: identity::TenantType::Both.into(),
            internal,
            ..Default::default()
        };
        let created = self.identity.create_tenant(request).await.unwrap().into_inner();
        Principal {
            tenant: created.tenant.unwrap().tenant_id.parse().unwrap(),
            internal,
            ..principal(&self.world)
        }
    }

    pub fn client(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    /// Registers a provider and answers its id.
    pub async fn register(&self, principal: &Principal, name: &str) -> String {
        let registered = self.client(principal).register_provider(register(name)).await;
        registered.unwrap().into_inner().provider.unwrap().provider_id
    }

    pub async fn register_agent(&self, principal: &Principal, provider_id: &str, seed: u8) -> pb::Agent {
        let registered = self
            .client(principal)
            .register_agent(register_agent(provider_id, seed))
            .await;
        registered.unwrap().into_inner().agent.unwrap()
    }

    pub async fn subscribe(
        &self,
        principal: &Principal,
        provider_id: &str,
        categories: &[&str],
    ) -> pb::Subscription {
        let created = self
            .client(principal)
            .create_subscription(subscribe(provider_id, categories))
            .await;
        created.unwrap().into_inner().subscription.unwrap()
    }

    pub async fn get(&self, principal: &Principal, provider_id: &str) -> pb::Provider {
        let request = pb::GetProviderRequest {
            provider_id: provider_id.to_owned(),
            ..Default::default()
        };
        let found = self.client(principal).get_provider(request).await;
        found.unwrap().into_inner().provider.unwrap()
    }

    pub async fn suspend(&mut self, provider_id: &str) {
        self.operator
            .suspend_provider(suspend(provider_id))
            .await
            .unwrap();
    }

    pub async fn deactivate(&self, principal: &Principal, provider_id: &str) {
        self.client(principal)
            .deactivate_provider(deactivate(provider_id))
            .await
            .unwrap();
    }
}

pub fn register(name: &str) -> pb::RegisterProviderRequest {
    pb::RegisterProviderRequest {
        idempotency_key: key(),
        display_name: name.to_owned(),
        description: "reads digits".to_owned(),
        endpoint: "https://agents.example/a2a".to_owned(),
        capabilities: vec!["vision".to_owned(), "audio.speech".to_owned()],
    }
}

pub fn suspend(provider_id: &str) -> pb::SuspendProviderRequest {
    pb::SuspendProviderRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
        reason: "under review".to_owned(),
    }
}

pub fn deactivate(provider_id: &str) -> pb::DeactivateProviderRequest {
    pb::DeactivateProviderRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
    }
}

pub fn activate(provider_id: &str) -> pb::ActivateProviderRequest {
    pb::ActivateProviderRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
    }
}

pub fn reinstate(provider_id: &str) -> pb::ReinstateProviderRequest {
    pb::ReinstateProviderRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
    }
}

/// The request of an agent whose key comes from a seed.
pub fn register_agent(provider_id: &str, seed: u8) -> pb::RegisterAgentRequest {
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let proof = signing.sign(&challenge(provider_id.parse().unwrap()));
    pb::RegisterAgentRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
        display_name: format!("robot {seed}"),
        public_key: signing.verifying_key().to_bytes().to_vec().into(),
        proof: proof.to_bytes().to_vec().into(),
    }
}

pub fn subscribe(provider_id: &str, categories: &[&str]) -> pb::CreateSubscriptionRequest {
    pb::CreateSubscriptionRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
        categories: categories.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

pub fn cancel(subscription_id: &str) -> pb::CancelSubscriptionRequest {
    pb::CancelSubscriptionRequest {
        idempotency_key: key(),
        subscription_id: subscription_id.to_owned(),
    }
}

pub fn retire(agent_id: &str) -> pb::RetireAgentRequest {
    pb::RetireAgentRequest {
        idempotency_key: key(),
        agent_id: agent_id.to_owned(),
    }
}

pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

/// The same key, bound to one provider.
pub fn bound(principal: &Principal, provider_id: &str) -> Principal {
    Principal {
        provider: Some(provider_id.parse().unwrap()),
        ..principal.clone()
    }
}

pub const NOBODY: &str = "provider_01h455vb4pex5vsknk084sn02q";
