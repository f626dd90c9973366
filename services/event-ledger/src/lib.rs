//! The log of everything that happened: one dense sequence, linked by hash.

mod committer;
pub mod config;
mod convert;
pub mod domain;
mod ends;
mod error;
mod log;
mod recent;
mod rpc;
mod store;

use std::sync::Arc;

use aex_kit::{Hosted, Mesh, Runtime, Signal};
use aex_proto::aex::event_ledger::v1::event_ledger_service_server::{EventLedgerServiceServer, SERVICE_NAME};
use aex_store::{Connect, OpenError, Schema, Store};
use tonic::service::RoutesBuilder;

pub use config::Config;
pub use error::Error;

use crate::{committer::Committer, ends::Ends, recent::Recent};

/// The tables of the event ledger. It is what the others are rebuilt from; itself it comes back from a backup.
pub static SCHEMA: Schema = Schema {
    name: "event_ledger",
    migrations: sqlx::migrate!("./migrations"),
    keeps_keys: false,
    not_replayed: &["head", "event", "visible", "consumer"],
    set_again: &[],
    set_by_feed: &[],
};

/// The service.
#[derive(Debug)]
pub struct App {
    store: Store,
    committer: Committer,
    ends: Ends,
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

    /// The service on a store that is open. It calls nobody, so it makes no link into the mesh.
    pub fn on(store: Store, config: &Config, _mesh: &Mesh) -> Self {
        let recent = Arc::new(Recent::new(config.recent));
        let appended = Signal::default();
        Self {
            committer: Committer::new(&store, Self::NAME, &recent, &appended),
            ends: Ends::new(&store, &recent, &appended),
            store,
        }
    }
}

impl Hosted for App {
    const NAME: &'static str = "event-ledger";
    const PORT: u16 = 8092;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            EventLedgerServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    /// Old replies are swept; nothing else is done in the background: appends are written by the calls that bring them, and
    /// tails look for themselves.
    fn start_workers(self: Arc<Self>) {
        self.store.start_sweeper();
    }

    async fn is_ready(&self) -> bool {
        self.store.is_ready().await
    }
}
