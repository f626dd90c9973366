//! Contract-engine: contracts, from the award saga to settlement.

mod award;
pub mod config;
mod convert;
pub mod domain;
mod error;
mod peers;
mod rpc;
mod store;
mod token;
mod worker;

use std::{sync::Arc, time::Duration};

use aex_kit::{Hosted, Link, Mesh, Runtime};
use aex_proto::aex::contract_engine::v1::contract_engine_service_server::{
    ContractEngineServiceServer, SERVICE_NAME,
};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use award::{NoSteps, Steps};
pub use config::Config;
pub use error::Error;

use crate::{peers::Peers, token::TokenKey};

/// The tables of contract-engine.
pub static SCHEMA: Schema = Schema {
    name: "contract_engine",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &["result_blob"],
    set_again: &["award", "release", "settle"],
    set_by_feed: &["auto"],
};

/// The service.
pub struct App {
    store: Store,
    ledger: Link,
    peers: Peers,
    key: TokenKey,
    dispute_window: Duration,
    steps: Arc<dyn Steps>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A service that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its tables cannot be.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// Its key is missing, or cannot be read or used.
    #[error("{0}")]
    Key(String),
}

impl App {
    /// Opens the service on its tables.
    pub async fn open(
        config: &Config,
        connect: &Connect,
        mesh: &Mesh,
        runtime: &Runtime,
    ) -> Result<Self, StartError> {
        let store = Store::open(&SCHEMA, connect, runtime).await?;
        Self::on(store, config, mesh)
    }

    /// The service on a store that is open.
    pub fn on(store: Store, config: &Config, mesh: &Mesh) -> Result<Self, StartError> {
        Ok(Self {
            ledger: mesh.link(Self::NAME, "event-ledger"),
            peers: Peers::new(Self::NAME, mesh),
            key: token_key(&config.tokens)?,
            dispute_window: config.contracts.dispute_window(),
            steps: Arc::new(NoSteps),
            store,
        })
    }

    /// Is told before each step of each award, and may hold it up. For tests of crashes.
    #[must_use]
    pub fn with_steps(mut self, steps: Arc<dyn Steps>) -> Self {
        self.steps = steps;
        self
    }

    /// Rebuilds contracts from their events.
    pub async fn replay(&self, events: &[aex_proto::aex::common::v1::Event]) -> Result<(), Error> {
        store::replay(&self.store, events).await
    }
}

/// The key of contract tokens, as it is configured.
fn token_key(tokens: &config::Tokens) -> Result<TokenKey, StartError> {
    let wrong = |error: &dyn std::fmt::Display| StartError::Key(format!("tokens.key: {error}"));
    if let Some(pem) = &tokens.key {
        return TokenKey::from_pem(pem.reveal()).map_err(|error| wrong(&error));
    }
    let Some(file) = &tokens.key_file else {
        return Err(StartError::Key(config::NO_KEY.to_owned()));
    };
    let wrong = |error: &dyn std::fmt::Display| {
        StartError::Key(format!("tokens.key_file {}: {error}", file.display()))
    };
    let pem = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    TokenKey::from_pem(&pem).map_err(|error| wrong(&error))
}

impl Hosted for App {
    const NAME: &'static str = "contract-engine";
    const PORT: u16 = 8084;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            ContractEngineServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {
        worker::start(&self);
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
