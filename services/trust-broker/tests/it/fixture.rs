//! Trust-broker in a world of its own, beside a ledger, with a client for each kind of caller.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aex_error::wire;
use aex_kit::{Hosted as _, Wire};
use aex_proto::aex::{
    common::v1::{Event, Money},
    contract_engine::v1 as contract,
    provider_registry::v1 as registry,
    settlement::v1 as settlement,
    trust_broker::v1::{self as pb, trust_broker_service_client::TrustBrokerServiceClient},
};
use aex_store::Store;
use aex_testkit::{Database, Ledger, Shape, Who, World, principal};
use aex_trust_broker::{App, Config, SCHEMA};
use aex_types::{EventId, id::kind};
use prost::{Message, Name};

pub type Client = TrustBrokerServiceClient<Wire>;

pub struct Broker {
    pub world: World,
    pub database: Database,
    pub app: Arc<App>,
    pub ledger: Arc<Ledger>,
    pub operator: Client,
    pub evaluator: Client,
    pub tenant: Client,
}

/// A provider and the two sides of its trade.
#[derive(Debug, Clone)]
pub struct Seller {
    pub provider_id: String,
    pub owner_id: String,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Broker {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let ledger = Ledger::new();
        world.host(&ledger).await;
        let database = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
        world.host(&app).await;
        let client = |who: &Who| Client::new(world.client(who, App::NAME));
        let (operator, evaluator) = (client(&Who::Operator), client(&Who::Service("bid-evaluator")));
        let tenant = client(&Who::Tenant(principal(&world)));
        Self {
            world,
            database,
            app,
            ledger,
            operator,
            evaluator,
            tenant,
        }
    }

    /// The broker with its workers running.
    pub async fn at_work() -> Self {
        let broker = Self::new().await;
        Arc::clone(&broker.app).start_workers();
        broker
    }

    pub fn new_id<T: aex_types::id::Named>(&self) -> String {
        self.world.runtime().id::<T>().to_string()
    }

    /// A provider that nobody has heard of.
    pub fn stranger(&self) -> Seller {
        Seller {
            provider_id: self.new_id::<kind::Provider>(),
            owner_id: self.new_id::<kind::Tenant>(),
        }
    }

    /// A provider that the registry told of.
    pub fn registered(&self, internal: bool) -> Seller {
        let seller = self.stranger();
        let payload = registry::ProviderRegistered {
            provider_id: seller.provider_id.clone(),
            tenant_id: seller.owner_id.clone(),
            internal,
            ..Default::default()
        };
        self.tell("provider.registered", "provider-registry", &payload);
        seller
    }

    pub fn tell<P: Message + Name>(&self, kind: &str, producer: &str, payload: &P) {
        let runtime = self.world.runtime();
        let event_id: EventId = runtime.id();
        self.ledger.append([Event {
            event_id: event_id.to_string(),
            r#type: kind.to_owned(),
            payload_type: P::full_name(),
            payload: payload.encode_to_vec().into(),
            occur_time: Some(wire::time(runtime.now())),
            producer: producer.to_owned(),
            ..Event::default()
        }]);
    }

    /// A contract that was settled, with a consumer of its own.
    pub fn settle(&self, seller: &Seller) -> String {
        self.settle_for(seller, &self.new_id::<kind::Tenant>())
    }

    pub fn settle_for(&self, seller: &Seller, consumer_id: &str) -> String {
        let contract_id = self.new_id::<kind::Contract>();
        let payload = settlement::ContractSettled {
            contract_id: contract_id.clone(),
            consumer_id: consumer_id.to_owned(),
            provider_id: seller.provider_id.clone(),
            provider_tenant_id: seller.owner_id.clone(),
            price: Some(usd("0.25")),
            settle_time: Some(wire::time(self.world.runtime().now())),
            ..Default::default()
        };
        self.tell("contract.settled", "settlement", &payload);
        self.world.advance(Duration::from_millis(1));
        contract_id
    }

    pub fn fail(&self, seller: &Seller, reason: &str, fault: contract::Party) -> String {
        let contract_id = self.new_id::<kind::Contract>();
        let payload = contract::ContractFailed {
            contract_id: contract_id.clone(),
            consumer_id: self.new_id::<kind::Tenant>(),
            provider_id: seller.provider_id.clone(),
            provider_tenant_id: seller.owner_id.clone(),
            price: Some(usd("0.25")),
            reason: reason.to_owned(),
            fault: fault.into(),
            ..Default::default()
        };
        self.tell("contract.failed", "contract-engine", &payload);
        self.world.advance(Duration::from_millis(1));
        contract_id
    }

    pub fn expire(&self, seller: &Seller) -> String {
        let contract_id = self.new_id::<kind::Contract>();
        let payload = contract::ContractExpired {
            contract_id: contract_id.clone(),
            consumer_id: self.new_id::<kind::Tenant>(),
            provider_id: seller.provider_id.clone(),
            provider_tenant_id: seller.owner_id.clone(),
            price: Some(usd("0.25")),
            ..Default::default()
        };
        self.tell("contract.expired", "contract-engine", &payload);
        self.world.advance(Duration::from_millis(1));
        contract_id
    }

    /// Our own events of one type, once there are as many.
    pub async fn told(&self, kind: &str, count: usize) -> Vec<Event> {
        let mut seen = 0;
        loop {
            let events = self.ledger.told_by(App::NAME, seen + 1).await;
            seen = events.len();
            let of_kind: Vec<_> = events.into_iter().filter(|event| event.r#type == kind).collect();
            if of_kind.len() >= count {
                return of_kind;
            }
        }
    }

    pub async fn trust(&self, provider_id: &str) -> pb::Trust {
        let request = pb::GetTrustRequest {
            provider_id: provider_id.to_owned(),
        };
        // A credential does not outlive a month that the test lets pass.
        let who = Who::Tenant(principal(&self.world));
        let mut client = Client::new(self.world.client(&who, App::NAME));
        let answer = client.get_trust(request).await.unwrap();
        answer.into_inner().trust.unwrap()
    }

    pub async fn verify(&mut self, provider_id: &str, checks: [bool; 3]) -> pb::Trust {
        let answer = self
            .operator
            .set_verification(verify(provider_id, checks))
            .await
            .unwrap();
        answer.into_inner().trust.unwrap()
    }
}

pub fn verify(provider_id: &str, [identity, endpoint, review]: [bool; 3]) -> pb::SetVerificationRequest {
    pb::SetVerificationRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
        identity_verified: Some(identity),
        endpoint_verified: Some(endpoint),
        review_passed: Some(review),
    }
}

pub fn list(provider_id: &str) -> pb::ListOutcomesRequest {
    pb::ListOutcomesRequest {
        provider_id: provider_id.to_owned(),
        ..Default::default()
    }
}

pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

pub fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-12
}
