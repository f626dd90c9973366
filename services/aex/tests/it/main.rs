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

mod crash;
mod dev;
mod full;
mod killer;
mod machine;
mod serve;
mod words;
