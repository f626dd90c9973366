//! The bytes of payloads, once each.

use aex_store::{Failure, Tx, sql};

use crate::domain::payload::Hash;

/// Keeps the bytes, unless they are kept already.
pub(crate) async fn keep(tx: &mut Tx<'_>, sha256: &Hash, bytes: &[u8]) -> Result<(), Failure> {
    sqlx::query(sql!(
        "INSERT INTO payload (sha256, bytes) VALUES ($1, $2) ON CONFLICT (sha256) DO NOTHING"
    ))
    .bind(sha256.as_slice())
    .bind(bytes)
    .execute(tx.sql())
    .await?;
    Ok(())
}

/// The bytes.
pub(crate) async fn find(tx: &mut Tx<'_>, sha256: &Hash) -> Result<Option<Vec<u8>>, Failure> {
    let bytes = sqlx::query_scalar(sql!("SELECT bytes FROM payload WHERE sha256 = $1"))
        .bind(sha256.as_slice())
        .fetch_optional(tx.sql())
        .await?;
    Ok(bytes)
}
