//! The event ledger in a world of its own, with a client for each kind of caller.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_event_ledger::{App, Config, SCHEMA};
use aex_kit::{Hosted as _, Principal, Wire};
use aex_proto::aex::{
    common::v1::Event,
    event_ledger::v1::{self as pb, event_ledger_service_client::EventLedgerServiceClient},
};
use aex_store::Store;
use aex_testkit::{Database, Shape, Who, World};
use aex_types::EventId;
use bytes::Bytes;
use prost::Message as _;

pub type Client = EventLedgerServiceClient<Wire>;

pub struct Ledger {
    pub world: World,
    pub database: Database,
    pub operator: Client,
    pub publisher: Client,
}

/// The producer that most tests append as.
pub const PUBLISHER: &str = "work-publisher";

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The ledger on a database, as another replica would open it.
pub fn app(world: &World, database: &Database) -> Arc<App> {
    let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
    Arc::new(App::on(store, &Config::default(), world.mesh()))
}

impl Ledger {
    pub async fn new() -> Self {
        Self::in_shape(Shape::InProcess).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        let mut world = World::new(shape);
        let database = Database::of(&SCHEMA).await;
        world.host(&app(&world, &database)).await;
        let operator = Client::new(world.client(&Who::Operator, App::NAME));
        let publisher = Client::new(world.client(&Who::Service(PUBLISHER), App::NAME))
            .max_encoding_message_size(usize::MAX);
        Self {
            world,
            database,
            operator,
            publisher,
        }
    }

    /// A client of a service.
    pub fn service(&self, name: &'static str) -> Client {
        Client::new(self.world.client(&Who::Service(name), App::NAME))
            .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
    }

    /// A client with a key of a tenant.
    pub fn tenant(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    /// An event of the publisher about a work.
    pub fn work(&self, work: u64, version: u64) -> Event {
        let id: EventId = self.world.runtime().id();
        Event {
            event_id: id.to_string(),
            r#type: "work.submitted".to_owned(),
            payload_type: "aex.work_publisher.v1.WorkSubmitted".to_owned(),
            payload: Bytes::from_static(b"payload"),
            aggregate_type: "work".to_owned(),
            aggregate_id: format!("work_{work}"),
            aggregate_version: version,
            producer: PUBLISHER.to_owned(),
            schema_version: 1,
            ..Event::default()
        }
    }

    /// Appends as the publisher.
    pub async fn append(&mut self, events: &[Event]) -> Vec<u64> {
        self.publisher
            .append(request(events))
            .await
            .unwrap()
            .into_inner()
            .sequences
    }

    /// Appends the first versions of so many new works, one by one, numbered from here.
    pub async fn append_works(&mut self, works: std::ops::Range<u64>) {
        let events: Vec<_> = works.map(|work| self.work(work, 1)).collect();
        self.append(&events).await;
    }

    pub async fn verify(&mut self) -> pb::VerifyChainResponse {
        self.operator
            .verify_chain(pb::VerifyChainRequest::default())
            .await
            .unwrap()
            .into_inner()
    }

    /// The whole log.
    pub async fn events(&mut self) -> Vec<pb::StoredEvent> {
        listed(&mut self.operator, None).await
    }
}

/// Every page of a list.
pub async fn listed(client: &mut Client, filter: Option<pb::EventFilter>) -> Vec<pb::StoredEvent> {
    let mut request = pb::ListEventsRequest {
        filter,
        page_size: 200,
        page_token: String::new(),
    };
    let mut events = Vec::new();
    loop {
        let page = client.list_events(request.clone()).await.unwrap().into_inner();
        events.extend(page.events);
        if page.next_page_token.is_empty() {
            return events;
        }
        request.page_token = page.next_page_token;
    }
}

pub fn request(events: &[Event]) -> pb::AppendRequest {
    pb::AppendRequest {
        events: events.iter().map(|event| event.encode_to_vec().into()).collect(),
    }
}

pub fn sequences(events: &[pb::StoredEvent]) -> Vec<u64> {
    events.iter().map(|event| event.sequence).collect()
}
