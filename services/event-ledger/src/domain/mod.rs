//! What the ledger decides, without I/O and without wire types.

pub mod chain;
pub mod consumer;
pub mod event;
pub mod filter;
pub mod placing;
