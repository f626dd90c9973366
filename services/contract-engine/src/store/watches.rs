//! What watchers of contracts are told.

use std::collections::BTreeSet;

use aex_store::{Failure, Tx, sql};
use uuid::Uuid;

use crate::{convert, domain::contract::Contract};

/// Tells the watchers of a contract, and those of all contracts of its parties, how it stands since. The caller holds the
/// contract's row; the rows that put the parties' messages in order are taken last, and always in one order.
pub(crate) async fn tell(tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Failure> {
    tx.tell(contract.id.uuid(), &convert::told_of_one(contract))
        .await?;
    let terms = &contract.terms;
    let mut resources = BTreeSet::from([terms.consumer_id.uuid()]);
    if contract.status.is_known_to_provider() {
        resources.extend([terms.provider_tenant_id.uuid(), terms.provider_id.uuid()]);
    }
    let message = convert::told_of_all(contract);
    for resource in resources {
        lock(tx, resource).await?;
        tx.tell(resource, &message).await?;
    }
    Ok(())
}

async fn lock(tx: &mut Tx<'_>, resource: Uuid) -> Result<(), Failure> {
    sqlx::query(sql!(
        "INSERT INTO watch_lock (resource_id) VALUES ($1)
         ON CONFLICT (resource_id) DO UPDATE SET resource_id = EXCLUDED.resource_id"
    ))
    .bind(resource)
    .execute(tx.sql())
    .await?;
    Ok(())
}
