//! An event as the ledger reads it: what it is filed under, and its bytes, which stay as they are.

use aex_types::{EventId, TenantId};
use bytes::Bytes;

/// The thing that an event happened to. An aggregate has one producer: two services may use the same id for what each
/// of them keeps about a thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Aggregate {
    /// Which one.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// The service that tells its events.
    pub producer: String,
}

/// An event that is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its own id.
    pub id: EventId,
    /// What happened: `work.submitted`.
    pub event_type: String,
    /// What it happened to.
    pub aggregate: Aggregate,
    /// The aggregate's version after it, from 1.
    pub version: u64,
    /// The tenants that may see it, each once.
    pub visible_to: Vec<TenantId>,
    /// As its producer encoded it.
    pub bytes: Bytes,
}
