//! Trust records in their table.

use std::collections::BTreeMap;

use aex_store::{Due, Failure, Folding, Tx, sql};
use aex_types::{ProviderId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::outcomes;
use crate::{
    convert,
    domain::{
        ladder::Check,
        record::{Change, Counts, Event, TrustRecord},
        score::Score,
        window::Window,
    },
};

/// The job that makes an event of a month more of tenure.
pub(crate) const TENURE: &str = "trust.tenure";

#[derive(sqlx::FromRow)]
struct Row {
    provider_id: Uuid,
    owner_id: Option<Uuid>,
    registered_at: Option<DateTime<Utc>>,
    is_internal: bool,
    passed: Vec<String>,
    contracts: i64,
    successful: i64,
    failed: i64,
    disputed: i64,
    disputes_won: i64,
    disputes_lost: i64,
    excluded: i64,
    score: f64,
    tier: String,
    version: i64,
    update_time: DateTime<Utc>,
}

/// The record of one provider; the newcomer's when there is none.
pub(crate) async fn find(tx: &mut Tx<'_>, id: ProviderId) -> Result<TrustRecord, Failure> {
    let found = find_all(tx, &[id]).await?.remove(&id);
    Ok(found.unwrap_or_else(|| TrustRecord::unknown(id)))
}

/// The records that there are of many providers.
pub(crate) async fn find_all(
    tx: &mut Tx<'_>,
    ids: &[ProviderId],
) -> Result<BTreeMap<ProviderId, TrustRecord>, Failure> {
    load(tx.sql(), ids).await
}

/// The record of one provider, held until the commit; the newcomer's when there is none.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: ProviderId) -> Result<TrustRecord, Failure> {
    sqlx::query(sql!(
        "INSERT INTO subject (provider_id) VALUES ($1) ON CONFLICT DO NOTHING"
    ))
    .bind(id.uuid())
    .execute(tx.sql())
    .await?;
    sqlx::query(sql!("SELECT 1 FROM subject WHERE provider_id = $1 FOR UPDATE"))
        .bind(id.uuid())
        .execute(tx.sql())
        .await?;
    find(tx, id).await
}

/// What was decided, made true: folded, saved, published with the same commit, and the next month of tenure noted.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: TrustRecord,
    events: &[Event],
    cause: Option<&str>,
) -> Result<TrustRecord, Failure> {
    let after = fold(before, events)?;
    if !events.is_empty() {
        save(tx.sql(), std::slice::from_ref(&after), events).await?;
        let facts = events.iter().map(|event| convert::fact(event, after.owner_id));
        tx.publish(facts.map(|fact| match cause {
            Some(event_id) => fact.caused_by(event_id),
            None => fact,
        }));
    }
    match demanded(&after, tx.now()) {
        Some(due) => tx.schedule_all(&[due]),
        None => tx.unschedule(TENURE, after.provider_id.uuid()),
    }
    Ok(after)
}

/// The job that follows from a record, seen from a moment: live from now, after a replay from its last event. A month that
/// changed nothing is no event, so a replay may look at it again.
fn demanded(record: &TrustRecord, seen: Timestamp) -> Option<Due> {
    let due = record.next_tenure_step(seen)?;
    Some(Due::new(TENURE, record.provider_id.uuid(), due))
}

/// Folds stored events into the tables, for replay, and sets the jobs that follow.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let mut by_provider: BTreeMap<ProviderId, Vec<Event>> = BTreeMap::new();
    for event in events {
        by_provider
            .entry(event.provider_id)
            .or_default()
            .push(event.clone());
    }
    let ids: Vec<_> = by_provider.keys().copied().collect();
    let mut before = load(folding.sql(), &ids).await?;
    let of_last_event = |record: &TrustRecord| demanded(record, record.update_time?);
    let demanded_before: Vec<_> = before.values().filter_map(of_last_event).collect();
    let after: Vec<_> = by_provider
        .iter()
        .map(|(id, events)| {
            fold(
                before.remove(id).unwrap_or_else(|| TrustRecord::unknown(*id)),
                events,
            )
        })
        .collect::<Result<_, _>>()?;
    save(folding.sql(), &after, events).await?;
    let demanded_after: Vec<_> = after.iter().filter_map(of_last_event).collect();
    folding.rearm(&demanded_before, &demanded_after).await
}

fn fold(before: TrustRecord, events: &[Event]) -> Result<TrustRecord, Failure> {
    let mut state = before;
    for event in events {
        state = TrustRecord::after(Some(state), event)
            .ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?;
    }
    Ok(state)
}

async fn load(
    sql: &mut PgConnection,
    ids: &[ProviderId],
) -> Result<BTreeMap<ProviderId, TrustRecord>, Failure> {
    let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM trust WHERE provider_id = ANY($1) ORDER BY provider_id"
    ))
    .bind(&uuids)
    .fetch_all(&mut *sql)
    .await?;
    let mut windows = outcomes::windows(sql, &uuids).await?;
    let read = |row: Row| {
        let id = ProviderId::from(row.provider_id);
        row.read(windows.remove(&id).unwrap_or_default())
            .map(|record| (id, record))
    };
    rows.into_iter().map(read).collect()
}

async fn save(sql: &mut PgConnection, records: &[TrustRecord], events: &[Event]) -> Result<(), Failure> {
    let number = |of: fn(&Counts) -> u64| {
        let column = |record: &TrustRecord| i64::try_from(of(&record.counts)).unwrap_or(i64::MAX);
        records.iter().map(column).collect::<Vec<_>>()
    };
    sqlx::query(sql!(
        "INSERT INTO trust (provider_id, owner_id, registered_at, is_internal, passed, contracts, successful, failed,
                            disputed, disputes_won, disputes_lost, excluded, score, tier, version, update_time)
         SELECT provider_id, owner_id, registered_at, is_internal, string_to_array(passed, ','), contracts, successful,
                failed, disputed, disputes_won, disputes_lost, excluded, score, tier, version, update_time
         FROM UNNEST($1::uuid[], $2::uuid[], $3::timestamptz[], $4::boolean[], $5::text[], $6::bigint[], $7::bigint[],
                     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                     $13::double precision[], $14::text[], $15::bigint[], $16::timestamptz[])
              AS t (provider_id, owner_id, registered_at, is_internal, passed, contracts, successful, failed, disputed,
                    disputes_won, disputes_lost, excluded, score, tier, version, update_time)
         ON CONFLICT (provider_id) DO UPDATE SET
             owner_id = EXCLUDED.owner_id, registered_at = EXCLUDED.registered_at,
             is_internal = EXCLUDED.is_internal, passed = EXCLUDED.passed, contracts = EXCLUDED.contracts,
             successful = EXCLUDED.successful, failed = EXCLUDED.failed, disputed = EXCLUDED.disputed,
             disputes_won = EXCLUDED.disputes_won, disputes_lost = EXCLUDED.disputes_lost,
             excluded = EXCLUDED.excluded, score = EXCLUDED.score, tier = EXCLUDED.tier, version = EXCLUDED.version,
             update_time = EXCLUDED.update_time"
    ))
    .bind(records.iter().map(|one| one.provider_id.uuid()).collect::<Vec<_>>())
    .bind(records.iter().map(|one| one.owner_id.map(TenantId::uuid)).collect::<Vec<_>>())
    .bind(records.iter().map(|one| one.registered_at.map(DateTime::<Utc>::from)).collect::<Vec<_>>())
    .bind(records.iter().map(|one| one.is_internal).collect::<Vec<_>>())
    .bind(records.iter().map(passed).collect::<Vec<_>>())
    .bind(number(|counts| counts.contracts))
    .bind(number(|counts| counts.successful))
    .bind(number(|counts| counts.failed))
    .bind(number(|counts| counts.disputed))
    .bind(number(|counts| counts.disputes_won))
    .bind(number(|counts| counts.disputes_lost))
    .bind(number(|counts| counts.excluded))
    .bind(records.iter().map(|one| one.score.get()).collect::<Vec<_>>())
    .bind(records.iter().map(|one| one.tier.to_string()).collect::<Vec<_>>())
    .bind(records.iter().map(|one| i64::try_from(one.version).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(records.iter().map(|one| one.update_time.map(DateTime::<Utc>::from)).collect::<Vec<_>>())
    .execute(&mut *sql)
    .await?;
    let recorded = events.iter().filter_map(|event| match &event.change {
        Change::OutcomeRecorded { outcome, is_counted } => Some((event.provider_id, *outcome, *is_counted)),
        _ => None,
    });
    outcomes::save(sql, &recorded.collect::<Vec<_>>(), records).await
}

fn passed(record: &TrustRecord) -> String {
    let passed = Check::ALL.into_iter().filter(|check| record.passed.has(*check));
    passed.map(Check::as_str).collect::<Vec<_>>().join(",")
}

impl Row {
    fn read(self, window: Window) -> Result<TrustRecord, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("trust of {}: {what}", self.provider_id));
        let count = |number: i64| u64::try_from(number).map_err(|_| broken("counts"));
        let passed: Result<_, _> = self.passed.iter().map(|check| check.parse::<Check>()).collect();
        Ok(TrustRecord {
            provider_id: self.provider_id.into(),
            owner_id: self.owner_id.map(TenantId::from),
            registered_at: self.registered_at.map(Timestamp::from),
            is_internal: self.is_internal,
            passed: passed.map_err(|_| broken("passed"))?,
            counts: Counts {
                contracts: count(self.contracts)?,
                successful: count(self.successful)?,
                failed: count(self.failed)?,
                disputed: count(self.disputed)?,
                disputes_won: count(self.disputes_won)?,
                disputes_lost: count(self.disputes_lost)?,
                excluded: count(self.excluded)?,
            },
            window,
            score: Score::clamped(self.score),
            tier: self.tier.parse().map_err(|_| broken("tier"))?,
            version: count(self.version)?,
            update_time: Some(Timestamp::from(self.update_time)),
        })
    }
}
