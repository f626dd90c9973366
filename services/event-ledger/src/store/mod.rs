//! The only SQL of the event ledger.

pub(crate) mod append;
pub(crate) mod audit;
pub(crate) mod consumers;
pub(crate) mod read;
pub(crate) mod verify;

use aex_store::{Failure, Tx, sql};

use crate::domain::{chain::Hash, placing::Head};

/// The end of the log.
pub(crate) async fn head(tx: &mut Tx<'_>) -> Result<Head, Failure> {
    let row = sqlx::query_as(sql!("SELECT sequence, hash FROM head"))
        .fetch_one(tx.sql())
        .await?;
    head_of(row)
}

fn head_of((sequence, hash): (i64, Vec<u8>)) -> Result<Head, Failure> {
    Ok(Head {
        sequence: place(sequence)?,
        hash: stored_hash(&hash)?,
    })
}

/// A place as the tables hold it.
fn bound(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

fn place(stored: i64) -> Result<u64, Failure> {
    u64::try_from(stored).map_err(|_| Failure::corrupt("a place is negative"))
}

fn stored_hash(bytes: &[u8]) -> Result<Hash, Failure> {
    Hash::read(bytes).ok_or_else(|| Failure::corrupt("a hash is not 32 bytes long"))
}
