//! Bid-gateway: takes bids and keeps one book for each work.

pub mod config;
mod convert;
pub mod domain;
mod error;
mod peers;
mod rpc;
mod store;
mod workers;

use std::sync::Arc;

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::bid_gateway::v1::bid_gateway_service_server::{BidGatewayServiceServer, SERVICE_NAME};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

/// The tables of bid-gateway.
pub static SCHEMA: Schema = Schema {
    name: "bid_gateway",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &[],
    set_again: &[],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
    publisher: Link,
    registry: Link,
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
            publisher: mesh.link(Self::NAME, "work-publisher"),
            registry: mesh.link(Self::NAME, "provider-registry"),
        }
    }

    /// Rebuilds books and bids from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "bid-gateway";
    const PORT: u16 = 8082;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            BidGatewayServiceServer::from_arc(self)
                .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
                .max_encoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        aex_store::relay(&self.store, Self::NAME, self.ledger.clone());
        workers::start(&self);
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
