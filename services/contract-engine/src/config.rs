//! Configuration of contract-engine.

use std::{path::PathBuf, time::Duration};

use aex_kit::config::{Auth, Database, Peers, Secret, Server, Telemetry, at_most};
use serde::{Deserialize, Serialize};

/// Configuration of contract-engine.
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
    /// How it signs contract tokens.
    pub tokens: Tokens,
    /// What contracts do where the work says nothing.
    pub contracts: Contracts,
}

/// How contract tokens are signed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// The Ed25519 key, as PEM (PKCS#8).
    pub key: Option<Secret>,
    /// The file that has it.
    pub key_file: Option<PathBuf>,
}

/// What is said where there is no key.
pub(crate) const NO_KEY: &str = "tokens.key_file must name the key that contract tokens are signed with, \
                                 the same for every process; `openssl genpkey -algorithm ed25519` makes one";

impl Tokens {
    /// Is there a key? A token is made anew whenever it is asked for, by whichever process: all need the same one, now and
    /// after a restart.
    pub const fn check(&self) -> Result<(), &'static str> {
        if self.key.is_none() && self.key_file.is_none() {
            Err(NO_KEY)
        } else {
            Ok(())
        }
    }
}

/// What contracts do where the work says nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contracts {
    /// How long the money of a rejected contract stays in escrow when the work has no dispute window, in seconds; at
    /// most 7 days.
    #[serde(deserialize_with = "at_most::<_, LONGEST_WINDOW>")]
    pub dispute_window_seconds: u64,
}

/// The longest dispute window in seconds, as the contract of `PlaceHold` says.
const LONGEST_WINDOW: u64 = 7 * 24 * 60 * 60;

impl Default for Contracts {
    fn default() -> Self {
        Self {
            dispute_window_seconds: 24 * 60 * 60,
        }
    }
}

impl Contracts {
    /// How long the money of a rejected contract stays in escrow when the work has no dispute window.
    pub const fn dispute_window(&self) -> Duration {
        Duration::from_secs(self.dispute_window_seconds)
    }
}
