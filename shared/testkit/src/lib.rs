//! Worlds to test services in: a real PostgreSQL, every service in both shapes, every kind of caller, a clock that
//! tests advance, and one conformance suite for all services.

pub mod conformance;
mod database;
mod refused;
pub mod trader;
mod world;

pub use database::Database;
pub use refused::Refused;
pub use world::{Shape, Who, World, principal};
