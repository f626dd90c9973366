//! Bid-gateway, tested on a real PostgreSQL beside the real work-publisher, in process and over mutual TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod conformance;
mod fixture;
mod follows;
#[path = "../../../work-publisher/tests/it/ledger.rs"]
mod ledger;
mod list_bids;
mod privacy;
mod registry;
mod replay;
mod seal_book;
#[path = "../../../work-publisher/tests/it/settlement.rs"]
#[expect(dead_code, reason = "here nobody looks at the money")]
mod settlement;
mod submit_bid;
mod withdraw_bid;
