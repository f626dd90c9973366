//! Worlds to test services in: a real PostgreSQL, every service in both shapes, every kind of caller, a clock that
//! tests advance, peers that tests play, one conformance suite for all services; and the exchange as it is deployed, with
//! those who trade on it.

pub mod conformance;
mod database;
pub mod double;
pub mod fleet;
mod ledger;
pub mod process;
pub mod raw;
mod refused;
mod scratch;
pub mod trader;
mod world;

pub use database::Database;
pub use double::{Double, Script, Turn};
pub use fleet::{Fleet, FleetOptions};
pub use ledger::Ledger;
pub use process::Process;
pub use refused::Refused;
pub use scratch::Scratch;
pub use world::{Shape, Who, World, principal};
