//! `aex events`.

use clap::Subcommand;
use serde_json::json;

use super::{Ask, query, watch};

const LEDGER: &str = "aex.event_ledger.v1.EventLedgerService";

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Follows what happens, from the first event or from a sequence number on.
    Tail {
        /// Begins after the event of this number; without it, with the first.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Lists what happened.
    List {
        /// Only of this thing, by its id.
        #[arg(long)]
        about: Option<String>,
    },
}

impl Events {
    pub(crate) fn ask(&self) -> Ask {
        match self {
            Self::Tail { after } => watch(LEDGER, "TailEvents", json!({"after_sequence": after})),
            Self::List { about } => query(
                LEDGER,
                "ListEvents",
                json!({"filter": {"aggregate_id": about.clone().unwrap_or_default()}}),
            )
            .rows(&["sequence", "occur_time", "type", "aggregate_id", "producer"]),
        }
    }
}
