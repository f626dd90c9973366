//! Settlement: the books of the exchange. Deposits, escrow, settlement, balances and statements.

mod committer;
pub mod config;
mod convert;
mod error;
mod peers;
mod rpc;
mod store;
mod worker;

use std::sync::Arc;

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::settlement::v1::settlement_service_server::{SERVICE_NAME, SettlementServiceServer};
use aex_settlement_ledger::{Event, Policy};
use aex_store::{Connect, Failure, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

use crate::committer::Committer;

/// The tables of settlement.
pub static SCHEMA: Schema = Schema {
    name: "settlement",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: true,
    not_replayed: &[],
    set_again: &[],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
    identity: Link,
    config: Config,
    policy: Arc<Policy>,
    committer: Committer,
}

impl App {
    /// Opens the service on its tables.
    pub async fn open(
        config: &Config,
        connect: &Connect,
        mesh: &Mesh,
        runtime: &Runtime,
    ) -> Result<Self, OpenError> {
        let store = Store::open(&SCHEMA, connect, runtime).await?;
        Ok(Self::on(store, config, mesh))
    }

    /// The service on a store that is open. Its committer runs from now on.
    pub fn on(store: Store, config: &Config, mesh: &Mesh) -> Self {
        let policy = Arc::new(config.books.policy());
        Self {
            committer: Committer::start(&store, Self::NAME, Arc::clone(&policy), &config.batch),
            ledger: mesh.link(Self::NAME, "event-ledger"),
            identity: mesh.link(Self::NAME, "identity"),
            config: config.clone(),
            policy,
            store,
        }
    }

    /// Rebuilds the books from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        let events: Vec<Event> = events
            .iter()
            .map(|stored| {
                convert::event(stored).ok_or_else(|| {
                    let (id, kind) = (&stored.event_id, &stored.r#type);
                    Failure::corrupt(format!("event {id} of type {kind} cannot be read"))
                })
            })
            .collect::<Result<_, _>>()?;
        store::replay(&self.store, &events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "settlement";
    const PORT: u16 = 8088;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            SettlementServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        aex_store::relay(&self.store, Self::NAME, self.ledger.clone());
        worker::start(&self);
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
