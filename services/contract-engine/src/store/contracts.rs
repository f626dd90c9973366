//! Contracts in their table.

use std::collections::{BTreeMap, BTreeSet};

use aex_store::{Failure, Folding, Page, Tx, sql};
use aex_types::{ContractId, ProviderId, TenantId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    convert,
    domain::contract::{Contract, Event, Status},
    store::watches,
    worker::demanded,
};

/// The index that keeps a second award of one work out.
const ONE_PER_WORK: &str = "contract_live_by_work";

#[derive(sqlx::FromRow)]
struct Row {
    contract_id: Uuid,
    work_id: Uuid,
    bid_id: Uuid,
    consumer_id: Uuid,
    provider_id: Uuid,
    provider_tenant_id: Uuid,
    price: Decimal,
    currency: String,
    expire_time: DateTime<Utc>,
    terms: Vec<u8>,
    status: String,
    reason: String,
    message: String,
    sealed: bool,
    r#final: bool,
    tier: String,
    progress: i32,
    result: Option<Vec<u8>>,
    review_deadline: Option<DateTime<Utc>>,
    release_not_before: Option<DateTime<Utc>>,
    version: i64,
    create_time: DateTime<Utc>,
    award_time: Option<DateTime<Utc>>,
    start_time: Option<DateTime<Utc>>,
    deliver_time: Option<DateTime<Utc>>,
    end_time: Option<DateTime<Utc>>,
    settle_time: Option<DateTime<Utc>>,
    update_time: DateTime<Utc>,
}

/// One contract, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: ContractId) -> Result<Option<Contract>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM contract WHERE contract_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Contract::try_from).transpose()
}

/// One contract, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: ContractId) -> Result<Option<Contract>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// All contracts of a work, oldest first.
pub(crate) async fn of_work(tx: &mut Tx<'_>, work: WorkId) -> Result<Vec<Contract>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM contract WHERE work_id = $1 ORDER BY contract_id"
    ))
    .bind(work.uuid())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Contract::try_from).collect()
}

/// Which contracts of a tenant are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) tenant: TenantId,
    /// What a key that is bound to one provider may see on the selling side.
    pub(crate) bound_to: Option<ProviderId>,
    pub(crate) status: Option<Status>,
    pub(crate) work: Option<WorkId>,
    pub(crate) provider: Option<ProviderId>,
}

/// A page of a tenant's contracts, newest first. What was only proposed is its consumer's to see.
pub(crate) async fn list(tx: &mut Tx<'_>, wanted: &Wanted, page: &Page) -> Result<Vec<Contract>, Failure> {
    let before: Option<ContractId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM contract
         WHERE (consumer_id = $1 OR (provider_tenant_id = $1 AND status NOT IN ('PROPOSED', 'VOID')
                                     AND ($2::uuid IS NULL OR provider_id = $2)))
           AND ($3::text IS NULL OR status = $3) AND ($4::uuid IS NULL OR work_id = $4)
           AND ($5::uuid IS NULL OR provider_id = $5) AND ($6::uuid IS NULL OR contract_id < $6)
         ORDER BY contract_id DESC LIMIT $7"
    ))
    .bind(wanted.tenant.uuid())
    .bind(wanted.bound_to.map(ProviderId::uuid))
    .bind(wanted.status.map(Status::as_str))
    .bind(wanted.work.map(WorkId::uuid))
    .bind(wanted.provider.map(ProviderId::uuid))
    .bind(before.map(ContractId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Contract::try_from).collect()
}

/// A contract is proposed; `false` when another one of the work stands or is under way. Two at once are told apart by
/// the index: the second one fails there, and its caller is told the same.
pub(crate) async fn propose(
    tx: &mut Tx<'_>,
    event: &Event,
    work: WorkId,
) -> Result<Option<Contract>, Failure> {
    let is_taken: bool = sqlx::query_scalar(sql!(
        "SELECT EXISTS (SELECT 1 FROM contract WHERE work_id = $1 AND NOT is_void)"
    ))
    .bind(work.uuid())
    .fetch_one(tx.sql())
    .await?;
    if is_taken {
        return Ok(None);
    }
    record(tx, None, std::slice::from_ref(event)).await.map(Some)
}

/// Is it the refusal of a second contract of one work?
pub(crate) fn is_second(failure: &Failure) -> bool {
    failure.is_duplicate(ONE_PER_WORK)
}

/// What was decided, made true: folded, saved, told, and published with the same commit.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Contract>,
    events: &[Event],
) -> Result<Contract, Failure> {
    let is_new = before.is_none();
    let mut state = before;
    let mut facts = Vec::with_capacity(events.len());
    for event in events {
        let after = follow(state, event)?;
        facts.push(convert::fact(event, &after));
        state = Some(after);
    }
    let after = state.ok_or_else(|| Failure::corrupt("a decision without an event"))?;
    if !events.is_empty() {
        if is_new {
            insert(tx.sql(), &[&after]).await?;
        } else {
            update(tx.sql(), &[&after]).await?;
        }
        tx.publish(facts);
        watches::tell(tx, &after);
    }
    Ok(after)
}

/// Folds stored events into the table, for replay, and sets the jobs that follow.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let mut by_contract: BTreeMap<ContractId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_contract.entry(event.contract_id).or_default().push(event);
    }
    let ids: Vec<_> = by_contract.keys().copied().collect();
    let mut before: BTreeMap<_, _> = load(folding.sql(), &ids)
        .await?
        .into_iter()
        .map(|contract| (contract.id, contract))
        .collect();
    let demanded_before: Vec<_> = before.values().flat_map(demanded).collect();
    let known: BTreeSet<_> = before.keys().copied().collect();
    let mut after = Vec::with_capacity(ids.len());
    for (id, events) in by_contract {
        let mut state = before.remove(&id);
        for event in events {
            state = Some(follow(state, event)?);
        }
        after.extend(state);
    }
    let (old, new): (Vec<_>, Vec<_>) = after.iter().partition(|one| known.contains(&one.id));
    update(folding.sql(), &old).await?;
    insert(folding.sql(), &new).await?;
    let demanded_after: Vec<_> = after.iter().flat_map(demanded).collect();
    folding.rearm(&demanded_before, &demanded_after).await
}

fn follow(before: Option<Contract>, event: &Event) -> Result<Contract, Failure> {
    Contract::after(before, event)
        .ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))
}

async fn load(sql: &mut PgConnection, ids: &[ContractId]) -> Result<Vec<Contract>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM contract WHERE contract_id = ANY($1) ORDER BY contract_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Contract::try_from).collect()
}

/// The values of one column, row by row.
macro_rules! column {
    ($rows:ident, $field:ident) => {
        $rows.iter().map(|row| row.$field.clone()).collect::<Vec<_>>()
    };
}

async fn insert(sql: &mut PgConnection, contracts: &[&Contract]) -> Result<(), Failure> {
    if contracts.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = contracts.iter().copied().map(Row::from).collect();
    sqlx::query(sql!(
        "INSERT INTO contract (contract_id, work_id, bid_id, consumer_id, provider_id, provider_tenant_id, price,
                               currency, expire_time, terms, status, reason, message, sealed, final, tier, progress,
                               result, review_deadline, release_not_before, version, create_time, award_time,
                               start_time, deliver_time, end_time, settle_time, update_time)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::numeric[],
                              $8::text[], $9::timestamptz[], $10::bytea[], $11::text[], $12::text[], $13::text[],
                              $14::boolean[], $15::boolean[], $16::text[], $17::integer[], $18::bytea[],
                              $19::timestamptz[], $20::timestamptz[], $21::bigint[], $22::timestamptz[],
                              $23::timestamptz[], $24::timestamptz[], $25::timestamptz[], $26::timestamptz[],
                              $27::timestamptz[], $28::timestamptz[])"
    ))
    .bind(column!(rows, contract_id))
    .bind(column!(rows, work_id))
    .bind(column!(rows, bid_id))
    .bind(column!(rows, consumer_id))
    .bind(column!(rows, provider_id))
    .bind(column!(rows, provider_tenant_id))
    .bind(column!(rows, price))
    .bind(column!(rows, currency))
    .bind(column!(rows, expire_time))
    .bind(column!(rows, terms))
    .bind(column!(rows, status))
    .bind(column!(rows, reason))
    .bind(column!(rows, message))
    .bind(column!(rows, sealed))
    .bind(column!(rows, r#final))
    .bind(column!(rows, tier))
    .bind(column!(rows, progress))
    .bind(column!(rows, result))
    .bind(column!(rows, review_deadline))
    .bind(column!(rows, release_not_before))
    .bind(column!(rows, version))
    .bind(column!(rows, create_time))
    .bind(column!(rows, award_time))
    .bind(column!(rows, start_time))
    .bind(column!(rows, deliver_time))
    .bind(column!(rows, end_time))
    .bind(column!(rows, settle_time))
    .bind(column!(rows, update_time))
    .execute(sql)
    .await?;
    Ok(())
}

/// Where contracts stand that are known; what was agreed never changes.
async fn update(sql: &mut PgConnection, contracts: &[&Contract]) -> Result<(), Failure> {
    if contracts.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = contracts.iter().copied().map(Row::from).collect();
    sqlx::query(sql!(
        "UPDATE contract SET status = now_is.status, reason = now_is.reason, message = now_is.message,
             sealed = now_is.sealed, final = now_is.final, tier = now_is.tier, progress = now_is.progress,
             result = now_is.result, review_deadline = now_is.review_deadline,
             release_not_before = now_is.release_not_before, version = now_is.version,
             award_time = now_is.award_time, start_time = now_is.start_time, deliver_time = now_is.deliver_time,
             end_time = now_is.end_time, settle_time = now_is.settle_time, update_time = now_is.update_time
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::text[],
                     $8::integer[], $9::bytea[], $10::timestamptz[], $11::timestamptz[], $12::bigint[],
                     $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[],
                     $17::timestamptz[], $18::timestamptz[])
              AS now_is (contract_id, status, reason, message, sealed, final, tier, progress, result, review_deadline,
                         release_not_before, version, award_time, start_time, deliver_time, end_time, settle_time,
                         update_time)
         WHERE contract.contract_id = now_is.contract_id"
    ))
    .bind(column!(rows, contract_id))
    .bind(column!(rows, status))
    .bind(column!(rows, reason))
    .bind(column!(rows, message))
    .bind(column!(rows, sealed))
    .bind(column!(rows, r#final))
    .bind(column!(rows, tier))
    .bind(column!(rows, progress))
    .bind(column!(rows, result))
    .bind(column!(rows, review_deadline))
    .bind(column!(rows, release_not_before))
    .bind(column!(rows, version))
    .bind(column!(rows, award_time))
    .bind(column!(rows, start_time))
    .bind(column!(rows, deliver_time))
    .bind(column!(rows, end_time))
    .bind(column!(rows, settle_time))
    .bind(column!(rows, update_time))
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Contract {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("contract {}: {what}", row.contract_id));
        let time = |time: Option<DateTime<Utc>>| time.map(Timestamp::from);
        Ok(Self {
            id: row.contract_id.into(),
            terms: convert::terms_from(&row.terms).ok_or_else(|| broken("terms"))?,
            status: row.status.parse().map_err(|_| broken("status"))?,
            tier: match row.tier.as_str() {
                "" => None,
                tier => Some(tier.parse().map_err(|_| broken("tier"))?),
            },
            progress: u32::try_from(row.progress).map_err(|_| broken("progress"))?,
            result: match &row.result {
                None => None,
                Some(bytes) => Some(convert::delivery_from(bytes).ok_or_else(|| broken("result"))?),
            },
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            reason: row.reason,
            message: row.message,
            sealed: row.sealed,
            is_final: row.r#final,
            review_deadline: time(row.review_deadline),
            release_not_before: time(row.release_not_before),
            create_time: row.create_time.into(),
            award_time: time(row.award_time),
            start_time: time(row.start_time),
            deliver_time: time(row.deliver_time),
            end_time: time(row.end_time),
            settle_time: time(row.settle_time),
            update_time: row.update_time.into(),
        })
    }
}

impl From<&Contract> for Row {
    fn from(contract: &Contract) -> Self {
        let terms = &contract.terms;
        let time = |time: Option<Timestamp>| time.map(DateTime::from);
        Self {
            contract_id: contract.id.uuid(),
            work_id: terms.work_id.uuid(),
            bid_id: terms.bid_id.uuid(),
            consumer_id: terms.consumer_id.uuid(),
            provider_id: terms.provider_id.uuid(),
            provider_tenant_id: terms.provider_tenant_id.uuid(),
            price: terms.price.amount.decimal(),
            currency: terms.price.currency.to_string(),
            expire_time: terms.expire_time.into(),
            terms: convert::terms_bytes(terms),
            status: contract.status.to_string(),
            reason: contract.reason.clone(),
            message: contract.message.clone(),
            sealed: contract.sealed,
            r#final: contract.is_final,
            tier: contract.tier.map(|tier| tier.to_string()).unwrap_or_default(),
            progress: i32::try_from(contract.progress).unwrap_or(i32::MAX),
            result: contract.result.as_ref().map(convert::delivery_bytes),
            review_deadline: time(contract.review_deadline),
            release_not_before: time(contract.release_not_before),
            version: i64::try_from(contract.version).unwrap_or(i64::MAX),
            create_time: contract.create_time.into(),
            award_time: time(contract.award_time),
            start_time: time(contract.start_time),
            deliver_time: time(contract.deliver_time),
            end_time: time(contract.end_time),
            settle_time: time(contract.settle_time),
            update_time: contract.update_time.into(),
        }
    }
}
