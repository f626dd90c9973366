//! A small cast for tests that trade: consumers and providers who know the exchange by its public edge only.
//!
//! Who calls repeats a call, with the same key, for as long as the refusal says that asking again helps or the
//! connection broke; every other refusal comes back as it is. Who waits for something listens to a watch.

mod ask;
mod consumer;
mod exchange;
mod provider;

pub use ask::Wire;
pub use consumer::{Consumer, Terms};
pub use exchange::{Exchange, Trader, usd};
pub use provider::Provider;
