//! What the registry knows and what may happen to it. Pure: no I/O, no wire types.

pub mod agent;
pub mod category;
pub mod opportunity;
pub mod provider;
pub mod subscription;
