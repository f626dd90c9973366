//! Forgets what is kept for a time only: replies to idempotency keys, and what watchers were told.

use std::time::Duration;

use aex_error::chain;
use sqlx::{Postgres, query::Query};

use crate::{Failure, Store, sql};

/// How long a reply is kept where keys are not kept for ever.
const REPLIES: Duration = Duration::from_hours(24);
/// How often old rows are looked for.
const SWEEP: Duration = Duration::from_mins(1);
/// How many are forgotten by one statement, as each says itself.
const SWEPT_AT_ONCE: u64 = 1000;

impl Store {
    /// Forgets replies that are older than a day, unless the schema keeps keys for ever, and what watchers were told
    /// before they can no longer resume; at most 1,000 of each. Answers how many of the two that were more.
    pub async fn sweep(&self) -> Result<u64, Failure> {
        let replies = if self.0.schema.keeps_keys {
            0
        } else {
            let old = sqlx::query(sql!(
                "DELETE FROM idempotency WHERE (scope, method, key) IN (
                     SELECT scope, method, key FROM idempotency WHERE create_time < $1
                     ORDER BY create_time LIMIT 1000)"
            ));
            self.forget(old, REPLIES).await?
        };
        let old = sqlx::query(sql!(
            "DELETE FROM watch_log WHERE (resource_id, version) IN (
                 SELECT resource_id, version FROM watch_log WHERE create_time < $1
                     ORDER BY create_time, resource_id, version LIMIT 1000)"
        ));
        Ok(replies.max(self.forget(old, self.0.resumable).await?))
    }

    async fn forget(
        &self,
        old: Query<'_, Postgres, sqlx::postgres::PgArguments>,
        kept: Duration,
    ) -> Result<u64, Failure> {
        let before = self.0.runtime.now().saturating_sub(kept);
        let mut session = self.session().await?;
        let forgotten = old
            .bind(chrono::DateTime::from(before))
            .execute(session.sql())
            .await?;
        session.release();
        Ok(forgotten.rows_affected())
    }

    /// Sweeps as long as the process runs, a little at a time. Replicas may all do it.
    pub fn start_sweeper(&self) {
        let store = self.clone();
        self.runtime().clone().spawn_until_stop(async move {
            loop {
                store.runtime().pause(SWEEP).await;
                while let Ok(SWEPT_AT_ONCE..) = store.sweep().await.inspect_err(|error| {
                    tracing::warn!(error = %chain(error), "cannot forget what is old");
                }) {}
            }
        });
    }
}
