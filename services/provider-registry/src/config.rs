//! Configuration of provider-registry.

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry};
use serde::{Deserialize, Serialize};

/// Configuration of provider-registry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How it is served.
    pub server: Server,
    /// Where it keeps its state.
    pub database: Database,
    /// Who it is and whom it believes.
    pub auth: Auth,
    /// Where the other services are.
    pub peers: Peers,
    /// What it tells about itself.
    pub telemetry: Telemetry,
}
