//! Work-market in a world of its own, with an event ledger and a settlement that tests can play.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_kit::{Hosted as _, Principal, Wire};
use aex_proto::aex::{
    common::v1::{Event, Money},
    work_publisher::v1::{self as pb, work_publisher_service_client::WorkPublisherServiceClient},
};
use aex_store::Store;
use aex_testkit::{Database, Shape, Who, World, principal};
use aex_work_publisher::{App, Config, SCHEMA};

use crate::{ledger::Ledger, settlement::Settlement};

pub type Client = WorkPublisherServiceClient<Wire>;

pub struct Publisher {
    pub world: World,
    pub database: Database,
    pub app: Arc<App>,
    pub ledger: Arc<Ledger>,
    pub settlement: Arc<Settlement>,
    pub operator: Client,
    pub engine: Client,
    pub ada: Principal,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Publisher {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let (ledger, settlement) = (Ledger::new(), Settlement::new());
        world.host(&ledger).await;
        world.host(&settlement).await;
        let database = Database::of(&SCHEMA).await;
        // Without workers: the relay stands still, so tests see what was published.
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        let app = Arc::new(App::on(store, &Config::default(), world.mesh()));
        world.host(&app).await;
        let operator = Client::new(world.client(&Who::Operator, App::NAME));
        let engine = Client::new(world.client(&Who::Service("contract-engine"), App::NAME));
        let ada = principal(&world);
        Self {
            world,
            database,
            app,
            ledger,
            settlement,
            operator,
            engine,
            ada,
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
        let wire = self.world.client(&Who::Tenant(principal.clone()), App::NAME);
        Client::new(wire).max_decoding_message_size(usize::MAX)
    }

    pub fn ada(&self) -> Client {
        self.tenant(&self.ada)
    }

    /// Publishes for Ada.
    pub async fn publish(&self, request: pb::PublishWorkRequest) -> pb::Work {
        self.ada()
            .publish_work(request)
            .await
            .unwrap()
            .into_inner()
            .work
            .unwrap()
    }

    pub async fn get(&mut self, work_id: &str) -> pb::Work {
        let request = pb::GetWorkRequest {
            work_id: work_id.to_owned(),
        };
        self.operator
            .get_work(request)
            .await
            .unwrap()
            .into_inner()
            .work
            .unwrap()
    }

    pub fn contract(&self) -> String {
        self.world
            .runtime()
            .id::<aex_types::id::kind::Contract>()
            .to_string()
    }

    pub fn bid(&self) -> String {
        self.world.runtime().id::<aex_types::id::kind::Bid>().to_string()
    }

    pub fn evaluation(&self) -> String {
        self.world
            .runtime()
            .id::<aex_types::id::kind::Evaluation>()
            .to_string()
    }

    pub async fn reserve(&mut self, work: &pb::Work, contract_id: &str) -> Result<pb::Work, tonic::Status> {
        let request = pb::ReserveAwardRequest {
            work_id: work.work_id.clone(),
            contract_id: contract_id.to_owned(),
            consumer_id: work.consumer_id.clone(),
        };
        let reply = self.engine.reserve_award(request).await?;
        Ok(reply.into_inner().work.unwrap())
    }

    pub async fn confirm(&mut self, work_id: &str, contract_id: &str) -> Result<pb::Work, tonic::Status> {
        let request = pb::ConfirmAwardRequest {
            work_id: work_id.to_owned(),
            contract_id: contract_id.to_owned(),
        };
        let reply = self.engine.confirm_award(request).await?;
        Ok(reply.into_inner().work.unwrap())
    }

    pub async fn release(&mut self, request: pb::ReleaseAwardRequest) -> pb::Work {
        let reply = self.engine.release_award(request).await.unwrap();
        reply.into_inner().work.unwrap()
    }

    pub async fn cancel(&self, work_id: &str) -> Result<pb::Work, tonic::Status> {
        let reply = self.ada().cancel_work(cancel(work_id)).await?;
        Ok(reply.into_inner().work.unwrap())
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
        assert_eq!(self.database.differences(&empty).await, [""; 0]);
        assert!(
            replayed.replay(&events[..1]).await.is_err(),
            "an event that does not follow is refused"
        );
    }

    /// Opens Ada's watch of a work.
    pub async fn watch(&self, work_id: &str, resume_token: u64) -> tonic::Streaming<pb::WatchWorkResponse> {
        let request = pb::WatchWorkRequest {
            work_id: work_id.to_owned(),
            resume_token,
        };
        self.ada().watch_work(request).await.unwrap().into_inner()
    }
}

/// What a watch tells next; signs of life are passed over.
pub async fn next(watch: &mut tonic::Streaming<pb::WatchWorkResponse>) -> Option<pb::WatchWorkResponse> {
    loop {
        let told = tokio::time::timeout(std::time::Duration::from_secs(20), watch.message());
        let told = told.await.unwrap().unwrap()?;
        if told.kind() != pb::WorkUpdateKind::Unspecified {
            return Some(told);
        }
    }
}

pub fn work() -> pb::PublishWorkRequest {
    pb::PublishWorkRequest {
        idempotency_key: key(),
        category: "vision.classification".to_owned(),
        description: "Tell the digit.".to_owned(),
        max_price: Some(usd("10")),
        ..Default::default()
    }
}

pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

pub fn cancel(work_id: &str) -> pb::CancelWorkRequest {
    pb::CancelWorkRequest {
        idempotency_key: key(),
        work_id: work_id.to_owned(),
    }
}

pub fn release(work_id: &str, contract_id: &str) -> pb::ReleaseAwardRequest {
    pb::ReleaseAwardRequest {
        work_id: work_id.to_owned(),
        contract_id: contract_id.to_owned(),
        reason: "bid_changed".to_owned(),
        r#final: false,
        sealed: false,
    }
}

pub fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

pub const NO_WORK: &str = "work_01h455vb4pex5vsknk084sn02q";
