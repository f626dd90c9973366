//! Trust-broker: turns the ends of contracts into trust, and explains it.

pub mod config;
mod convert;
pub mod domain;
mod error;
mod rpc;
mod store;
mod worker;

use std::sync::Arc;

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::trust_broker::v1::trust_broker_service_server::{SERVICE_NAME, TrustBrokerServiceServer};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

/// The tables of trust-broker.
pub static SCHEMA: Schema = Schema {
    name: "trust_broker",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    // Holds nothing: its rows are only there to be locked.
    not_replayed: &["subject"],
    set_again: &["trust.tenure"],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
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

    /// The service on a store that is open.
    pub fn on(store: Store, _config: &Config, mesh: &Mesh) -> Self {
        Self {
            store,
            ledger: mesh.link(Self::NAME, "event-ledger"),
        }
    }

    /// Rebuilds trust records and outcomes from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "trust-broker";
    const PORT: u16 = 8086;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            TrustBrokerServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        aex_store::relay(&self.store, Self::NAME, self.ledger.clone());
        worker::start(&self.store, self.ledger.clone());
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
