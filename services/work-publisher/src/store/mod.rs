//! The only SQL of work-publisher.

pub(crate) mod audit;
pub(crate) mod payloads;
pub(crate) mod works;

use aex_proto::aex::common::v1::Event;
use aex_store::Store;

use crate::{Error, convert};

/// Rebuilds the tables from events, in their order.
pub(crate) async fn replay(store: &Store, events: &[Event]) -> Result<(), Error> {
    let events = events
        .iter()
        .map(convert::replayed)
        .collect::<Result<Vec<_>, _>>()?;
    store
        .fold(async |folding| {
            works::apply(folding, events).await?;
            Ok(())
        })
        .await
}
