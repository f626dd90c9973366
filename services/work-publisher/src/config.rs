//! Configuration of work-publisher.

use std::time::Duration;

use aex_kit::config::{Auth, Database, Peers, Server, Telemetry};
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

    /// Does settlement take what is written into work that does not say?
    pub const fn check(&self) -> Result<(), &'static str> {
        if self.dispute_window_ms > LONGEST_WINDOW_MS {
            Err("work.dispute_window_ms must be at most 604800000 (7 days)")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dispute_window_that_settlement_would_not_take_is_refused() {
        let of = |dispute_window_ms| WorkTimes {
            dispute_window_ms,
            ..WorkTimes::default()
        };
        assert_eq!(of(604_800_000).check(), Ok(()));
        assert!(of(604_800_001).check().is_err());
    }
}
