//! Bid-evaluator, tested on a real PostgreSQL against scripted peers, in process and over mutual TLS, and beside the real
//! bid-gateway.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod conformance;
mod doubles;
mod evaluate;
mod explain;
mod fixture;
mod replay;
mod samples;
