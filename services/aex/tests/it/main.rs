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
mod clients;
mod crash;
mod deployment;
mod dev;
mod documents;
mod full;
mod killer;
mod machine;
mod python;
mod race;
mod rebuild;
mod serve;
mod system;
mod trade;
mod words;
