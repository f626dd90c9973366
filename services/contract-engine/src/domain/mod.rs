//! What contract-engine decides: what may happen to a contract, what an award does next, and whether a result is
//! complete. No I/O, no wire types, no clock.

pub mod contract;
pub mod result;
pub mod saga;

#[cfg(test)]
mod fixtures;
