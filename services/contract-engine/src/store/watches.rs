//! What watchers of contracts are told.

use std::collections::BTreeSet;

use aex_store::{Failure, Tx, sql};
use prost::Message as _;
use uuid::Uuid;

use crate::{convert, domain::contract::Contract};

/// Tells the watchers of a contract, and those of all contracts of its parties, how it stands since. The caller holds the
/// contract's row; the rows that put the parties' messages in order are taken last, and always in one order.
pub(crate) async fn tell(tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Failure> {
    let terms = &contract.terms;
    let mut parties = BTreeSet::from([terms.consumer_id.uuid()]);
    if contract.status.is_known_to_provider() {
        parties.extend([terms.provider_tenant_id.uuid(), terms.provider_id.uuid()]);
    }
    let parties: Vec<_> = parties.into_iter().collect();
    lock(tx, &parties).await?;
    let of_all = convert::told_of_all(contract).encode_to_vec();
    let mut told = vec![(contract.id.uuid(), convert::told_of_one(contract).encode_to_vec())];
    told.extend(parties.into_iter().map(|party| (party, of_all.clone())));
    tx.tell_each(&told).await
}

/// Takes the rows of all parties. A row is made once and then only locked: it is taken with every step of every
/// contract, and must not leave a dead version behind each time.
async fn lock(tx: &mut Tx<'_>, parties: &[Uuid]) -> Result<(), Failure> {
    if held(tx, parties).await? == parties.len() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO watch_lock (resource_id) SELECT * FROM UNNEST($1::uuid[]) ON CONFLICT DO NOTHING"
    ))
    .bind(parties)
    .execute(tx.sql())
    .await?;
    // Those that another transaction made meanwhile are not locked by having met them.
    held(tx, parties).await.map(drop)
}

async fn held(tx: &mut Tx<'_>, parties: &[Uuid]) -> Result<usize, Failure> {
    let held = sqlx::query(sql!(
        "SELECT 1 FROM watch_lock WHERE resource_id = ANY($1) ORDER BY resource_id FOR UPDATE"
    ))
    .bind(parties)
    .fetch_all(tx.sql())
    .await?;
    Ok(held.len())
}
