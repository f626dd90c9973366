//! The contracts, compiled: messages, clients, servers, descriptors, and the rules that the field options state.

pub use prost_reflect;

mod rules;

pub use rules::{Checker, Keyed, Limits, Reason, Rules, Secrets, Violation, is_moment};

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::pedantic,
    missing_docs,
    unused_qualifications,
    reason = "written by prost and tonic"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}

pub use generated::aex;

#[expect(clippy::unreadable_literal, reason = "written by build.rs")]
mod generated_rules {
    include!(concat!(env!("OUT_DIR"), "/rules.rs"));
}

/// The descriptors of every contract, encoded, with our options: what reflection and foreign tools read.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/aex.binpb"));

/// The descriptors of every contract, as a pool.
#[expect(
    clippy::expect_used,
    reason = "the bytes were encoded from valid contracts by build.rs"
)]
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("build.rs encoded a valid descriptor set"));
