//! Settlement, tested on a real PostgreSQL, in process and over mutual TLS, beside the real identity.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod audit;
mod committer;
mod conformance;
mod crash;
mod deposits;
mod fixture;
mod holds;
mod load;
mod reads;
mod replay;
mod simulation;
mod timers;
