//! Bid-evaluator in a world of its own.

use std::{sync::Arc, time::Duration};

use aex_bid_evaluator::{App, Config, SCHEMA};
use aex_kit::{Hosted as _, Principal, Wire};
use aex_proto::aex::{
    bid_evaluator::v1::{self as pb, bid_evaluator_service_client::BidEvaluatorServiceClient},
    bid_gateway::v1 as gateway,
    common::v1::{Event, Money, Tier},
    trust_broker::v1 as trust,
    work_publisher::v1 as publisher,
};
use aex_store::Store;
use aex_testkit::{Database, Ledger, Shape, Who, World, principal};

use crate::doubles::Peers;

pub type Client = BidEvaluatorServiceClient<Wire>;

pub struct Evaluator {
    pub world: World,
    pub database: Database,
    pub peers: Peers,
    pub ledger: Arc<Ledger>,
    pub app: Arc<App>,
    pub engine: Client,
    pub operator: Client,
    pub ada: Principal,
    pub bob: Principal,
}

pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

impl Evaluator {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let (mut world, peers) = (World::new(shape), Peers::default());
        world.host(&peers.gateway()).await;
        Self::beside(world, peers).await
    }

    /// Beside the real bid-gateway, with its database.
    pub async fn with_bids() -> (Self, Database) {
        let (mut world, peers) = (World::new(Shape::InProcess), Peers::default());
        world.host(&peers.registry()).await;
        let bids = Database::of(&aex_bid_gateway::SCHEMA).await;
        let store = Store::attach(&aex_bid_gateway::SCHEMA, bids.connect(), world.runtime());
        let config = aex_bid_gateway::Config::default();
        let gateway = Arc::new(aex_bid_gateway::App::on(store, &config, world.mesh()));
        world.host(&gateway).await;
        (Self::beside(world, peers).await, bids)
    }

    /// In a world that has a bid-gateway.
    async fn beside(mut world: World, peers: Peers) -> Self {
        let database = Database::of(&SCHEMA).await;
        let ledger = Ledger::new();
        world.host(&peers.publisher()).await;
        world.host(&peers.trust()).await;
        world.host(&ledger).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
        world.host(&app).await;
        let client = |who: &Who| {
            Client::new(world.client(who, App::NAME)).max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
        };
        Self {
            engine: client(&Who::Service("contract-engine")),
            operator: client(&Who::Operator),
            ada: principal(&world),
            bob: principal(&world),
            app,
            peers,
            ledger,
            database,
            world,
        }
    }

    pub fn client(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    /// A work of Ada's with a budget of 50 USD and sealed bids of Bob's providers: prices and trust scores.
    pub fn work(&self, bids: &[(&str, f64)]) -> (String, Vec<String>) {
        let runtime = self.world.runtime();
        let work_id = runtime.id::<aex_types::id::kind::Work>().to_string();
        let now = aex_error::wire::time(runtime.now());
        let later = aex_error::wire::time(runtime.now().saturating_add(Duration::from_mins(5)));
        let mut stage = self.peers.stage();
        let mut book = Vec::new();
        for (price, score) in bids {
            let provider_id = runtime.id::<aex_types::id::kind::Provider>().to_string();
            book.push(gateway::Bid {
                bid_id: runtime.id::<aex_types::id::kind::Bid>().to_string(),
                work_id: work_id.clone(),
                provider_id: provider_id.clone(),
                provider_tenant_id: self.bob.tenant.to_string(),
                price: Some(usd(price)),
                confidence: 0.9,
                revision: 1,
                expire_time: Some(later),
                receive_time: Some(now),
                ..Default::default()
            });
            stage.trust.insert(
                provider_id.clone(),
                trust::Trust {
                    provider_id,
                    score: *score,
                    tier: Tier::Verified.into(),
                    ..Default::default()
                },
            );
        }
        let bid_ids = book.iter().map(|bid| bid.bid_id.clone()).collect();
        stage.works.insert(
            work_id.clone(),
            publisher::Work {
                work_id: work_id.clone(),
                consumer_id: self.ada.tenant.to_string(),
                max_price: Some(usd("50")),
                auto_award: true,
                ..Default::default()
            },
        );
        let sealed = gateway::SealBookResponse {
            total_bids: u32::try_from(book.len()).unwrap() + 1,
            bids: book,
            seal_time: Some(now),
        };
        stage.books.insert(work_id.clone(), sealed);
        (work_id, bid_ids)
    }

    pub async fn evaluate(&self, work_id: &str) -> pb::Evaluation {
        let request = pb::EvaluateRequest {
            work_id: work_id.to_owned(),
        };
        self.engine
            .clone()
            .evaluate(request)
            .await
            .unwrap()
            .into_inner()
            .evaluation
            .unwrap()
    }

    /// Tells the evaluator that a bid window has closed.
    pub fn tell_closed(&self, work_id: &str) {
        let event = Event {
            event_id: self
                .world
                .runtime()
                .id::<aex_types::id::kind::Event>()
                .to_string(),
            r#type: "work.bid_window_closed".to_owned(),
            aggregate_id: work_id.to_owned(),
            ..Default::default()
        };
        self.ledger.append([event]);
    }

    /// The evaluation, when a worker has made it.
    pub async fn made(&self, work_id: &str) -> pb::Evaluation {
        for _ in 0..400 {
            let request = pb::GetEvaluationRequest {
                work_id: work_id.to_owned(),
            };
            if let Ok(answer) = self.engine.clone().get_evaluation(request).await {
                return answer.into_inner().evaluation.unwrap();
            }
            self.world.advance(Duration::from_millis(100));
            self.world.runtime().pause(Duration::from_millis(10)).await;
        }
        panic!("no evaluation is made");
    }
}
