//! Bids in their table.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use aex_store::{Failure, Page, Tx, sql};
use aex_types::{AgentId, Amount, BidId, Money, ProviderId, TenantId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::bid::{Bid, Offer, Sample, Sla};

#[derive(sqlx::FromRow)]
struct Row {
    work_id: Uuid,
    bid_id: Uuid,
    provider_id: Uuid,
    provider_tenant_id: Uuid,
    consumer_id: Uuid,
    agent_id: Option<Uuid>,
    currency: String,
    price: Decimal,
    confidence: f64,
    approach: String,
    estimated_latency_ms: Option<i64>,
    sla_latency_ms: Option<i64>,
    sla_availability: Option<f64>,
    sample_input: Option<String>,
    sample_output: Option<String>,
    sample_latency_ms: Option<i64>,
    endpoint: String,
    regions: Vec<String>,
    status: String,
    status_reason: String,
    revision: i64,
    expire_time: DateTime<Utc>,
    receive_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// Where a bid stands in the order of arrival; the place where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    receive_time: Timestamp,
    bid_id: BidId,
}

impl From<&Bid> for Place {
    fn from(bid: &Bid) -> Self {
        Self {
            receive_time: bid.receive_time,
            bid_id: bid.id,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.receive_time.unix_micros(), self.bid_id)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, bid_id) = text.split_once(' ').ok_or(())?;
        let micros = micros.parse().map_err(|_| ())?;
        Ok(Self {
            receive_time: Timestamp::from_unix_micros(micros).ok_or(())?,
            bid_id: bid_id.parse().map_err(|_| ())?,
        })
    }
}

/// One bid, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: BidId) -> Result<Option<Bid>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM bid WHERE bid_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Bid::try_from).transpose()
}

/// A provider's newest bid on a work.
pub(crate) async fn last(
    tx: &mut Tx<'_>,
    work_id: WorkId,
    provider_id: ProviderId,
) -> Result<Option<Bid>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!(
        "SELECT * FROM bid WHERE work_id = $1 AND provider_id = $2 ORDER BY revision DESC LIMIT 1"
    ))
    .bind(work_id.uuid())
    .bind(provider_id.uuid())
    .fetch_optional(tx.sql())
    .await?;
    row.map(Bid::try_from).transpose()
}

/// The bids on many works that were neither replaced nor taken back, in no order.
pub(crate) async fn of_works(tx: &mut Tx<'_>, works: &[WorkId]) -> Result<Vec<Bid>, Failure> {
    if works.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM bid WHERE work_id = ANY($1) AND status NOT IN ('SUPERSEDED', 'WITHDRAWN')"
    ))
    .bind(works.iter().map(|work| work.uuid()).collect::<Vec<_>>())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Bid::try_from).collect()
}

/// The bids on a work that were neither replaced nor taken back, in order of arrival, without their approach and the input
/// of their samples: of a thousand bids those are megabytes. What a sample shows is in its output.
pub(crate) async fn taking_part(tx: &mut Tx<'_>, work_id: WorkId) -> Result<Vec<Bid>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT work_id, bid_id, provider_id, provider_tenant_id, consumer_id, agent_id, currency, price, confidence,
                '' AS approach, estimated_latency_ms, sla_latency_ms, sla_availability,
                CASE WHEN sample_input IS NOT NULL THEN '' END AS sample_input,
                sample_output, sample_latency_ms, endpoint, regions, status, status_reason, revision, expire_time,
                receive_time, update_time
         FROM bid WHERE work_id = $1 AND status NOT IN ('SUPERSEDED', 'WITHDRAWN')
         ORDER BY receive_time, bid_id"
    ))
    .bind(work_id.uuid())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Bid::try_from).collect()
}

/// A page of those on one work.
pub(crate) async fn list_by_work(tx: &mut Tx<'_>, work_id: WorkId, page: &Page) -> Result<Vec<Bid>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM bid WHERE work_id = $1 AND status NOT IN ('SUPERSEDED', 'WITHDRAWN')
           AND ($2::timestamptz IS NULL OR (receive_time, bid_id) > ($2, $3::uuid))
         ORDER BY receive_time, bid_id LIMIT $4"
    ))
    .bind(work_id.uuid())
    .bind(after.map(|place| DateTime::<Utc>::from(place.receive_time)))
    .bind(after.map(|place| place.bid_id.uuid()))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Bid::try_from).collect()
}

/// A page of a provider's bids, in order of arrival.
pub(crate) async fn list_by_provider(
    tx: &mut Tx<'_>,
    tenant_id: TenantId,
    provider_id: ProviderId,
    page: &Page,
) -> Result<Vec<Bid>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM bid WHERE provider_tenant_id = $1 AND provider_id = $2
           AND ($3::timestamptz IS NULL OR (receive_time, bid_id) > ($3, $4::uuid))
         ORDER BY receive_time, bid_id LIMIT $5"
    ))
    .bind(tenant_id.uuid())
    .bind(provider_id.uuid())
    .bind(after.map(|place| DateTime::<Utc>::from(place.receive_time)))
    .bind(after.map(|place| place.bid_id.uuid()))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Bid::try_from).collect()
}

/// These bids, as they are.
pub(crate) async fn load(sql: &mut PgConnection, ids: &BTreeSet<BidId>) -> Result<Vec<Bid>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!("SELECT * FROM bid WHERE bid_id = ANY($1) ORDER BY bid_id"))
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .fetch_all(sql)
        .await?;
    rows.into_iter().map(Bid::try_from).collect()
}

/// Where these bids stand now; their offers never change.
pub(crate) async fn update(sql: &mut PgConnection, bids: &[&Bid]) -> Result<(), Failure> {
    if bids.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "UPDATE bid SET status = now_is.status, status_reason = reason, update_time = updated
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS now_is (id, status, reason, updated)
         WHERE bid_id = id"
    ))
    .bind(bids.iter().map(|bid| bid.id.uuid()).collect::<Vec<_>>())
    .bind(bids.iter().map(|bid| bid.status.to_string()).collect::<Vec<_>>())
    .bind(
        bids.iter()
            .map(|bid| bid.status_reason.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        bids.iter()
            .map(|bid| DateTime::<Utc>::from(bid.update_time))
            .collect::<Vec<_>>(),
    )
    .execute(sql)
    .await?;
    Ok(())
}

/// A new bid.
pub(crate) async fn insert(sql: &mut PgConnection, bid: &Bid) -> Result<(), Failure> {
    let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let offer = &bid.offer;
    let sample = offer.sample.as_ref();
    sqlx::query(sql!(
        "INSERT INTO bid (work_id, bid_id, provider_id, provider_tenant_id, consumer_id, agent_id, currency, price,
                          confidence, approach, estimated_latency_ms, sla_latency_ms, sla_availability, sample_input,
                          sample_output, sample_latency_ms, endpoint, regions, status, status_reason, revision,
                          expire_time, receive_time, update_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24)"
    ))
    .bind(bid.work_id.uuid())
    .bind(bid.id.uuid())
    .bind(bid.provider_id.uuid())
    .bind(bid.provider_tenant_id.uuid())
    .bind(bid.consumer_id.uuid())
    .bind(offer.agent_id.map(AgentId::uuid))
    .bind(offer.price.currency.as_str())
    .bind(offer.price.amount.decimal())
    .bind(offer.confidence)
    .bind(&offer.approach)
    .bind(offer.estimated_latency.map(millis))
    .bind(offer.sla.and_then(|sla| sla.max_latency).map(millis))
    .bind(offer.sla.map(|sla| sla.availability))
    .bind(sample.map(|sample| &sample.input))
    .bind(sample.map(|sample| &sample.output))
    .bind(sample.and_then(|sample| sample.latency).map(millis))
    .bind(&offer.endpoint)
    .bind(&offer.regions)
    .bind(bid.status.to_string())
    .bind(&bid.status_reason)
    .bind(i64::from(bid.revision))
    .bind(DateTime::<Utc>::from(offer.expire_time))
    .bind(DateTime::<Utc>::from(bid.receive_time))
    .bind(DateTime::<Utc>::from(bid.update_time))
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Bid {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let bid_id = row.bid_id;
        let broken = |what: &str| Failure::corrupt(format!("bid {bid_id}: {what}"));
        let span = |millis: Option<i64>| {
            let span = millis.map(|millis| u64::try_from(millis).map(Duration::from_millis));
            span.transpose().map_err(|_| broken("a span"))
        };
        let sla = match row.sla_availability {
            None => None,
            Some(availability) => Some(Sla {
                max_latency: span(row.sla_latency_ms)?,
                availability,
            }),
        };
        let sample = match (row.sample_input, row.sample_output) {
            (Some(input), Some(output)) => Some(Sample {
                input,
                output,
                latency: span(row.sample_latency_ms)?,
            }),
            _ => None,
        };
        let offer = Offer {
            agent_id: row.agent_id.map(AgentId::from),
            price: Money {
                currency: row.currency.parse().map_err(|_| broken("currency"))?,
                amount: Amount::try_from(row.price).map_err(|_| broken("price"))?,
            },
            confidence: row.confidence,
            approach: row.approach,
            estimated_latency: span(row.estimated_latency_ms)?,
            sla,
            sample,
            endpoint: row.endpoint,
            regions: row.regions,
            expire_time: row.expire_time.into(),
        };
        Ok(Self {
            id: row.bid_id.into(),
            work_id: row.work_id.into(),
            consumer_id: row.consumer_id.into(),
            provider_id: row.provider_id.into(),
            provider_tenant_id: row.provider_tenant_id.into(),
            offer,
            status: row.status.parse().map_err(|_| broken("status"))?,
            status_reason: row.status_reason,
            revision: u32::try_from(row.revision).map_err(|_| broken("revision"))?,
            receive_time: row.receive_time.into(),
            update_time: row.update_time.into(),
        })
    }
}
