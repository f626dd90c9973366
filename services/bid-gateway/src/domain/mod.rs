//! What bid-gateway decides. No I/O, no wire types.

pub mod bid;
pub mod book;
