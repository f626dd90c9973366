//! The only SQL of bid-evaluator.

pub(crate) mod audit;
pub(crate) mod evaluations;

use aex_proto::aex::common::v1::Event as Stored;
use aex_store::Store;

use crate::{Error, domain::evaluation::Event};

/// Rebuilds the tables from events, in their order.
pub(crate) async fn replay(store: &Store, events: &[Stored]) -> Result<(), Error> {
    let events: Vec<_> = events.iter().map(Event::try_from).collect::<Result<_, _>>()?;
    store
        .fold(async |folding| Ok(evaluations::apply(folding, &events).await?))
        .await
}
