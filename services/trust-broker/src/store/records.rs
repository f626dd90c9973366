//! Trust records in their table.

use std::collections::{BTreeMap, BTreeSet};

use aex_store::{Due, Failure, Folding, Held, Tx, sql};
use aex_types::{ContractId, ProviderId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::outcomes::{self, Recorded};
use crate::{
    convert,
    domain::{
        ladder::Check,
        outcome::Outcome,
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
    hold(tx.sql(), &[id.uuid()]).await?;
    find(tx, id).await
}

/// What was decided of one record, made true.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: TrustRecord,
    events: Vec<Event>,
) -> Result<TrustRecord, Failure> {
    let id = before.provider_id;
    let mut records = Records::default();
    records.held.add(id, before);
    records.fold(events, "")?;
    records.record(tx).await?;
    records
        .held
        .take(id)
        .ok_or_else(|| Failure::corrupt("a record is lost"))
}

/// Records that are held, and what becomes of them, which is made true at once in the end.
#[derive(Debug, Default)]
pub(crate) struct Records {
    held: Held<ProviderId, TrustRecord>,
    /// How the contracts ended that were asked for, as far as it is known.
    outcomes: BTreeMap<ContractId, Outcome>,
    steps: Vec<Step>,
}

/// What happened, who owned the provider then, and the event of another service that it follows from; empty when it
/// follows from none.
#[derive(Debug)]
struct Step {
    event: Event,
    owner: Option<TenantId>,
    cause: String,
}

impl Records {
    /// The records of these providers, held until the commit, the newcomer's where there is none; and the outcomes of these
    /// contracts.
    pub(crate) async fn lock(
        tx: &mut Tx<'_>,
        providers: BTreeSet<ProviderId>,
        contracts: &[ContractId],
    ) -> Result<Self, Failure> {
        if providers.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<_> = providers.iter().copied().collect();
        hold(tx.sql(), &ids.iter().map(|id| id.uuid()).collect::<Vec<_>>()).await?;
        let mut known = load(tx.sql(), &ids).await?;
        let of = |id| (id, known.remove(&id).unwrap_or_else(|| TrustRecord::unknown(id)));
        Ok(Self {
            held: providers.into_iter().map(of).collect(),
            outcomes: outcomes::of_contracts(tx, contracts).await?,
            ..Self::default()
        })
    }

    /// One of them, as it stands by now.
    pub(crate) fn get(&self, id: ProviderId) -> Option<&TrustRecord> {
        self.held.get(id)
    }

    /// How a contract ended, as far as it is known by now.
    pub(crate) fn outcome(&self, contract: ContractId) -> Option<&Outcome> {
        self.outcomes.get(&contract)
    }

    /// Takes up what was decided.
    pub(crate) fn fold(&mut self, events: Vec<Event>, cause: &str) -> Result<(), Failure> {
        for event in events {
            let after = self.held.fold(event.provider_id, &event, TrustRecord::after)?;
            let owner = after.owner_id;
            if let Change::OutcomeRecorded { outcome, .. } = &event.change {
                self.outcomes.insert(outcome.contract_id, *outcome);
            }
            self.steps.push(Step {
                owner,
                cause: cause.to_owned(),
                event,
            });
        }
        Ok(())
    }

    /// Makes it true: saved, published with the same commit, and the next months of tenure noted.
    pub(crate) async fn record(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        self.save(tx.sql()).await?;
        let facts = self.steps.iter();
        tx.publish(facts.map(|step| convert::fact(&step.event, step.owner).caused_by(&step.cause)));
        let now = tx.now();
        let jobs: Vec<_> = self
            .held
            .all()
            .map(|one| (one.provider_id, demanded(one, now)))
            .collect();
        let due: Vec<_> = jobs.iter().filter_map(|(_, due)| *due).collect();
        tx.schedule_all(&due);
        let idle = jobs.iter().filter(|(_, due)| due.is_none());
        let idle: Vec<_> = idle.map(|(id, _)| (TENURE, id.uuid())).collect();
        tx.unschedule_all(&idle);
        Ok(())
    }

    async fn save(&self, sql: &mut PgConnection) -> Result<(), Failure> {
        let records: Vec<_> = self.held.changed().map(|(_, record)| record).collect();
        if records.is_empty() {
            return Ok(());
        }
        save(sql, &records).await?;
        outcomes::insert(sql, &self.recorded()).await?;
        outcomes::leave_window(sql, &self.left()).await
    }

    /// The outcomes that are new.
    fn recorded(&self) -> Vec<Recorded> {
        let recorded = self.steps.iter().filter_map(|step| match &step.event.change {
            Change::OutcomeRecorded { outcome, is_counted } => Some(Recorded {
                provider_id: step.event.provider_id,
                outcome: *outcome,
                is_counted: *is_counted,
                in_window: self
                    .get(step.event.provider_id)
                    .is_some_and(|record| record.window.outcomes().contains(outcome)),
            }),
            _ => None,
        });
        recorded.collect()
    }

    /// The outcomes that a score was made of and is no longer. None of them ever comes back.
    fn left(&self) -> Vec<ContractId> {
        let window = |record: Option<&TrustRecord>| -> BTreeSet<_> {
            let outcomes = record.into_iter().flat_map(|record| record.window.outcomes());
            outcomes.map(|outcome| outcome.contract_id).collect()
        };
        let changed = self.held.changed();
        let left = changed.flat_map(|(id, after)| &window(self.held.before(id)) - &window(Some(after)));
        left.collect()
    }
}

/// The job that follows from a record, seen from a moment: live from now, after a replay from its last event. A month that
/// changed nothing is no event, so a replay may look at it again.
fn demanded(record: &TrustRecord, seen: Timestamp) -> Option<Due> {
    let due = record.next_tenure_step(seen)?;
    Some(Due::new(TENURE, record.provider_id.uuid(), due))
}

/// Folds stored events into the tables, for replay, and sets the jobs that follow.
pub(crate) async fn apply(folding: &mut Folding, events: Vec<Event>) -> Result<(), Failure> {
    let ids: BTreeSet<_> = events.iter().map(|event| event.provider_id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let mut records = Records {
        held: load(folding.sql(), &ids).await?.into_iter().collect(),
        ..Records::default()
    };
    records.fold(events, "")?;
    records.save(folding.sql()).await?;
    let of_last_event = |record: &TrustRecord| demanded(record, record.update_time?);
    let before: Vec<_> = records.held.read().filter_map(of_last_event).collect();
    let after: Vec<_> = records.held.all().filter_map(of_last_event).collect();
    folding.rearm(&before, &after).await
}

/// Holds the rows of these providers until the commit, each once; makes those that are missing.
async fn hold(sql: &mut PgConnection, providers: &[Uuid]) -> Result<(), Failure> {
    if held(sql, providers).await? == providers.len() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO subject (provider_id) SELECT id FROM UNNEST($1::uuid[]) AS asked (id) ORDER BY id
         ON CONFLICT DO NOTHING"
    ))
    .bind(providers)
    .execute(&mut *sql)
    .await?;
    held(sql, providers).await?;
    Ok(())
}

async fn held(sql: &mut PgConnection, providers: &[Uuid]) -> Result<usize, Failure> {
    let held = sqlx::query(sql!(
        "SELECT 1 FROM subject WHERE provider_id = ANY($1) ORDER BY provider_id FOR UPDATE"
    ))
    .bind(providers)
    .fetch_all(sql)
    .await?;
    Ok(held.len())
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

async fn save(sql: &mut PgConnection, records: &[&TrustRecord]) -> Result<(), Failure> {
    let number = |of: fn(&Counts) -> u64| {
        let column = |record: &&TrustRecord| i64::try_from(of(&record.counts)).unwrap_or(i64::MAX);
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
    .bind(records.iter().map(|one| passed(one)).collect::<Vec<_>>())
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
    .execute(sql)
    .await?;
    Ok(())
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
