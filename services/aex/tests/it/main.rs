//! The binary as people use it: started, spoken to, killed.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod certificates;
mod deployment;
mod dev;
mod machine;
mod race;
mod serve;
mod system;
mod trade;
mod words;
