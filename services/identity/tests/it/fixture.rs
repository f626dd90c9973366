//! Identity in a world of its own, with a client for each kind of caller.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_identity::{App, Config, SCHEMA};
use aex_kit::{Hosted as _, Principal, Wire, config::Secret};
use aex_proto::aex::identity::v1::{self as pb, identity_service_client::IdentityServiceClient};
use aex_store::Store;
use aex_testkit::{Database, Shape, Who, World, principal};

pub type Client = IdentityServiceClient<Wire>;

pub struct Identity {
    pub world: World,
    pub database: Database,
    pub operator: Client,
    pub gateway: Client,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn config() -> Config {
    let mut config = Config::default();
    config.keys.pepper = Some(Secret::new("a pepper of thirty-two bytes, no less".to_owned()));
    config
}

impl Identity {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let database = Database::of(&SCHEMA).await;
        // Without workers: the relay stands still, so tests see what was published.
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &config(), world.mesh()));
        world.host(&app).await;
        let operator = Client::new(world.client(&Who::Operator, App::NAME));
        let gateway = Client::new(world.client(&Who::Service("gateway"), App::NAME));
        Self {
            world,
            database,
            operator,
            gateway,
        }
    }

    /// A client with a key of a tenant.
    pub fn tenant(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    /// A key of this tenant that may do everything.
    pub fn principal_of(&self, tenant_id: &str) -> Principal {
        Principal {
            tenant: tenant_id.parse().unwrap(),
            ..principal(&self.world)
        }
    }

    /// Creates a tenant and answers its id.
    pub async fn create(&mut self, name: &str) -> String {
        let created = self
            .operator
            .create_tenant(create(name))
            .await
            .unwrap()
            .into_inner();
        created.tenant.unwrap().tenant_id
    }

    /// Makes a key and answers it with its secret.
    pub async fn create_key(&mut self, tenant_id: &str, scopes: &[&str]) -> (pb::ApiKey, String) {
        let made = self
            .operator
            .create_api_key(create_key(tenant_id, scopes))
            .await
            .unwrap()
            .into_inner();
        (made.api_key.unwrap(), made.secret)
    }

    pub async fn verdict(&mut self, secret: &str) -> pb::KeyVerdict {
        self.verify(secret).await.verdict()
    }

    pub async fn verify(&mut self, secret: &str) -> pb::VerifyApiKeyResponse {
        let request = pb::VerifyApiKeyRequest {
            secret: secret.to_owned(),
        };
        self.gateway.verify_api_key(request).await.unwrap().into_inner()
    }

    pub async fn suspend(&mut self, tenant_id: &str) {
        self.operator.suspend_tenant(suspend(tenant_id)).await.unwrap();
    }

    pub async fn terminate(&mut self, tenant_id: &str) {
        self.operator
            .terminate_tenant(terminate(tenant_id))
            .await
            .unwrap();
    }
}

pub fn create(name: &str) -> pb::CreateTenantRequest {
    pb::CreateTenantRequest {
        idempotency_key: key(),
        display_name: name.to_owned(),
        r#type: pb::TenantType::Both.into(),
        contact_email: "desk@example.com".to_owned(),
        internal: false,
    }
}

pub fn create_key(tenant_id: &str, scopes: &[&str]) -> pb::CreateApiKeyRequest {
    pb::CreateApiKeyRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.to_owned(),
        display_name: "robot".to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        ..Default::default()
    }
}

pub fn suspend(tenant_id: &str) -> pb::SuspendTenantRequest {
    pb::SuspendTenantRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.to_owned(),
        reason: "billing overdue".to_owned(),
    }
}

pub fn activate(tenant_id: &str) -> pb::ActivateTenantRequest {
    pb::ActivateTenantRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.to_owned(),
    }
}

pub fn terminate(tenant_id: &str) -> pb::TerminateTenantRequest {
    pb::TerminateTenantRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.to_owned(),
        reason: "account closed".to_owned(),
    }
}

pub const NOBODY: &str = "tenant_01h455vb4pex5vsknk084sn02q";
