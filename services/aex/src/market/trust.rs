//! `aex trust`.

use clap::Subcommand;
use serde_json::json;

use super::{Ask, query};

const BROKER: &str = "aex.trust_broker.v1.TrustBrokerService";

#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Shows a provider's score and tier.
    Get { provider_id: String },
    /// Tells how the score comes about and what the next tier needs.
    Explain { provider_id: String },
}

impl Trust {
    pub(crate) fn ask(&self) -> Ask {
        match self {
            Self::Get { provider_id } => query(BROKER, "GetTrust", json!({"provider_id": provider_id})),
            Self::Explain { provider_id } => {
                query(BROKER, "ExplainTrust", json!({"provider_id": provider_id}))
                    .rows(&["name", "value", "formula"])
            }
        }
    }
}
