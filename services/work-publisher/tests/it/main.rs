//! Work-market, tested on a real PostgreSQL, in process and over mutual TLS.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod awards;
mod batches;
mod cancel_work;
mod conformance;
mod fixture;
mod follows;
mod list_works;
mod payloads;
mod publish_work;
mod replay;
mod settlement;
mod timers;
mod watch_work;
