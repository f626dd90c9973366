//! Writes requests at the end of the log.

use std::collections::{HashMap, HashSet};

use aex_store::{Failure, Tx, sql};
use aex_types::{EventId, Timestamp};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{bound, head_of, place as place_of};
use crate::{
    domain::{
        event::{Aggregate, NewEvent},
        placing::{Head, Known, Placed, Refusal, place},
    },
    log::Stored,
    recent::Entry,
};

/// What became of requests that were written together.
pub(crate) struct Appended {
    /// For each request the places of its events, or why it is refused.
    pub(crate) answers: Vec<Result<Vec<u64>, Refusal>>,
    /// What is new in the log.
    pub(crate) entries: Vec<Entry>,
}

/// Places requests behind the head and writes what is new.
pub(crate) async fn append(tx: &mut Tx<'_>, requests: &[&[NewEvent]]) -> Result<Appended, Failure> {
    let head = lock_head(tx).await?;
    // Looked up behind the lock: what another replica has just appended is seen.
    let known = Known {
        stored: stored(tx, requests).await?,
        last: last_versions(tx, requests).await?,
    };
    let placement = place(head, known, requests);
    let now = tx.now();
    if !placement.new.is_empty() {
        write(tx, placement.head, &placement.new, now).await?;
    }
    Ok(Appended {
        answers: placement.answers,
        entries: placement.new.iter().map(|placed| entry(placed, now)).collect(),
    })
}

async fn lock_head(tx: &mut Tx<'_>) -> Result<Head, Failure> {
    let row = sqlx::query_as(sql!("SELECT sequence, hash FROM head FOR UPDATE"))
        .fetch_one(tx.sql())
        .await?;
    head_of(row)
}

// Both lookups go id by id through an index, by their form alone: a plan that was made while the table was small must
// not read all of it when it is large.

async fn stored(
    tx: &mut Tx<'_>,
    requests: &[&[NewEvent]],
) -> Result<HashMap<EventId, (u64, Bytes)>, Failure> {
    let ids: Vec<Uuid> = requests
        .iter()
        .copied()
        .flatten()
        .map(|event| event.id.uuid())
        .collect();
    let rows: Vec<(Uuid, i64, Vec<u8>)> = sqlx::query_as(sql!(
        "SELECT found.event_id, found.sequence, found.event FROM UNNEST($1::uuid[]) AS asked (event_id)
         CROSS JOIN LATERAL (
             SELECT event_id, sequence, event FROM event WHERE event_id = asked.event_id ORDER BY event_id LIMIT 1
         ) AS found"
    ))
    .bind(ids)
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter()
        .map(|(id, sequence, event)| Ok((id.into(), (place_of(sequence)?, event.into()))))
        .collect()
}

async fn last_versions<'a>(
    tx: &mut Tx<'_>,
    requests: &[&'a [NewEvent]],
) -> Result<HashMap<&'a Aggregate, u64>, Failure> {
    let aggregates: HashSet<&Aggregate> = requests
        .iter()
        .copied()
        .flatten()
        .map(|event| &event.aggregate)
        .collect();
    let aggregates: Vec<&Aggregate> = aggregates.into_iter().collect();
    let ids: Vec<&str> = aggregates.iter().map(|aggregate| aggregate.id.as_str()).collect();
    let kinds: Vec<&str> = aggregates
        .iter()
        .map(|aggregate| aggregate.kind.as_str())
        .collect();
    let producers: Vec<&str> = aggregates
        .iter()
        .map(|aggregate| aggregate.producer.as_str())
        .collect();
    let versions: Vec<i64> = sqlx::query_scalar(sql!(
        "SELECT COALESCE(last.aggregate_version, 0)
         FROM UNNEST($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (id, type, producer, number)
         LEFT JOIN LATERAL (
             SELECT aggregate_version FROM event
             WHERE aggregate_id = asked.id AND aggregate_type = asked.type AND producer = asked.producer
             ORDER BY aggregate_version DESC LIMIT 1
         ) AS last ON true
         ORDER BY asked.number"
    ))
    .bind(ids)
    .bind(kinds)
    .bind(producers)
    .fetch_all(tx.sql())
    .await?;
    let versions = versions
        .into_iter()
        .map(|version| u64::try_from(version).unwrap_or_default());
    Ok(aggregates.into_iter().zip(versions).collect())
}

/// One statement for the events, who may see them, and the head.
async fn write(tx: &mut Tx<'_>, head: Head, new: &[Placed<'_>], now: Timestamp) -> Result<(), Failure> {
    let events = || new.iter().map(|placed| placed.event);
    let (mut viewers, mut viewed) = (Vec::new(), Vec::new());
    for placed in new {
        for tenant in &placed.event.visible_to {
            viewers.push(tenant.uuid());
            viewed.push(bound(placed.sequence));
        }
    }
    sqlx::query(sql!(
        "WITH moved AS (UPDATE head SET sequence = $1, hash = $2),
         shown AS (
             INSERT INTO visible (tenant_id, sequence) SELECT * FROM UNNEST($3::uuid[], $4::bigint[])
         )
         INSERT INTO event (sequence, event_id, type, producer, aggregate_type, aggregate_id, aggregate_version,
             event, hash, append_time)
         SELECT *, $14 FROM UNNEST($5::bigint[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[],
             $11::bigint[], $12::bytea[], $13::bytea[])"
    ))
    .bind(bound(head.sequence))
    .bind(head.hash.bytes().as_slice())
    .bind(viewers)
    .bind(viewed)
    .bind(new.iter().map(|placed| bound(placed.sequence)).collect::<Vec<_>>())
    .bind(events().map(|event| event.id.uuid()).collect::<Vec<_>>())
    .bind(events().map(|event| event.event_type.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| event.aggregate.producer.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| event.aggregate.kind.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| event.aggregate.id.as_str()).collect::<Vec<_>>())
    .bind(events().map(|event| bound(event.version)).collect::<Vec<_>>())
    .bind(events().map(|event| event.bytes.as_ref()).collect::<Vec<&[u8]>>())
    .bind(new.iter().map(|placed| placed.hash.bytes().as_slice()).collect::<Vec<_>>())
    .bind(DateTime::<Utc>::from(now))
    .execute(tx.sql())
    .await?;
    Ok(())
}

fn entry(placed: &Placed<'_>, now: Timestamp) -> Entry {
    let event = placed.event;
    Entry {
        stored: Stored {
            sequence: placed.sequence,
            bytes: event.bytes.clone(),
            hash: placed.hash,
            append_time: now,
        },
        event_type: event.event_type.clone(),
        aggregate_id: event.aggregate.id.clone(),
        producer: event.aggregate.producer.clone(),
        visible_to: event.visible_to.clone(),
    }
}
