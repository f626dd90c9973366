//! Work-publisher: takes work, keeps its bid window, and follows it to its end.

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
use aex_proto::aex::work_publisher::v1::work_publisher_service_server::{
    SERVICE_NAME, WorkPublisherServiceServer,
};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

use crate::config::WorkTimes;

/// The tables of work-publisher.
pub static SCHEMA: Schema = Schema {
    name: "work_publisher",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &["payload"],
    set_again: &["work.closing"],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
    settlement: Link,
    times: WorkTimes,
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
            settlement: mesh.link(Self::NAME, "settlement"),
            times: config.work,
        }
    }

    /// Rebuilds works and their timers from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "work-publisher";
    const PORT: u16 = 8081;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            WorkPublisherServiceServer::from_arc(self)
                .max_decoding_message_size(aex_kit::LARGEST_MESSAGE)
                .max_encoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        aex_store::relay(&self.store, Self::NAME, self.ledger.clone());
        self.store.start_watch_reader();
        workers::start(&self);
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
