//! Configuration of the event ledger.

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry};
use serde::{Deserialize, Serialize};

/// Configuration of the event ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How it is served.
    pub server: Server,
    /// Where it keeps the log.
    pub database: Database,
    /// Who it is and whom it believes.
    pub auth: Auth,
    /// Where the other services are.
    pub peers: Peers,
    /// What it tells about itself.
    pub telemetry: Telemetry,
    /// What it keeps at hand for readers at the end of the log.
    pub recent: Recent,
}

/// What is kept in memory for readers at the end of the log.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recent {
    /// The most events.
    pub max_events: usize,
    /// The most bytes of events.
    pub max_bytes: usize,
}

/// Every service appends here, so it has more connections than they.
const CONNECTIONS: u32 = 8;

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            database: Database {
                max_connections: CONNECTIONS,
                ..Database::default()
            },
            auth: Auth::default(),
            peers: Peers::default(),
            telemetry: Telemetry::default(),
            recent: Recent::default(),
        }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            max_events: 8192,
            max_bytes: 16 << 20,
        }
    }
}
