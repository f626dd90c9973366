//! An edge in front of a real identity, and its clients.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aex_gateway::{Config, Edge};
use aex_identity::SCHEMA;
use aex_kit::{Clock, Wire, config::Secret, principal::PrincipalKey, tls::Credentials};
use aex_proto::aex::{
    contract_engine::v1 as engine,
    identity::v1::{self as pb, identity_service_client::IdentityServiceClient},
};
use aex_store::Store;
use aex_testkit::{Database, Refused, Shape, Who, World};
use tonic::{
    Request, Status,
    client::Grpc,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use crate::double::Engine;

pub const GET_TENANT: &str = "/aex.identity.v1.IdentityService/GetTenant";
pub const GET_KEYS: &str = "/aex.contract_engine.v1.ContractEngineService/GetContractKeys";
pub const GET_CONTRACT: &str = "/aex.contract_engine.v1.ContractEngineService/GetContract";
pub const WATCH_CONTRACT: &str = "/aex.contract_engine.v1.ContractEngineService/WatchContract";

pub struct Exchange {
    pub world: World,
    _database: Database,
    pub operator: IdentityServiceClient<Wire>,
    pub engine: Arc<Engine>,
    pub address: SocketAddr,
    pub tenant_id: String,
    pub key_id: String,
    pub secret: String,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn config() -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

/// An edge in front of the services of a world.
pub async fn edge(world: &World, config: &Config) -> SocketAddr {
    let gateway = world
        .authority()
        .service("gateway", Clock::system().now())
        .unwrap();
    world
        .mesh()
        .identity("gateway", Credentials::new(&gateway).unwrap());
    let signer = PrincipalKey::from_seed(&[7; 32]).unwrap();
    let edge = Edge::open(config, signer, world.mesh(), world.runtime(), &["identity"]).unwrap();
    edge.listen().await.unwrap().address
}

impl Exchange {
    pub async fn new() -> Self {
        Self::of(Shape::InProcess, &config()).await
    }

    pub async fn of(shape: Shape, config: &Config) -> Self {
        let mut world = World::new(shape);
        let database = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let mut identity = aex_identity::Config::default();
        identity.keys.pepper = Some(Secret::new("a pepper of thirty-two bytes, no less".to_owned()));
        let app = Arc::new(aex_identity::App::on(store, &identity, world.mesh()));
        world.host(&app).await;
        let engine = Engine::answering(&engine::GetContractKeysResponse {
            jwks_json: "{}".to_owned(),
        });
        world.host(&engine).await;
        let operator = IdentityServiceClient::new(world.client(&Who::Operator, "identity"));
        let address = edge(&world, config).await;
        let mut exchange = Self {
            world,
            _database: database,
            operator,
            engine,
            address,
            tenant_id: String::new(),
            key_id: String::new(),
            secret: String::new(),
        };
        exchange.tenant_id = exchange.create("Ada", pb::TenantType::Both).await;
        let tenant_id = exchange.tenant_id.clone();
        (exchange.key_id, exchange.secret) = exchange.create_key(&tenant_id, &["*"]).await;
        exchange
    }

    pub async fn create(&mut self, name: &str, tenant_type: pb::TenantType) -> String {
        let request = pb::CreateTenantRequest {
            idempotency_key: key(),
            display_name: name.to_owned(),
            r#type: tenant_type.into(),
            ..Default::default()
        };
        let created = self.operator.create_tenant(request).await.unwrap().into_inner();
        created.tenant.unwrap().tenant_id
    }

    pub async fn create_key(&mut self, tenant_id: &str, scopes: &[&str]) -> (String, String) {
        let request = pb::CreateApiKeyRequest {
            idempotency_key: key(),
            tenant_id: tenant_id.to_owned(),
            display_name: "robot".to_owned(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let made = self.operator.create_api_key(request).await.unwrap().into_inner();
        (made.api_key.unwrap().key_id, made.secret)
    }

    pub async fn revoke(&mut self) {
        let request = pb::RevokeApiKeyRequest {
            idempotency_key: key(),
            key_id: self.key_id.clone(),
        };
        self.operator.revoke_api_key(request).await.unwrap();
    }

    pub fn get_tenant(&self) -> pb::GetTenantRequest {
        pb::GetTenantRequest {
            tenant_id: self.tenant_id.clone(),
        }
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }

    pub fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address))
            .unwrap()
            .connect_lazy()
    }

    /// A request with the tenant's key.
    pub fn with_key<T>(&self, message: T) -> Request<T> {
        with_credential(message, &self.bearer())
    }

    pub async fn own_tenant(&self) -> Result<pb::Tenant, Refused> {
        let mut client = IdentityServiceClient::new(self.channel());
        match client.get_tenant(self.with_key(self.get_tenant())).await {
            Ok(reply) => Ok(reply.into_inner().tenant.unwrap()),
            Err(status) => Err(Refused::from(status)),
        }
    }
}

pub fn with_credential<T>(message: T, credential: &str) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", MetadataValue::try_from(credential).unwrap());
    request
}

/// Calls any method with an empty answer type, which skips what it does not know.
pub async fn call<T: prost::Message + 'static>(
    channel: Channel,
    path: &str,
    request: Request<T>,
) -> Result<tonic::Response<()>, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let codec: ProstCodec<T, ()> = ProstCodec::default();
    client.unary(request, path.parse().unwrap(), codec).await
}
