//! Idempotency: a request takes effect once, and is answered the same way every time.

use aex_kit::Call;
use aex_proto::{Keyed, Secrets};
use prost::Message;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::{Failure, Tx, sql};

/// What identifies a request: who asks, what, under which key, and the request's own hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    scope: String,
    method: String,
    key: String,
    hash: Vec<u8>,
}

type Row = (Vec<u8>, Option<Vec<u8>>);

impl Claim {
    /// The claim of a request.
    pub fn of(call: &Call, request: &(impl Message + Keyed)) -> Self {
        Self {
            scope: call.scope(),
            method: call.method().to_owned(),
            key: request.idempotency_key().to_owned(),
            hash: Sha256::digest(request.encode_to_vec()).to_vec(),
        }
    }

    /// Is it the same key of the same caller and method, whatever the request says?
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.name() == other.name()
    }

    pub(crate) fn name(&self) -> (&str, &str, &str) {
        (&self.scope, &self.method, &self.key)
    }

    /// The first reply, if the request took effect before.
    pub async fn reply<A: Message + Default>(&self, sql: &mut PgConnection) -> Result<Option<A>, Failure> {
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
            return Ok(None);
        }
        // The reply of a day ago may be forgotten between the two statements: then the key is free, and claimed anew.
        let reply = self.reply(tx.sql()).await?;
        reply.map(Some).ok_or_else(Failure::gone)
    }

    /// Keeps the reply, without its secrets.
    pub(crate) fn keep<A: Message + Clone + Secrets>(&self, tx: &mut Tx<'_>, reply: &A) {
        let mut kept = reply.clone();
        kept.blank();
        tx.keep_claim(self, kept.encode_to_vec());
    }
}

/// What became of one claim of a batch.
#[derive(Debug)]
pub enum Taken {
    /// The key is this transaction's; the reply must be kept, or the claim dropped.
    Mine,
    /// The request took effect before, with this reply.
    Before(Vec<u8>),
    /// The key was used for another request.
    Reused,
}

type NamedRow = (String, String, String, Vec<u8>, Option<Vec<u8>>);

/// The claims of a batch: many requests in one transaction, with one statement each for all of them.
impl Tx<'_> {
    /// Claims the keys for this transaction, in one order, before any other lock is taken; answers them in the order in
    /// which they were given. No two may have the same key.
    pub async fn take_claims(&mut self, claims: &[&Claim]) -> Result<Vec<Taken>, Failure> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let mut sorted = claims.to_vec();
        sorted.sort_unstable();
        let now = self.now();
        let mine: Vec<(String, String, String)> = sqlx::query_as(sql!(
            "INSERT INTO idempotency (scope, method, key, request_hash, create_time)
             SELECT *, $5 FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bytea[])
             ON CONFLICT DO NOTHING RETURNING scope, method, key"
        ))
        .bind(
            sorted
                .iter()
                .map(|claim| claim.scope.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(
            sorted
                .iter()
                .map(|claim| claim.method.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(sorted.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>())
        .bind(
            sorted
                .iter()
                .map(|claim| claim.hash.as_slice())
                .collect::<Vec<_>>(),
        )
        .bind(chrono::DateTime::from(now))
        .fetch_all(self.sql())
        .await?;
        let is_mine = |claim: &Claim| {
            mine.iter()
                .any(|(scope, method, key)| (scope.as_str(), method.as_str(), key.as_str()) == claim.name())
        };
        let others: Vec<&Claim> = claims.iter().copied().filter(|claim| !is_mine(claim)).collect();
        let before = self.rows_of(&others).await?;
        claims
            .iter()
            .map(|claim| {
                if is_mine(claim) {
                    return Ok(Taken::Mine);
                }
                let row = before
                    .iter()
                    .find(|row| (row.0.as_str(), row.1.as_str(), row.2.as_str()) == claim.name());
                match row {
                    Some(row) if row.3 != claim.hash => Ok(Taken::Reused),
                    Some(row) => row
                        .4
                        .clone()
                        .map(Taken::Before)
                        .ok_or_else(|| Failure::corrupt("a committed request without its reply")),
                    None => Err(Failure::gone()),
                }
            })
            .collect()
    }

    async fn rows_of(&mut self, claims: &[&Claim]) -> Result<Vec<NamedRow>, Failure> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query_as(sql!(
            "SELECT scope, method, key, request_hash, reply FROM idempotency
             JOIN UNNEST($1::text[], $2::text[], $3::text[]) AS asked (scope, method, key) USING (scope, method, key)"
        ))
        .bind(claims.iter().map(|claim| claim.scope.as_str()).collect::<Vec<_>>())
        .bind(claims.iter().map(|claim| claim.method.as_str()).collect::<Vec<_>>())
        .bind(claims.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>())
        .fetch_all(self.sql())
        .await?;
        Ok(rows)
    }

    /// Keeps the reply to a claimed request, which must be without secrets.
    pub fn keep_claim(&mut self, claim: &Claim, reply: Vec<u8>) {
        self.ending.replies.push((claim.clone(), reply));
    }

    /// Gives back claims of requests that were refused: those are judged anew when they are asked again.
    pub async fn drop_claims(&mut self, refused: &[&Claim]) -> Result<(), Failure> {
        if refused.is_empty() {
            return Ok(());
        }
        sqlx::query(sql!(
            "DELETE FROM idempotency USING UNNEST($1::text[], $2::text[], $3::text[]) AS refused (scope, method, key)
             WHERE idempotency.scope = refused.scope AND idempotency.method = refused.method
               AND idempotency.key = refused.key"
        ))
        .bind(refused.iter().map(|claim| claim.scope.as_str()).collect::<Vec<_>>())
        .bind(refused.iter().map(|claim| claim.method.as_str()).collect::<Vec<_>>())
        .bind(refused.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>())
        .execute(self.sql())
        .await?;
        Ok(())
    }
}
