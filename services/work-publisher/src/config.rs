//! Configuration of work-publisher.

use std::time::Duration;

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry, at_most};
use serde::{Deserialize, Serialize};

/// Configuration of work-publisher.
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
    /// How long things may take.
    pub work: WorkTimes,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkTimes {
    /// How long work waits to be awarded once bidding is over, in milliseconds; then it fails.
    pub award_ms: u64,
    /// How long after settlement an outcome may be disputed where the work does not say, in milliseconds; at most 7 days.
    #[serde(deserialize_with = "at_most::<_, LONGEST_WINDOW_MS>")]
    pub dispute_window_ms: u64,
}

/// The longest dispute window in milliseconds, as the contract of `PlaceHold` says.
const LONGEST_WINDOW_MS: u64 = 7 * 24 * 60 * 60 * 1000;

impl Default for WorkTimes {
    fn default() -> Self {
        Self {
            award_ms: 3_600_000,
            dispute_window_ms: 86_400_000,
        }
    }
}

impl WorkTimes {
    /// How long work waits to be awarded.
    pub(crate) const fn award(&self) -> Duration {
        Duration::from_millis(self.award_ms)
    }

    /// How long an outcome may be disputed where the work does not say.
    pub(crate) const fn dispute_window(&self) -> Duration {
        Duration::from_millis(self.dispute_window_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_window_that_settlement_would_not_take_is_refused() {
        let read = |times: &str| serde_json::from_str::<WorkTimes>(times);
        assert!(read(r#"{"dispute_window_ms": 604800000}"#).is_ok());
        assert!(read(r#"{"dispute_window_ms": 604800001}"#).is_err());
    }
}
