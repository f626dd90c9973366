//! Trust-broker, tested on a real PostgreSQL, in process and over mutual TLS.

#![expect(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod batches;
mod conformance;
mod fixture;
mod outcomes;
mod replay;
mod trust;
