//! Jobs as rows: what a state demands to be done, and when. The live run and a replay set them by the same statements.

use std::collections::BTreeSet;

use aex_types::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Failure, sql};

/// One thing to be done: which kind, for whom, from when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The kind of the job, as [`Job::KIND`](crate::Job::KIND).
    pub kind: &'static str,
    /// What it is done for.
    pub key: Uuid,
    /// Not before this.
    pub time: Timestamp,
}

impl Due {
    /// One job of a kind, for a key, at a moment.
    pub const fn new(kind: &'static str, key: Uuid, time: Timestamp) -> Self {
        Self { kind, key, time }
    }
}

/// What changes when a state that demanded `before` demands `after`: what is to be set, and what is to be taken back. A
/// job that both demand is left as it is: it may be under way, or done.
pub(crate) fn change(before: &[Due], after: &[Due]) -> (Vec<Due>, Vec<(&'static str, Uuid)>) {
    let known: BTreeSet<_> = before.iter().collect();
    let set = after.iter().filter(|due| !known.contains(due)).copied().collect();
    let demanded: BTreeSet<_> = after.iter().map(|due| (due.kind, due.key)).collect();
    let unset = before
        .iter()
        .map(|due| (due.kind, due.key))
        .filter(|job| !demanded.contains(job))
        .collect();
    (set, unset)
}

/// Sets jobs. One that is under way keeps its lease, and is run again afterwards.
pub(crate) async fn set(sql: &mut PgConnection, jobs: &[Due]) -> Result<(), Failure> {
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO timer (kind, key, due_time) SELECT * FROM UNNEST($1::text[], $2::uuid[], $3::timestamptz[])
         ON CONFLICT (kind, key) DO UPDATE SET due_time = EXCLUDED.due_time, attempts = 0,
             leased_until = CASE WHEN timer.lease IS NOT NULL THEN timer.leased_until END,
             again = timer.lease IS NOT NULL"
    ))
    .bind(jobs.iter().map(|due| due.kind).collect::<Vec<_>>())
    .bind(jobs.iter().map(|due| due.key).collect::<Vec<_>>())
    .bind(
        jobs.iter()
            .map(|due| chrono::DateTime::from(due.time))
            .collect::<Vec<_>>(),
    )
    .execute(sql)
    .await?;
    Ok(())
}

pub(crate) async fn unset(sql: &mut PgConnection, jobs: &[(&'static str, Uuid)]) -> Result<(), Failure> {
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "DELETE FROM timer USING UNNEST($1::text[], $2::uuid[]) AS done (kind, key)
         WHERE timer.kind = done.kind AND timer.key = done.key"
    ))
    .bind(jobs.iter().map(|job| job.0).collect::<Vec<_>>())
    .bind(jobs.iter().map(|job| job.1).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_set_or_taken_back() {
        let (key, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let stays = Due::new("stays", key, at(1));
        let moves = Due::new("moves", key, at(2));
        let goes = Due::new("goes", key, at(3));
        let comes = Due::new("goes", other, at(3));
        let later = Due { time: at(9), ..moves };
        let (set, unset) = change(&[stays, moves, goes], &[stays, later, comes]);
        assert_eq!(set, [later, comes]);
        assert_eq!(unset, [("goes", key)]);
        assert_eq!(change(&[stays], &[stays]), (Vec::new(), Vec::new()));
    }
}
