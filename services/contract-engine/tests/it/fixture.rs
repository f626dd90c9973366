//! Contract-engine in a world of its own, with a client for each kind of caller.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aex_contract_engine::{App, Config, SCHEMA, Steps, domain::saga::Step};
use aex_kit::{Hosted as _, Principal, TenantType, Wire, config::Secret, principal::PrincipalKey};
use aex_proto::aex::{
    bid_evaluator::v1 as evaluator,
    bid_gateway::v1 as gateway,
    common::v1::{Money, Tier},
    contract_engine::v1::{self as pb, contract_engine_service_client::ContractEngineServiceClient},
    provider_registry::v1 as registry,
    work_publisher::v1 as publisher,
};
use aex_store::Store;
use aex_testkit::{Database, Ledger, Shape, Who, World, principal};
use tokio::sync::Notify;

use crate::doubles::Peers;

pub type Client = ContractEngineServiceClient<Wire>;

pub struct Engine {
    pub world: World,
    pub database: Database,
    pub peers: Peers,
    pub ledger: Arc<Ledger>,
    pub app: Arc<App>,
    pub operator: Client,
    pub ada: Principal,
    pub bob: Principal,
    pub ada_client: Client,
    pub bob_client: Client,
}

/// A work with its ranked bids, best first.
pub struct Trade {
    pub work_id: String,
    pub bid_ids: Vec<String>,
    pub provider_ids: Vec<String>,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

/// What a deployment says: the key of contract tokens.
pub fn config() -> Config {
    let key = PrincipalKey::from_seed(&[7; 32]).unwrap();
    let mut config = Config::default();
    config.tokens.key = Some(Secret::new(key.private_pem().to_owned()));
    config
}

/// Stops every award before one step, for good: what a crash does.
#[derive(Debug, Default)]
pub struct StopBefore {
    pub at: Mutex<Option<usize>>,
    seen: AtomicU64,
    pub reached: Notify,
}

impl Steps for StopBefore {
    fn before(&self, _: Step) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        let is_here = self.at.lock().unwrap().is_some_and(|at| number >= at as u64);
        Box::pin(async move {
            if is_here {
                self.reached.notify_one();
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Engine {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        Self::with_steps(shape, Arc::new(aex_contract_engine::NoSteps)).await
    }

    pub async fn with_steps(shape: Shape, steps: Arc<dyn Steps>) -> Self {
        let mut world = World::new(shape);
        let database = Database::of(&SCHEMA).await;
        let (peers, ledger) = (Peers::default(), Ledger::new());
        world.host(&peers.publisher()).await;
        world.host(&peers.gateway()).await;
        world.host(&peers.evaluator()).await;
        world.host(&peers.registry()).await;
        world.host(&peers.settlement()).await;
        world.host(&ledger).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = App::on(store, &config(), world.mesh()).unwrap().with_steps(steps);
        let app = Arc::new(app);
        world.host(&app).await;
        let ada = Principal {
            tenant_type: TenantType::Both,
            ..principal(&world)
        };
        let bob = Principal {
            tenant_type: TenantType::Both,
            ..principal(&world)
        };
        Self {
            operator: Client::new(world.client(&Who::Operator, App::NAME)),
            ada_client: client(&world, &ada),
            bob_client: client(&world, &bob),
            world,
            database,
            peers,
            ledger,
            app,
            ada,
            bob,
        }
    }

    pub fn client(&self, principal: &Principal) -> Client {
        client(&self.world, principal)
    }

    /// Ada's work with bids of Bob's providers, ranked in the order of their prices.
    pub fn trade(&self, prices: &[&str], change: impl FnOnce(&mut publisher::Work)) -> Trade {
        let work_id = self.world.runtime().id::<aex_types::id::kind::Work>().to_string();
        let mut work = publisher::Work {
            work_id: work_id.clone(),
            consumer_id: self.ada.tenant.to_string(),
            category: "vision.classification".to_owned(),
            max_price: Some(usd("50")),
            status: publisher::WorkStatus::Evaluating.into(),
            review_time: Some(seconds(3600)),
            dispute_window: Some(seconds(7200)),
            contract_duration: Some(seconds(600)),
            ..Default::default()
        };
        change(&mut work);
        let (mut bid_ids, mut provider_ids, mut ranked) = (Vec::new(), Vec::new(), Vec::new());
        for (rank, price) in (1..).zip(prices) {
            let bid_id = self.world.runtime().id::<aex_types::id::kind::Bid>().to_string();
            let provider_id = self
                .world
                .runtime()
                .id::<aex_types::id::kind::Provider>()
                .to_string();
            ranked.push(evaluator::RankedBid {
                rank,
                bid_id: bid_id.clone(),
                provider_id: provider_id.clone(),
                price: Some(usd(price)),
                tier: Tier::Verified.into(),
                revision: 1,
                ..Default::default()
            });
            let mut stage = self.peers.stage();
            stage
                .bids
                .insert(bid_id.clone(), self.bid(&work_id, &bid_id, &provider_id, price));
            stage.providers.insert(
                provider_id.clone(),
                registry::Provider {
                    provider_id: provider_id.clone(),
                    tenant_id: self.bob.tenant.to_string(),
                    status: registry::ProviderStatus::Active.into(),
                    ..Default::default()
                },
            );
            bid_ids.push(bid_id);
            provider_ids.push(provider_id);
        }
        let mut stage = self.peers.stage();
        stage.evaluations.insert(
            work_id.clone(),
            evaluator::Evaluation {
                work_id: work_id.clone(),
                status: evaluator::EvaluationStatus::Evaluated.into(),
                ranked_bids: ranked,
                ..Default::default()
            },
        );
        stage.works.insert(work_id.clone(), work);
        Trade {
            work_id,
            bid_ids,
            provider_ids,
        }
    }

    fn bid(&self, work_id: &str, bid_id: &str, provider_id: &str, price: &str) -> gateway::Bid {
        let expire = self.world.runtime().now().saturating_add(Duration::from_mins(5));
        gateway::Bid {
            bid_id: bid_id.to_owned(),
            work_id: work_id.to_owned(),
            provider_id: provider_id.to_owned(),
            provider_tenant_id: self.bob.tenant.to_string(),
            price: Some(usd(price)),
            endpoint: "https://agents.example.com/a".to_owned(),
            status: gateway::BidStatus::Ranked.into(),
            revision: 1,
            expire_time: Some(aex_error::wire::time(expire)),
            ..Default::default()
        }
    }

    /// A contract that stands, on a work of which nothing special is known.
    pub async fn awarded(&mut self) -> pb::Contract {
        self.awarded_as(|_| {}).await
    }

    pub async fn awarded_as(&mut self, change: impl FnOnce(&mut publisher::Work)) -> pb::Contract {
        let trade = self.trade(&["10"], change);
        let answer = self.ada_client.award_contract(award(&trade, 0)).await.unwrap();
        answer.into_inner().contract.unwrap()
    }

    /// A contract whose result waits for the consumer.
    pub async fn delivered(&mut self) -> pb::Contract {
        let contract = self.awarded().await;
        let answer = self
            .bob_client
            .complete_contract(complete(&contract.contract_id))
            .await
            .unwrap();
        answer.into_inner().contract.unwrap()
    }

    /// Another one, by clients whose credentials are fresh.
    pub async fn delivered_again(&mut self) -> String {
        (self.ada_client, self.bob_client) = (self.client(&self.ada), self.client(&self.bob));
        self.delivered().await.contract_id
    }

    pub async fn status(&mut self, contract_id: &str) -> pb::ContractStatus {
        self.get(contract_id).await.status()
    }

    pub async fn get(&mut self, contract_id: &str) -> pb::Contract {
        let contract_id = contract_id.to_owned();
        let answer = self
            .operator
            .get_contract(pb::GetContractRequest { contract_id })
            .await;
        answer.unwrap().into_inner().contract.unwrap()
    }

    /// The contracts of a work, oldest first.
    pub async fn of_work(&mut self, work_id: &str) -> Vec<pb::Contract> {
        let request = pb::ListContractsRequest {
            work_id: work_id.to_owned(),
            ..Default::default()
        };
        let answer = self
            .ada_client
            .list_contracts(request)
            .await
            .unwrap()
            .into_inner();
        let mut contracts = answer.contracts;
        contracts.reverse();
        contracts
    }

    pub fn start_workers(&self) {
        Arc::clone(&self.app).start_workers();
    }

    /// Tells the engine that a work's bids are ranked.
    pub fn tell_evaluated(&self, work_id: &str, auto_award: bool) {
        let payload = evaluator::BidsEvaluated {
            work_id: work_id.to_owned(),
            auto_award,
            status: evaluator::EvaluationStatus::Evaluated.into(),
            ..Default::default()
        };
        self.ledger.tell("bids.evaluated", &payload);
    }

    /// The same, with the ranking in the event.
    pub fn tell_ranked(&self, work_id: &str) {
        let ranked = self.peers.stage().evaluations[work_id].ranked_bids.clone();
        let payload = evaluator::BidsEvaluated {
            work_id: work_id.to_owned(),
            auto_award: true,
            status: evaluator::EvaluationStatus::Evaluated.into(),
            ranked_bids: ranked
                .into_iter()
                .map(|bid| evaluator::EvaluatedBid {
                    rank: bid.rank,
                    bid_id: bid.bid_id,
                    provider_id: bid.provider_id,
                    price: bid.price,
                    tier: bid.tier,
                    revision: bid.revision,
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        self.ledger.tell("bids.evaluated", &payload);
    }

    /// Waits for the workers until something holds; the clock moves on meanwhile, a little at a time.
    pub async fn until(&mut self, what: &str, mut holds: impl AsyncFnMut(&mut Self) -> bool) {
        for _ in 0..400 {
            if holds(self).await {
                return;
            }
            self.world.advance(Duration::from_millis(100));
            self.world.runtime().pause(Duration::from_millis(10)).await;
        }
        panic!("in vain: {what}");
    }
}

fn client(world: &World, principal: &Principal) -> Client {
    Client::new(world.client(&Who::Tenant(principal.clone()), App::NAME))
        .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
        .max_encoding_message_size(aex_kit::LARGEST_MESSAGE)
}

pub fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

pub fn award(trade: &Trade, bid: usize) -> pb::AwardContractRequest {
    pb::AwardContractRequest {
        idempotency_key: key(),
        work_id: trade.work_id.clone(),
        bid_id: trade.bid_ids[bid].clone(),
    }
}

pub fn start(contract_id: &str) -> pb::StartContractRequest {
    pb::StartContractRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
    }
}

pub fn report(contract_id: &str, percent: u32) -> pb::ReportProgressRequest {
    pb::ReportProgressRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
        percent,
        message: "on the way".to_owned(),
    }
}

pub fn complete(contract_id: &str) -> pb::CompleteContractRequest {
    pb::CompleteContractRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
        success: true,
        summary: "done".to_owned(),
        result: br#"{"label":7}"#.to_vec().into(),
        result_content_type: "application/json".to_owned(),
        ..Default::default()
    }
}

pub fn accept(contract_id: &str) -> pb::AcceptContractRequest {
    pb::AcceptContractRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
    }
}

pub fn reject(contract_id: &str) -> pb::RejectContractRequest {
    pb::RejectContractRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
        reason: "the labels are wrong".to_owned(),
    }
}

pub fn fail(contract_id: &str) -> pb::FailContractRequest {
    pb::FailContractRequest {
        idempotency_key: key(),
        contract_id: contract_id.to_owned(),
        reason: "out of memory".to_owned(),
    }
}
