//! An event as readers get it, and how much of them one reading takes.

use aex_types::Timestamp;
use bytes::Bytes;

use crate::domain::chain::Hash;

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) bytes: Bytes,
    pub(crate) hash: Hash,
    pub(crate) append_time: Timestamp,
}

/// How much one reading takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// The most events.
    pub(crate) events: usize,
    /// The most bytes of events; one event is taken even if it has more.
    pub(crate) bytes: usize,
}

/// What one reading found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    /// In order.
    pub(crate) events: Vec<Stored>,
    /// Everything up to here was taken or is not wanted.
    pub(crate) upto: u64,
    /// There was nothing behind it.
    pub(crate) is_last: bool,
}
