//! Results that are kept here, once for each content.

use aex_store::{Failure, Tx, sql};
use chrono::{DateTime, Utc};

/// Keeps a result; one that is kept already is not kept twice.
pub(crate) async fn keep(tx: &mut Tx<'_>, sha256: &[u8; 32], content: &[u8]) -> Result<(), Failure> {
    let now = DateTime::<Utc>::from(tx.now());
    sqlx::query(sql!(
        "INSERT INTO result_blob (sha256, content, create_time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
    ))
    .bind(sha256.as_slice())
    .bind(content)
    .bind(now)
    .execute(tx.sql())
    .await?;
    Ok(())
}

/// A result that was kept.
pub(crate) async fn find(tx: &mut Tx<'_>, sha256: &[u8; 32]) -> Result<Option<Vec<u8>>, Failure> {
    Ok(
        sqlx::query_scalar(sql!("SELECT content FROM result_blob WHERE sha256 = $1"))
            .bind(sha256.as_slice())
            .fetch_optional(tx.sql())
            .await?,
    )
}
