//! The only SQL of contract-engine.

pub(crate) mod audit;
pub(crate) mod blobs;
pub(crate) mod contracts;
pub(crate) mod watches;

use aex_proto::aex::common::v1::Event as Stored;
use aex_store::Store;

use crate::{Error, domain::contract::Event};

/// Rebuilds the tables from events, in their order.
pub(crate) async fn replay(store: &Store, events: &[Stored]) -> Result<(), Error> {
    let events: Vec<_> = events.iter().map(Event::try_from).collect::<Result<_, _>>()?;
    store
        .fold(async |folding| Ok(contracts::apply(folding, &events).await?))
        .await
}
