//! What trust-broker decides: what the end of a contract says about its provider, what score and tier follow
//! from it, and why. No I/O, no wire types, no clock.
//!
//! [`ending`] reads an [`outcome`] off the end of a contract; [`window`] keeps the outcomes that count;
//! [`evidence`] weighs them, newest first, against a prior; [`modifier`] adds what is known besides;
//! [`ladder`] says which tier that opens; [`assessment`] puts the four together; [`record`] is the aggregate
//! with its events and fold, [`decide`] its commands; [`explain`] says all of it in words.
//!
//! # Time
//!
//! A score is a function of the recorded events and of the moment of the question, because tenure grows with
//! time. The score that a record stores is the score as of its last event, and it is what the events
//! `trust.score_updated` say. A query does not read it off: it assesses the record at its own moment, so that
//! a month of tenure counts from the moment it is full. [`decide::refresh`], asked at
//! [`TrustRecord::next_tenure_step`](record::TrustRecord::next_tenure_step), makes an event of the difference
//! for those who follow events. No other part of a score moves by itself.
//!
//! Replaying events never computes a score again: a score that was said stays said, even when a later version
//! of the exchange weighs things otherwise.

pub mod assessment;
pub mod decide;
pub mod ending;
pub mod evidence;
pub mod explain;
pub mod ladder;
pub mod modifier;
pub mod outcome;
pub mod record;
pub mod score;
pub mod window;

#[cfg(test)]
mod fixtures;
