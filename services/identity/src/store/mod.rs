//! The only SQL of identity.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod tenants;

use aex_proto::aex::common::v1::Event;
use aex_store::Store;

use crate::{Error, convert::Replayed};

/// Rebuilds the tables from events, in their order.
pub(crate) async fn replay(store: &Store, events: &[Event]) -> Result<(), Error> {
    let (mut tenants, mut keys) = (Vec::new(), Vec::new());
    for event in events {
        match Replayed::try_from(event)? {
            Replayed::Tenant(event) => tenants.push(event),
            Replayed::ApiKey(event) => keys.push(event),
        }
    }
    store
        .fold(async |folding| {
            tenants::apply(folding, &tenants).await?;
            api_keys::apply(folding, &keys).await?;
            Ok(())
        })
        .await
}
