//! What the database of the exchange tells of the load: commits, and what they wrote.

use sqlx::{ConnectOptions as _, Executor as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, sleep_until};

use crate::problem::Problem;

/// Sessions report what they counted at most once a second.
const REPORTED: std::time::Duration = std::time::Duration::from_secs(2);

/// Counters at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    commits: i64,
    wal_bytes: i64,
    wal_syncs: i64,
}

/// What happened between two moments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Transactions, those that only read, and are rolled back, among them.
    pub(crate) commits: f64,
    /// What was written ahead, in kilobytes.
    pub(crate) wal_kb: f64,
    /// How often the disk was waited for.
    pub(crate) syncs: f64,
}

impl Counters {
    /// Reads them when they are complete. The yardstick has its own database, which is left out.
    pub(crate) async fn read(options: &PgConnectOptions) -> Result<Self, Problem> {
        sleep_until(Instant::now() + REPORTED).await;
        let mut connection = options.connect().await?;
        let commits: i64 = sqlx::query_scalar(
            "SELECT SUM(xact_commit + xact_rollback)::bigint FROM pg_stat_database
             WHERE datname NOT IN ('postgres', 'yardstick', 'template0', 'template1')",
        )
        .fetch_one(&mut connection)
        .await?;
        let (wal_bytes, wal_syncs): (i64, i64) =
            sqlx::query_as("SELECT wal_bytes::bigint, wal_sync FROM pg_stat_wal")
                .fetch_one(&mut connection)
                .await?;
        Ok(Self {
            commits,
            wal_bytes,
            wal_syncs,
        })
    }

    /// What happened since, for each of so many.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counters of one run stay far below 52 bits"
    )]
    pub(crate) fn since(&self, before: &Self, number: usize) -> Spent {
        let each = |count: i64| count as f64 / number.max(1) as f64;
        Spent {
            commits: each(self.commits - before.commits),
            wal_kb: each(self.wal_bytes - before.wal_bytes) / 1024.0,
            syncs: each(self.wal_syncs - before.wal_syncs),
        }
    }
}

/// Fresh statistics and a written-out cache, so that a timed window begins with neither behind it.
pub(crate) async fn settle(options: &PgConnectOptions) -> Result<(), Problem> {
    let mut connection: PgConnection = options.connect().await?;
    connection.execute("VACUUM ANALYZE").await?;
    connection.execute("CHECKPOINT").await?;
    Ok(())
}
