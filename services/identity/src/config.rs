//! Configuration of identity.

use aex_kit::config::{Auth, Database, Peers, Secret, Server, Telemetry};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::domain::secret::Deployment;

/// Configuration of identity.
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
    /// How it makes keys.
    pub keys: Keys,
}

/// How keys are made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Live keys or test keys; the other kind opens nothing here.
    pub deployment: Deployment,
    /// The key of the keyed hash that secrets are stored as, at least 32 bytes. Without it no key can be verified.
    #[serde(deserialize_with = "long_enough")]
    pub pepper: Option<Secret>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            deployment: Deployment::Test,
            pepper: None,
        }
    }
}

/// The least bytes of a pepper.
const PEPPER: usize = 32;

/// What is said where there is no pepper of that length.
const NO_PEPPER: &str = "keys.pepper must have at least 32 bytes";

/// Reads a pepper that is long enough.
fn long_enough<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let pepper = Option::<Secret>::deserialize(deserializer)?;
    if pepper
        .as_ref()
        .is_some_and(|pepper| pepper.reveal().len() < PEPPER)
    {
        return Err(de::Error::custom(NO_PEPPER));
    }
    Ok(pepper)
}

impl Keys {
    /// The pepper; empty when there is none.
    pub(crate) fn pepper(&self) -> &[u8] {
        self.pepper
            .as_ref()
            .map_or(&[], |pepper| pepper.reveal().as_bytes())
    }

    /// Is there a pepper, and is it long enough?
    pub fn check(&self) -> Result<(), &'static str> {
        if self.pepper().len() < PEPPER {
            Err(NO_PEPPER)
        } else {
            Ok(())
        }
    }
}
