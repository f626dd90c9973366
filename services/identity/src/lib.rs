//! Identity: who trades on the exchange, and with which credentials.

pub mod config;
mod convert;
pub mod domain;
mod error;
mod rpc;
mod store;

use std::sync::Arc;

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::identity::v1::identity_service_server::{IdentityServiceServer, SERVICE_NAME};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

use crate::domain::secret::Mint;

/// The tables of identity.
pub static SCHEMA: Schema = Schema {
    name: "identity",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &["api_key_secret"],
    set_again: &[],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    ledger: Link,
    mint: Mint,
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
            mint: Mint::new(config.keys.deployment, config.keys.pepper()),
        }
    }

    /// Rebuilds tenants and keys from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

impl Hosted for App {
    const NAME: &'static str = "identity";
    const PORT: u16 = 8087;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            IdentityServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        aex_store::relay(&self.store, Self::NAME, self.ledger.clone());
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
