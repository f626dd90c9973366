//! Contract-engine, tested on a real PostgreSQL against scripted peers, in process and over mutual TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod auto_award;
mod award;
mod conformance;
mod crash;
mod doubles;
mod execution;
mod fixture;
mod replay;
mod visibility;
mod watch;
