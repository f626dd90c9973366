//! Named consumers in their table.

use aex_store::{Failure, Tx, sql};
use aex_types::Timestamp;
use chrono::{DateTime, Utc};

use super::{bound, place};
use crate::domain::consumer::Consumer;

type Row = (i64, DateTime<Utc>);

/// A consumer of a scope.
pub(crate) async fn find(tx: &mut Tx<'_>, scope: &str, name: &str) -> Result<Option<Consumer>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!(
        "SELECT sequence, update_time FROM consumer WHERE scope = $1 AND name = $2"
    ))
    .bind(scope)
    .bind(name)
    .fetch_optional(tx.sql())
    .await?;
    row.map(|row| consumer(name, row)).transpose()
}

/// How many consumers a scope has.
pub(crate) async fn count(tx: &mut Tx<'_>, scope: &str) -> Result<u64, Failure> {
    let count: i64 = sqlx::query_scalar(sql!("SELECT COUNT(*) FROM consumer WHERE scope = $1"))
        .bind(scope)
        .fetch_one(tx.sql())
        .await?;
    place(count)
}

/// A consumer of a scope, held until the commit. Where there is none it is made, and the answer says so.
pub(crate) async fn lock(tx: &mut Tx<'_>, scope: &str, name: &str) -> Result<(Consumer, bool), Failure> {
    let now = tx.now();
    let made = sqlx::query(sql!(
        "INSERT INTO consumer (scope, name, sequence, update_time) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING"
    ))
    .bind(scope)
    .bind(name)
    .bind(DateTime::<Utc>::from(now))
    .execute(tx.sql())
    .await?;
    let row: Row = sqlx::query_as(sql!(
        "SELECT sequence, update_time FROM consumer WHERE scope = $1 AND name = $2 FOR UPDATE"
    ))
    .bind(scope)
    .bind(name)
    .fetch_one(tx.sql())
    .await?;
    Ok((consumer(name, row)?, made.rows_affected() > 0))
}

/// Keeps where it stands.
pub(crate) async fn save(tx: &mut Tx<'_>, scope: &str, consumer: &Consumer) -> Result<(), Failure> {
    sqlx::query(sql!(
        "UPDATE consumer SET sequence = $3, update_time = $4 WHERE scope = $1 AND name = $2"
    ))
    .bind(scope)
    .bind(&consumer.name)
    .bind(bound(consumer.sequence))
    .bind(DateTime::<Utc>::from(consumer.update_time))
    .execute(tx.sql())
    .await?;
    Ok(())
}

fn consumer(name: &str, (sequence, update_time): Row) -> Result<Consumer, Failure> {
    Ok(Consumer {
        name: name.to_owned(),
        sequence: place(sequence)?,
        update_time: Timestamp::from(update_time),
    })
}
