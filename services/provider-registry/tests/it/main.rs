//! Provider-registry, tested on a real PostgreSQL with a real identity, in process and over mutual TLS.

#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod agents;
mod batches;
mod conformance;
mod fixture;
mod opportunities;
mod providers;
mod replay;
mod status;
mod subscriptions;
