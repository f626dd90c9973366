//! What a transaction leaves behind beside its own rows: replies, events, news for watchers, jobs. It is gathered, and
//! written by one statement right before the commit, so that rows that others want are held for the shortest time.

use std::collections::BTreeMap;

use aex_types::Timestamp;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Claim, Due, Failure, sql};

/// What is written at the end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// The replies to claimed requests.
    pub(crate) replies: Vec<(Claim, Vec<u8>)>,
    /// The rows of the outbox.
    pub(crate) outbox: Vec<Published>,
    told: Vec<(Uuid, Vec<u8>)>,
    jobs: BTreeMap<(&'static str, Uuid), Job>,
}

/// One event on its way to the ledger.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) occurred: Timestamp,
    pub(crate) aggregate: String,
    pub(crate) version: i64,
    pub(crate) event: Vec<u8>,
}

/// What becomes of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// It is to be done from then on.
    Due(Timestamp),
    /// It is done, unless it was scheduled since it was taken.
    Done,
    /// There is nothing to do.
    Gone,
}

impl Ending {
    pub(crate) fn tell(&mut self, resource: Uuid, message: Vec<u8>) {
        self.told.push((resource, message));
    }

    pub(crate) fn set(&mut self, due: &Due) {
        self.jobs.insert((due.kind, due.key), Job::Due(due.time));
    }

    pub(crate) fn unset(&mut self, kind: &'static str, key: Uuid) {
        self.jobs.insert((kind, key), Job::Gone);
    }

    /// A job that the same transaction schedules or takes back is not merely done.
    pub(crate) fn done(&mut self, kind: &'static str, key: Uuid) {
        self.jobs.entry((kind, key)).or_insert(Job::Done);
    }

    /// The first moment at which a job of each kind is due.
    pub(crate) fn timers(&self) -> BTreeMap<&'static str, Timestamp> {
        let mut first = BTreeMap::new();
        for ((kind, _), job) in &self.jobs {
            if let Job::Due(time) = job {
                let moment = first.entry(*kind).or_insert(*time);
                *moment = (*moment).min(*time);
            }
        }
        first
    }

    /// Who is told something, each once, in the one order in which all transactions hold them.
    pub(crate) fn resources(&self) -> impl Iterator<Item = Uuid> {
        Told::of(&self.told).heads.into_keys()
    }

    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.outbox.is_empty() && self.told.is_empty() && self.jobs.is_empty()
    }

    /// Writes everything; the last statement before the commit.
    pub(crate) async fn write(&self, sql: &mut PgConnection, now: Timestamp) -> Result<(), Failure> {
        if self.is_empty() {
            return Ok(());
        }
        let claims = || self.replies.iter().map(|(claim, _)| claim.name());
        let told = Told::of(&self.told);
        let (mut set, mut unset) = (Vec::new(), Vec::new());
        for (&(kind, key), &job) in &self.jobs {
            match job {
                Job::Due(time) => set.push((kind, key, DateTime::<Utc>::from(time))),
                Job::Done => unset.push((kind, key, true)),
                Job::Gone => unset.push((kind, key, false)),
            }
        }
        sqlx::query(sql!(
            "WITH kept AS (
                 UPDATE idempotency SET reply = kept.reply
                 FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bytea[]) AS kept (scope, method, key, reply)
                 WHERE idempotency.scope = kept.scope AND idempotency.method = kept.method
                   AND idempotency.key = kept.key),
             published AS (
                 INSERT INTO outbox (occur_time, aggregate_id, aggregate_version, event)
                 SELECT * FROM UNNEST($5::timestamptz[], $6::text[], $7::bigint[], $8::bytea[])),
             head AS (
                 INSERT INTO watch_head (resource_id, version) SELECT * FROM UNNEST($9::uuid[], $10::bigint[])
                 ON CONFLICT (resource_id) DO UPDATE SET version = watch_head.version + EXCLUDED.version
                 RETURNING resource_id, version),
             told AS (
                 INSERT INTO watch_log (resource_id, version, message, create_time)
                 SELECT head.resource_id, head.version - told.behind, told.message, $14
                 FROM head JOIN UNNEST($11::uuid[], $12::bigint[], $13::bytea[]) AS told (id, behind, message)
                      ON told.id = head.resource_id),
             unset AS (
                 DELETE FROM timer USING UNNEST($15::text[], $16::uuid[], $17::boolean[]) AS over (kind, key, done)
                 WHERE timer.kind = over.kind AND timer.key = over.key
                   AND (NOT over.done OR (timer.lease IS NOT NULL AND NOT timer.again)))
             INSERT INTO timer (kind, key, due_time) SELECT * FROM UNNEST($18::text[], $19::uuid[], $20::timestamptz[])
             ON CONFLICT (kind, key) DO UPDATE SET due_time = EXCLUDED.due_time, attempts = 0,
                 leased_until = CASE WHEN timer.lease IS NOT NULL THEN timer.leased_until END,
                 again = timer.lease IS NOT NULL"
        ))
        .bind(claims().map(|(scope, ..)| scope).collect::<Vec<_>>())
        .bind(claims().map(|(_, method, _)| method).collect::<Vec<_>>())
        .bind(claims().map(|(.., key)| key).collect::<Vec<_>>())
        .bind(self.replies.iter().map(|(_, reply)| reply.as_slice()).collect::<Vec<_>>())
        .bind(self.outbox.iter().map(|row| DateTime::<Utc>::from(row.occurred)).collect::<Vec<_>>())
        .bind(self.outbox.iter().map(|row| row.aggregate.as_str()).collect::<Vec<_>>())
        .bind(self.outbox.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind(self.outbox.iter().map(|row| row.event.as_slice()).collect::<Vec<_>>())
        .bind(told.heads.keys().copied().collect::<Vec<_>>())
        .bind(told.heads.values().copied().collect::<Vec<_>>())
        .bind(told.messages.iter().map(|message| message.0).collect::<Vec<_>>())
        .bind(told.messages.iter().map(|message| message.1).collect::<Vec<_>>())
        .bind(told.messages.iter().map(|message| message.2).collect::<Vec<_>>())
        .bind(DateTime::<Utc>::from(now))
        .bind(unset.iter().map(|job| job.0).collect::<Vec<_>>())
        .bind(unset.iter().map(|job| job.1).collect::<Vec<_>>())
        .bind(unset.iter().map(|job| job.2).collect::<Vec<_>>())
        .bind(set.iter().map(|job| job.0).collect::<Vec<_>>())
        .bind(set.iter().map(|job| job.1).collect::<Vec<_>>())
        .bind(set.iter().map(|job| job.2).collect::<Vec<_>>())
        .execute(sql)
        .await?;
        Ok(())
    }
}

/// What watchers are told, counted for each resource.
struct Told<'m> {
    /// How many messages each resource gets.
    heads: BTreeMap<Uuid, i64>,
    /// The resource, how many messages for it follow, the message.
    messages: Vec<(Uuid, i64, &'m [u8])>,
}

impl<'m> Told<'m> {
    fn of(told: &'m [(Uuid, Vec<u8>)]) -> Self {
        let mut heads = BTreeMap::new();
        let counted = told.iter().rev().map(|(resource, message)| {
            let count = heads.entry(*resource).or_insert(0);
            let behind = *count;
            *count += 1;
            (*resource, behind, message.as_slice())
        });
        let messages = counted.collect();
        Self { heads, messages }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const KEY: Uuid = Uuid::from_u128(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn the_last_word_on_a_job_counts_and_being_done_is_the_weakest() {
        let mut ending = Ending::default();
        ending.set(&Due::new("a", KEY, at(5)));
        ending.done("a", KEY);
        assert_eq!(ending.jobs[&("a", KEY)], Job::Due(at(5)));
        ending.unset("a", KEY);
        ending.done("a", KEY);
        assert_eq!(ending.jobs[&("a", KEY)], Job::Gone);
        ending.done("b", KEY);
        assert_eq!(ending.jobs[&("b", KEY)], Job::Done);
        ending.set(&Due::new("b", KEY, at(7)));
        assert_eq!(ending.jobs[&("b", KEY)], Job::Due(at(7)));
        ending.set(&Due::new("b", Uuid::from_u128(2), at(6)));
        assert_eq!(ending.timers(), BTreeMap::from([("b", at(6))]));
    }

    #[test]
    fn messages_to_one_resource_keep_their_order() {
        let other = Uuid::from_u128(2);
        let told = [
            (other, vec![1]),
            (KEY, vec![2]),
            (other, vec![3]),
            (other, vec![4]),
        ];
        let Told { heads, messages } = Told::of(&told);
        assert_eq!(heads, BTreeMap::from([(KEY, 1), (other, 3)]));
        let mut of_other: Vec<_> = messages
            .into_iter()
            .filter(|message| message.0 == other)
            .collect();
        of_other.reverse();
        assert_eq!(
            of_other,
            [(other, 2, &[1_u8][..]), (other, 1, &[3]), (other, 0, &[4])]
        );
    }
}
