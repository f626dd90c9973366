//! Bid-gateway in a world of its own, beside the real work-publisher, with a registry and an event ledger that tests
//! can play.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aex_bid_gateway::{App, Config, SCHEMA};
use aex_error::wire;
use aex_kit::{Hosted as _, Principal, Wire};
use aex_proto::aex::{
    bid_gateway::v1::{self as pb, bid_gateway_service_client::BidGatewayServiceClient},
    common::v1::{Event, Money},
    provider_registry::v1::ProviderStatus,
    settlement::v1::{CheckFundsRequest, CheckFundsResponse},
    work_publisher::v1::{
        CancelWorkRequest, PublishWorkRequest, Work,
        work_publisher_service_client::WorkPublisherServiceClient,
    },
};
use aex_store::Store;
use aex_testkit::{Database, Double, Ledger, Script, Shape, Who, World, double, principal};

use crate::registry::Registry;

pub type Client = BidGatewayServiceClient<Wire>;

pub struct Market {
    pub world: World,
    pub database: Database,
    pub app: Arc<App>,
    pub ledger: Arc<Ledger>,
    pub registry: Registry,
    pub operator: Client,
    pub evaluator: Client,
    /// Wants work done.
    pub ada: Principal,
    _works: Database,
}

/// A tenant with a provider.
#[derive(Clone)]
pub struct Seller {
    pub principal: Principal,
    pub provider_id: String,
    pub client: Client,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Market {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let (ledger, registry) = (Ledger::new(), Registry::default());
        world.host(&ledger).await;
        world.host(&registry.played()).await;
        let rich = |_: CheckFundsRequest| {
            Ok(CheckFundsResponse {
                sufficient: true,
                ..Default::default()
            })
        };
        let settlement = Double::<double::Settlement>::new(&Script::default());
        world.host(&Arc::new(settlement.on("CheckFunds", rich))).await;
        let works = Database::of(&aex_work_publisher::SCHEMA).await;
        let store = Store::attach(&aex_work_publisher::SCHEMA, works.connect(), world.runtime());
        let config = aex_work_publisher::Config::default();
        let publisher = Arc::new(aex_work_publisher::App::on(store, &config, world.mesh()));
        world.host(&publisher).await;
        let database = Database::of(&SCHEMA).await;
        // Without workers: the relay stands still, so tests see what was published.
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
        world.host(&app).await;
        let operator = Client::new(world.client(&Who::Operator, App::NAME));
        let evaluator = Client::new(world.client(&Who::Service("bid-evaluator"), App::NAME))
            .max_decoding_message_size(usize::MAX);
        let ada = principal(&world);
        Self {
            world,
            database,
            app,
            ledger,
            registry,
            operator,
            evaluator,
            ada,
            _works: works,
        }
    }

    /// The same with its workers.
    pub async fn working() -> Self {
        let market = Self::new().await;
        Arc::clone(&market.app).start_workers();
        market
    }

    /// A client with a key of a tenant.
    pub fn tenant(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    pub fn works(&self, principal: &Principal) -> WorkPublisherServiceClient<Wire> {
        let who = Who::Tenant(principal.clone());
        WorkPublisherServiceClient::new(self.world.client(&who, "work-publisher"))
    }

    /// Publishes work of Ada's.
    pub async fn work(&self) -> Work {
        self.work_of(&self.ada).await
    }

    pub async fn work_of(&self, principal: &Principal) -> Work {
        let request = PublishWorkRequest {
            idempotency_key: key(),
            category: "vision.classification".to_owned(),
            description: "Tell the digit.".to_owned(),
            max_price: Some(usd("10")),
            ..Default::default()
        };
        let reply = self.works(principal).publish_work(request).await.unwrap();
        reply.into_inner().work.unwrap()
    }

    /// Cancels work of Ada's, and tells it to nobody.
    pub async fn cancel(&self, work_id: &str) {
        let request = CancelWorkRequest {
            idempotency_key: key(),
            work_id: work_id.to_owned(),
        };
        self.works(&self.ada).cancel_work(request).await.unwrap();
    }

    pub fn provider_id(&self) -> String {
        self.world
            .runtime()
            .id::<aex_types::id::kind::Provider>()
            .to_string()
    }

    pub fn contract(&self) -> String {
        self.world
            .runtime()
            .id::<aex_types::id::kind::Contract>()
            .to_string()
    }

    /// A tenant with an active provider.
    pub fn seller(&self) -> Seller {
        self.seller_as(principal(&self.world))
    }

    pub fn seller_as(&self, principal: Principal) -> Seller {
        let provider_id = self.provider_id();
        let tenant_id = principal.tenant.to_string();
        self.registry
            .set(&provider_id, &tenant_id, ProviderStatus::Active);
        Seller {
            client: self.tenant(&principal),
            principal,
            provider_id,
        }
    }

    /// A bid of a seller on a work.
    pub fn offer(&self, seller: &Seller, work_id: &str, price: &str) -> pb::SubmitBidRequest {
        pb::SubmitBidRequest {
            idempotency_key: key(),
            work_id: work_id.to_owned(),
            provider_id: seller.provider_id.clone(),
            price: Some(usd(price)),
            confidence: 0.9,
            approach: "A small network.".to_owned(),
            sample: Some(pb::Sample {
                input: "digit".to_owned(),
                output: "7".to_owned(),
                latency: Some(prost_types::Duration {
                    seconds: 1,
                    nanos: 500_000_000,
                }),
            }),
            sla: Some(pb::Sla {
                max_latency: None,
                availability: 0.99,
            }),
            endpoint: "https://agent.example/a2a".to_owned(),
            regions: vec!["eu.north".to_owned()],
            expire_time: Some(wire::time(
                self.world.runtime().now().saturating_add(Duration::from_hours(1)),
            )),
            ..Default::default()
        }
    }

    pub async fn bid(&self, seller: &Seller, work_id: &str, price: &str) -> Result<pb::Bid, tonic::Status> {
        let request = self.offer(seller, work_id, price);
        let reply = seller.client.clone().submit_bid(request).await?;
        Ok(reply.into_inner().bid.unwrap())
    }

    pub async fn get(&mut self, bid_id: &str) -> pb::Bid {
        let reply = self.operator.get_bid(get(bid_id)).await.unwrap();
        reply.into_inner().bid.unwrap()
    }

    pub async fn seal(&self, work_id: &str) -> pb::SealBookResponse {
        let request = pb::SealBookRequest {
            work_id: work_id.to_owned(),
        };
        let mut evaluator = self.evaluator.clone();
        evaluator.seal_book(request).await.unwrap().into_inner()
    }

    /// Folding the events again gives the tables as they are.
    pub async fn assert_replays(&self, events: &[Event]) {
        let empty = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, empty.connect(), self.world.runtime());
        let replayed = App::on(store, &Config::default(), self.world.mesh());
        // In two parts: a replay goes on from what is there.
        let (early, late) = events.split_at(events.len() / 2);
        replayed.replay(early).await.unwrap();
        replayed.replay(late).await.unwrap();
        assert_eq!(empty.state().await, self.database.state().await);
        assert!(
            replayed.replay(&events[..1]).await.is_err(),
            "an event that does not follow is refused"
        );
    }
}

pub fn get(bid_id: &str) -> pb::GetBidRequest {
    pb::GetBidRequest {
        bid_id: bid_id.to_owned(),
    }
}

pub fn withdraw(bid_id: &str) -> pb::WithdrawBidRequest {
    pb::WithdrawBidRequest {
        idempotency_key: key(),
        bid_id: bid_id.to_owned(),
    }
}

pub fn by_work(work_id: &str) -> pb::ListBidsRequest {
    pb::ListBidsRequest {
        work_id: work_id.to_owned(),
        ..Default::default()
    }
}

pub fn by_provider(provider_id: &str) -> pb::ListBidsRequest {
    pb::ListBidsRequest {
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

pub const NO_WORK: &str = "work_01h455vb4pex5vsknk084sn02q";
pub const NO_BID: &str = "bid_01h455vb4pex5vsknk084sn02q";
