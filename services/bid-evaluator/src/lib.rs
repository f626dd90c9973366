//! Bid-evaluator: filters, scores and ranks the bids on a work, once, and explains every score.

pub mod config;
mod convert;
pub mod domain;
mod error;
mod peers;
mod rpc;
mod store;
mod worker;

use std::sync::Arc;

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::bid_evaluator::v1::bid_evaluator_service_server::{
    BidEvaluatorServiceServer, SERVICE_NAME,
};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

use crate::{domain::terms::Rules, peers::Peers};

/// The tables of bid-evaluator.
pub static SCHEMA: Schema = Schema {
    name: "bid_evaluator",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &[],
    set_again: &[],
    set_by_feed: &["evaluate"],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
    peers: Peers,
    rules: Rules,
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
    pub fn on(store: Store, config: &Config, mesh: &Mesh) -> Self {
        Self {
            store,
            ledger: mesh.link(Self::NAME, "event-ledger"),
            peers: Peers::new(Self::NAME, mesh),
            rules: Rules::from(&config.rules),
        }
    }

    /// Rebuilds evaluations from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "bid-evaluator";
    const PORT: u16 = 8083;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            BidEvaluatorServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        worker::start(&self);
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
