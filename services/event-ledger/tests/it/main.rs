//! The event ledger, tested on a real PostgreSQL, in process and over mutual TLS; and what every service does with it:
//! relay, followers, timers and watches.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod append;
mod audit;
mod conformance;
mod consumers;
mod fixture;
mod follower;
mod list_events;
mod measure;
mod reader;
mod relay;
mod tail_events;
mod timers;
mod verify_chain;
mod watch;
