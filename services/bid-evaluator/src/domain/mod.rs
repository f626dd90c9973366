//! What bid-evaluator decides: which bids are fit, what each is worth to the consumer, and which is best. No
//! I/O, no wire types, no clock.
//!
//! The way of a bid: [`filter`] drops what the work cannot use, [`score`] judges what is left in five parts,
//! [`strategy`] weighs the parts as the consumer wishes, [`rank`] puts the bids in a strict order,
//! [`evaluation`] records the result once for each work, and [`explain`] says of each bid why it stands where
//! it stands.
//!
//! Everything here is a function of its arguments. The same bids give the same evaluation, bit by bit, in
//! whatever order they are handed over.

pub mod bid;
pub mod evaluation;
pub mod explain;
pub mod filter;
pub mod rank;
pub mod score;
pub mod strategy;
pub mod terms;

#[cfg(test)]
mod fixtures;
