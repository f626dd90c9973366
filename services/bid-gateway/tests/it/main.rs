//! Bid-gateway, tested on a real PostgreSQL beside the real work-publisher, in process and over mutual TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod batches;
mod conformance;
mod fixture;
mod follows;
mod list_bids;
mod privacy;
mod registry;
mod replay;
mod seal_book;
mod submit_bid;
mod withdraw_bid;
