//! Idempotency: a request takes effect once, and is answered the same way every time.

use aex_kit::Call;
use aex_proto::{Keyed, Secrets};
use prost::Message;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::{Failure, Tx, sql};

/// What identifies a request: who asks, what, under which key, and the request's own hash.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    scope: String,
    method: String,
    key: String,
    hash: Vec<u8>,
}

type Row = (Vec<u8>, Option<Vec<u8>>);

impl Claim {
    pub(crate) fn of(call: &Call, request: &(impl Message + Keyed)) -> Self {
        Self {
            scope: call.scope(),
            method: call.method().to_owned(),
            key: request.idempotency_key().to_owned(),
            hash: Sha256::digest(request.encode_to_vec()).to_vec(),
        }
    }

    /// The first reply, if the request took effect before.
    pub(crate) async fn reply<A: Message + Default>(
        &self,
        sql: &mut PgConnection,
    ) -> Result<Option<A>, Failure> {
        let row: Option<Row> = sqlx::query_as(sql!(
            "SELECT request_hash, reply FROM idempotency WHERE scope = $1 AND method = $2 AND key = $3"
        ))
        .bind(&self.scope)
        .bind(&self.method)
        .bind(&self.key)
        .fetch_optional(sql)
        .await?;
        let Some((hash, reply)) = row else { return Ok(None) };
        if hash != self.hash {
            return Err(Failure::KeyReused);
        }
        // The row and its reply are written by one transaction.
        let reply = reply.ok_or_else(|| Failure::corrupt("a committed request without its reply"))?;
        A::decode(reply.as_slice())
            .map(Some)
            .map_err(|error| Failure::corrupt(error.to_string()))
    }

    /// Claims the key for this transaction, or answers the reply of the one that had it first. A concurrent duplicate
    /// waits here until the first has committed or given up.
    pub(crate) async fn take<A: Message + Default>(&self, tx: &mut Tx<'_>) -> Result<Option<A>, Failure> {
        let now = tx.now();
        let claimed = sqlx::query(sql!(
            "INSERT INTO idempotency (scope, method, key, request_hash, create_time) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING"
        ))
        .bind(&self.scope)
        .bind(&self.method)
        .bind(&self.key)
        .bind(&self.hash)
        .bind(chrono::DateTime::from(now))
        .execute(tx.sql())
        .await?;
        if claimed.rows_affected() == 1 {
            Ok(None)
        } else {
            self.reply(tx.sql()).await
        }
    }

    /// Keeps the reply, without its secrets.
    pub(crate) async fn keep<A: Message + Clone + Secrets>(
        &self,
        tx: &mut Tx<'_>,
        reply: &A,
    ) -> Result<(), Failure> {
        let mut kept = reply.clone();
        kept.blank();
        sqlx::query(sql!(
            "UPDATE idempotency SET reply = $4 WHERE scope = $1 AND method = $2 AND key = $3"
        ))
        .bind(&self.scope)
        .bind(&self.method)
        .bind(&self.key)
        .bind(kept.encode_to_vec())
        .execute(tx.sql())
        .await?;
        Ok(())
    }
}
