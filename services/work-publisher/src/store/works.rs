//! Works in their table, and the timers that move them on.

use std::{collections::BTreeMap, time::Duration};

use aex_store::{Due, Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{Amount, ContractId, Money, TenantId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    convert,
    domain::{
        payload::Payload,
        terms::Terms,
        work::{Event, Status, Work},
    },
    workers::{CLOSE, CLOSING, GIVE_UP},
};

/// How long before the end of bidding the watchers are told of it.
const NOTICE: Duration = Duration::from_secs(10);

#[derive(sqlx::FromRow)]
struct Row {
    consumer_id: Uuid,
    work_id: Uuid,
    category: String,
    description: String,
    currency: String,
    max_price: Decimal,
    bid_strategy: String,
    constraints: String,
    payload_content_type: Option<String>,
    payload_size: Option<i64>,
    payload_sha256: Option<Vec<u8>>,
    payload_location: Option<String>,
    payload_preview: String,
    auto_award: bool,
    verification_method: String,
    review_time_ms: i64,
    dispute_window_ms: i64,
    contract_duration_ms: i64,
    bid_window_ms: i64,
    internal: bool,
    status: String,
    status_reason: String,
    providers_notified: i64,
    bids_received: i64,
    valid_bids: Option<i64>,
    contract_id: Option<Uuid>,
    released: Vec<Uuid>,
    version: i64,
    create_time: DateTime<Utc>,
    close_time: DateTime<Utc>,
    award_deadline: Option<DateTime<Utc>>,
    award_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    update_time: DateTime<Utc>,
}

/// One work, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: WorkId) -> Result<Option<Work>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM work WHERE work_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Work::try_from).transpose()
}

/// One work, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: WorkId) -> Result<Option<Work>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// A page of a tenant's works, newest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    consumer_id: TenantId,
    status: Option<&str>,
    category: Option<&str>,
    page: &Page,
) -> Result<Vec<Work>, Failure> {
    let before: Option<WorkId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM work
         WHERE consumer_id = $1 AND ($2::uuid IS NULL OR work_id < $2) AND ($3::text IS NULL OR status = $3)
           AND ($4::text IS NULL OR category = $4)
         ORDER BY work_id DESC LIMIT $5"
    ))
    .bind(consumer_id.uuid())
    .bind(before.map(WorkId::uuid))
    .bind(status)
    .bind(category)
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Work::try_from).collect()
}

/// What was decided, made true: folded, saved, timed, told to watchers, and published with the same commit. `cause` is
/// the event of another service that it follows from; empty when it follows from a call.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Work>,
    events: &[Event],
    cause: &str,
) -> Result<Work, Failure> {
    let demanded_before = before.as_ref().map(demanded).unwrap_or_default();
    let mut state = before;
    for event in events {
        let after = step(state, event)?;
        if let Some(update) = convert::update(event, after.status) {
            tx.tell(after.id.uuid(), &update);
        }
        state = Some(after);
    }
    let after = state.ok_or_else(nothing)?;
    if !events.is_empty() {
        save(tx.sql(), &after).await?;
        tx.publish(events.iter().map(|event| Fact::from(event).caused_by(cause)));
    }
    let now = tx.now();
    let mut demanded_after = demanded(&after);
    // Who is told too late that bidding is about to end is not helped.
    demanded_after.retain(|due| due.kind != CLOSING || now <= due.time);
    tx.rearm(&demanded_before, &demanded_after);
    Ok(after)
}

/// The jobs that follow from where a work stands, live and after a replay. That watchers were told of the end of bidding
/// is no event: a replay has them told again.
fn demanded(work: &Work) -> Vec<Due> {
    let key = work.id.uuid();
    match (work.status, work.award_deadline) {
        (Status::Open, _) => {
            let notice = work.close_time.saturating_sub(NOTICE).max(work.create_time);
            vec![
                Due::new(CLOSING, key, notice),
                Due::new(CLOSE, key, work.close_time),
            ]
        }
        (Status::Evaluating, Some(deadline)) => vec![Due::new(GIVE_UP, key, deadline)],
        _ => Vec::new(),
    }
}

/// Folds stored events into the table, for replay, and sets the timers anew.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let mut by_work: BTreeMap<WorkId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_work.entry(event.work_id).or_default().push(event);
    }
    let ids: Vec<_> = by_work.keys().copied().collect();
    let mut before: BTreeMap<_, _> = load(folding.sql(), &ids)
        .await?
        .into_iter()
        .map(|work| (work.id, work))
        .collect();
    let demanded_before: Vec<_> = before.values().flat_map(demanded).collect();
    let mut demanded_after = Vec::new();
    for (id, events) in by_work {
        let mut state = before.remove(&id);
        for event in events {
            state = Some(step(state, event)?);
        }
        let after = state.ok_or_else(nothing)?;
        save(folding.sql(), &after).await?;
        demanded_after.extend(demanded(&after));
    }
    folding.rearm(&demanded_before, &demanded_after).await
}

fn step(before: Option<Work>, event: &Event) -> Result<Work, Failure> {
    Work::after(before, event).ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))
}

fn nothing() -> Failure {
    Failure::corrupt("a decision without an event")
}

async fn load(sql: &mut PgConnection, ids: &[WorkId]) -> Result<Vec<Work>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM work WHERE work_id = ANY($1) ORDER BY work_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Work::try_from).collect()
}

/// One row at a time: every column but the last ones is written once in a work's life.
async fn save(sql: &mut PgConnection, work: &Work) -> Result<(), Failure> {
    let row = Row::try_from(work)?;
    sqlx::query(sql!(
        "INSERT INTO work (consumer_id, work_id, category, description, currency, max_price, bid_strategy, constraints,
                           payload_content_type, payload_size, payload_sha256, payload_location, payload_preview,
                           auto_award, verification_method, review_time_ms, dispute_window_ms, contract_duration_ms,
                           bid_window_ms, internal, status, status_reason, providers_notified, bids_received,
                           valid_bids, contract_id, version, create_time, close_time, award_deadline, award_time,
                           end_time, update_time, released)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
         ON CONFLICT (consumer_id, work_id) DO UPDATE SET
             status = EXCLUDED.status, status_reason = EXCLUDED.status_reason,
             providers_notified = EXCLUDED.providers_notified, bids_received = EXCLUDED.bids_received,
             valid_bids = EXCLUDED.valid_bids, contract_id = EXCLUDED.contract_id, version = EXCLUDED.version,
             award_deadline = EXCLUDED.award_deadline, award_time = EXCLUDED.award_time,
             end_time = EXCLUDED.end_time, update_time = EXCLUDED.update_time, released = EXCLUDED.released"
    ))
    .bind(row.consumer_id)
    .bind(row.work_id)
    .bind(row.category)
    .bind(row.description)
    .bind(row.currency)
    .bind(row.max_price)
    .bind(row.bid_strategy)
    .bind(row.constraints)
    .bind(row.payload_content_type)
    .bind(row.payload_size)
    .bind(row.payload_sha256)
    .bind(row.payload_location)
    .bind(row.payload_preview)
    .bind(row.auto_award)
    .bind(row.verification_method)
    .bind(row.review_time_ms)
    .bind(row.dispute_window_ms)
    .bind(row.contract_duration_ms)
    .bind(row.bid_window_ms)
    .bind(row.internal)
    .bind(row.status)
    .bind(row.status_reason)
    .bind(row.providers_notified)
    .bind(row.bids_received)
    .bind(row.valid_bids)
    .bind(row.contract_id)
    .bind(row.version)
    .bind(row.create_time)
    .bind(row.close_time)
    .bind(row.award_deadline)
    .bind(row.award_time)
    .bind(row.end_time)
    .bind(row.update_time)
    .bind(row.released)
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Work {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let work_id = row.work_id;
        let broken = |what: &str| Failure::corrupt(format!("work {work_id}: {what}"));
        let span = |millis: i64, what: &str| {
            u64::try_from(millis)
                .map(Duration::from_millis)
                .map_err(|_| broken(what))
        };
        let count = |number: i64, what: &str| u32::try_from(number).map_err(|_| broken(what));
        let payload = match (row.payload_sha256, row.payload_size) {
            (None, None) => None,
            (Some(sha256), Some(size)) => Some(Payload {
                content_type: row.payload_content_type.unwrap_or_default(),
                size: u64::try_from(size).map_err(|_| broken("payload_size"))?,
                sha256: sha256.try_into().map_err(|_| broken("payload_sha256"))?,
                location: row.payload_location,
            }),
            _ => return Err(broken("payload")),
        };
        let terms = Terms {
            category: row.category.parse().map_err(|_| broken("category"))?,
            description: row.description.parse().map_err(|_| broken("description"))?,
            max_price: Money {
                currency: row.currency.parse().map_err(|_| broken("currency"))?,
                amount: Amount::try_from(row.max_price).map_err(|_| broken("max_price"))?,
            },
            bid_strategy: row.bid_strategy.parse().map_err(|_| broken("bid_strategy"))?,
            constraints: serde_json::from_str(&row.constraints).map_err(|_| broken("constraints"))?,
            payload,
            payload_preview: row.payload_preview,
            auto_award: row.auto_award,
            verification: row
                .verification_method
                .parse()
                .map_err(|_| broken("verification_method"))?,
            review_time: span(row.review_time_ms, "review_time_ms")?,
            dispute_window: span(row.dispute_window_ms, "dispute_window_ms")?,
            contract_duration: span(row.contract_duration_ms, "contract_duration_ms")?,
            bid_window: span(row.bid_window_ms, "bid_window_ms")?,
        };
        Ok(Self {
            id: row.work_id.into(),
            consumer_id: row.consumer_id.into(),
            internal: row.internal,
            terms,
            status: row.status.parse().map_err(|_| broken("status"))?,
            status_reason: row.status_reason,
            providers_notified: count(row.providers_notified, "providers_notified")?,
            bids_received: count(row.bids_received, "bids_received")?,
            valid_bids: row
                .valid_bids
                .map(|valid| count(valid, "valid_bids"))
                .transpose()?,
            contract_id: row.contract_id.map(ContractId::from),
            released: row.released.into_iter().map(ContractId::from).collect(),
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: row.create_time.into(),
            close_time: row.close_time.into(),
            award_deadline: row.award_deadline.map(Timestamp::from),
            award_time: row.award_time.map(Timestamp::from),
            end_time: row.end_time.map(Timestamp::from),
            update_time: row.update_time.into(),
        })
    }
}

impl TryFrom<&Work> for Row {
    type Error = Failure;

    fn try_from(work: &Work) -> Result<Self, Failure> {
        let terms = &work.terms;
        let payload = terms.payload.as_ref();
        let constraints =
            serde_json::to_string(&terms.constraints).map_err(|error| Failure::corrupt(error.to_string()))?;
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Ok(Self {
            consumer_id: work.consumer_id.uuid(),
            work_id: work.id.uuid(),
            category: terms.category.to_string(),
            description: terms.description.to_string(),
            currency: terms.max_price.currency.to_string(),
            max_price: terms.max_price.amount.decimal(),
            bid_strategy: terms.bid_strategy.to_string(),
            constraints,
            payload_content_type: payload.map(|payload| payload.content_type.clone()),
            payload_size: payload.map(|payload| i64::try_from(payload.size).unwrap_or(i64::MAX)),
            payload_sha256: payload.map(|payload| payload.sha256.to_vec()),
            payload_location: payload.and_then(|payload| payload.location.clone()),
            payload_preview: terms.payload_preview.clone(),
            auto_award: terms.auto_award,
            verification_method: terms.verification.to_string(),
            review_time_ms: millis(terms.review_time),
            dispute_window_ms: millis(terms.dispute_window),
            contract_duration_ms: millis(terms.contract_duration),
            bid_window_ms: millis(terms.bid_window),
            internal: work.internal,
            status: work.status.to_string(),
            status_reason: work.status_reason.clone(),
            providers_notified: work.providers_notified.into(),
            bids_received: work.bids_received.into(),
            valid_bids: work.valid_bids.map(i64::from),
            contract_id: work.contract_id.map(ContractId::uuid),
            released: work.released.iter().map(|contract| contract.uuid()).collect(),
            version: i64::try_from(work.version).unwrap_or(i64::MAX),
            create_time: work.create_time.into(),
            close_time: work.close_time.into(),
            award_deadline: work.award_deadline.map(DateTime::from),
            award_time: work.award_time.map(DateTime::from),
            end_time: work.end_time.map(DateTime::from),
            update_time: work.update_time.into(),
        })
    }
}
