//! The edge in front of a real identity, spoken to as browsers and gRPC clients do, byte by byte where it matters.

#![expect(
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod access;
mod credentials;
mod double;
mod fixture;
mod grpc_web;
mod http_client;
mod limits;
mod pages;
