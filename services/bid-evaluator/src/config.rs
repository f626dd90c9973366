//! Configuration of bid-evaluator.

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry};
use serde::{Deserialize, Serialize};

use crate::domain::{score::Score, terms};

/// Configuration of bid-evaluator.
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
    /// Rules that disqualify a bid only where the deployment wants them.
    pub rules: Rules,
}

/// Rules that disqualify a bid only where the deployment wants them; all are off unless switched on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// The least confidence that will do, 0 to 1.
    pub confidence_floor: Option<f64>,
    /// A bid must name a region that the work names, if the work names any.
    pub region_covered: bool,
    /// A bid must bring a sample.
    pub sample_required: bool,
}

impl From<&Rules> for terms::Rules {
    fn from(rules: &Rules) -> Self {
        Self {
            confidence_floor: rules.confidence_floor.map(Score::clamped),
            region_covered: rules.region_covered,
            sample_required: rules.sample_required,
        }
    }
}
