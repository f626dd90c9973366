//! Works in their table, and the timers that move them on.

use std::time::Duration;

use aex_store::{Due, Fact, Failure, Folding, Held, Page, Tx, sql};
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

/// What was decided of one work, made true.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Work>,
    events: impl IntoIterator<Item = Event>,
) -> Result<Work, Failure> {
    let mut works = Works::from_iter(before);
    works.fold(events, "")?;
    let after = works.held.all().next().cloned().ok_or_else(nothing)?;
    works.record(tx).await?;
    Ok(after)
}

/// Works that are held, and what becomes of them, which is made true at once in the end.
#[derive(Debug, Default)]
pub(crate) struct Works {
    held: Held<WorkId, Work>,
    steps: Vec<Step>,
}

/// What happened, where the work stood afterwards, and the event of another service that it follows from; empty when it
/// follows from a call.
#[derive(Debug)]
struct Step {
    event: Event,
    status: Status,
    cause: String,
}

impl FromIterator<Work> for Works {
    fn from_iter<I: IntoIterator<Item = Work>>(works: I) -> Self {
        Self {
            held: works.into_iter().map(|work| (work.id, work)).collect(),
            steps: Vec::new(),
        }
    }
}

impl Works {
    /// Those of these that there are, held until the commit.
    pub(crate) async fn lock(
        tx: &mut Tx<'_>,
        ids: impl IntoIterator<Item = WorkId>,
    ) -> Result<Self, Failure> {
        let ids: Vec<_> = ids.into_iter().collect();
        Ok(load(tx.sql(), &ids).await?.into_iter().collect())
    }

    /// One of them, as it stands by now.
    pub(crate) fn get(&self, id: WorkId) -> Option<&Work> {
        self.held.get(id)
    }

    /// Takes up what was decided.
    pub(crate) fn fold(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        cause: &str,
    ) -> Result<(), Failure> {
        for event in events {
            let after = self.held.fold(event.work_id, &event, Work::after)?;
            self.steps.push(Step {
                status: after.status,
                cause: cause.to_owned(),
                event,
            });
        }
        Ok(())
    }

    /// Makes it true: saved, timed, told to watchers, and published with the same commit.
    pub(crate) async fn record(self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        self.save(tx.sql()).await?;
        for step in &self.steps {
            if let Some(update) = convert::update(&step.event, step.status) {
                tx.tell(step.event.work_id.uuid(), &update);
            }
        }
        let (before, mut after) = self.demanded();
        let now = tx.now();
        // Who is told too late that bidding is about to end is not helped: it is not begun any more.
        after.retain(|due| due.kind != CLOSING || now <= due.time || before.contains(due));
        tx.rearm(&before, &after);
        let facts = self.steps.iter();
        tx.publish(facts.map(|step| Fact::from(&step.event).caused_by(&step.cause)));
        Ok(())
    }

    /// What they demanded, and what they demand.
    fn demanded(&self) -> (Vec<Due>, Vec<Due>) {
        let before = self.held.read().flat_map(demanded);
        (before.collect(), self.held.all().flat_map(demanded).collect())
    }

    async fn save(&self, sql: &mut PgConnection) -> Result<(), Failure> {
        let (known, new) = self.held.known_and_new();
        update(sql, &known).await?;
        for work in new {
            insert(sql, work).await?;
        }
        Ok(())
    }
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
pub(crate) async fn apply(folding: &mut Folding, events: Vec<Event>) -> Result<(), Failure> {
    let ids: Vec<_> = events.iter().map(|event| event.work_id).collect();
    let mut works: Works = load(folding.sql(), &ids).await?.into_iter().collect();
    works.fold(events, "")?;
    works.save(folding.sql()).await?;
    let (before, after) = works.demanded();
    folding.rearm(&before, &after).await
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

/// Where works stand that are known; what they ask for never changes.
async fn update(sql: &mut PgConnection, works: &[&Work]) -> Result<(), Failure> {
    if works.is_empty() {
        return Ok(());
    }
    let time = |time: Option<Timestamp>| time.map(DateTime::<Utc>::from);
    sqlx::query(sql!(
        "UPDATE work SET status = now_is.status, status_reason = reason, providers_notified = notified,
             bids_received = bids, valid_bids = valid, contract_id = contract,
             released = string_to_array(given_back, ',')::uuid[], version = now_is.version, award_deadline = deadline,
             award_time = awarded, end_time = ended, update_time = updated
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::uuid[],
                     $8::text[], $9::bigint[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],
                     $13::timestamptz[])
              AS now_is (id, status, reason, notified, bids, valid, contract, given_back, version, deadline, awarded,
                         ended, updated)
         WHERE work_id = id"
    ))
    .bind(column(works, |work| work.id.uuid()))
    .bind(column(works, |work| work.status.to_string()))
    .bind(column(works, |work| work.status_reason.clone()))
    .bind(column(works, |work| i64::from(work.providers_notified)))
    .bind(column(works, |work| i64::from(work.bids_received)))
    .bind(column(works, |work| work.valid_bids.map(i64::from)))
    .bind(column(works, |work| work.contract_id.map(ContractId::uuid)))
    .bind(column(works, given_back))
    .bind(column(works, |work| i64::try_from(work.version).unwrap_or(i64::MAX)))
    .bind(column(works, |work| time(work.award_deadline)))
    .bind(column(works, |work| time(work.award_time)))
    .bind(column(works, |work| time(work.end_time)))
    .bind(column(works, |work| DateTime::<Utc>::from(work.update_time)))
    .execute(sql)
    .await?;
    Ok(())
}

fn column<T>(works: &[&Work], of: impl Fn(&Work) -> T) -> Vec<T> {
    works.iter().map(|work| of(work)).collect()
}

/// An array of arrays would have to be of one length, so the contracts travel as one text and are split by the statement.
fn given_back(work: &Work) -> String {
    let contracts = work.released.iter().map(|contract| contract.uuid().to_string());
    contracts.collect::<Vec<_>>().join(",")
}

/// A new work.
async fn insert(sql: &mut PgConnection, work: &Work) -> Result<(), Failure> {
    let row = Row::try_from(work)?;
    sqlx::query(sql!(
        "INSERT INTO work (consumer_id, work_id, category, description, currency, max_price, bid_strategy, constraints,
                           payload_content_type, payload_size, payload_sha256, payload_location, payload_preview,
                           auto_award, verification_method, review_time_ms, dispute_window_ms, contract_duration_ms,
                           bid_window_ms, internal, status, status_reason, providers_notified, bids_received,
                           valid_bids, contract_id, version, create_time, close_time, award_deadline, award_time,
                           end_time, update_time, released)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)"
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
