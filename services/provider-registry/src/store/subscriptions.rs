//! Subscriptions in their table.

use std::time::Duration;

use aex_store::{Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{Amount, Money, ProviderId, SubscriptionId, Timestamp};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{by_aggregate, column, fold, fold_all, joined};
use crate::domain::{
    category::{Category, Pattern},
    opportunity::Candidate,
    subscription::{Event, Subscription, Wish},
};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    provider_id: Uuid,
    subscription_id: Uuid,
    categories: Vec<String>,
    currency: Option<String>,
    min_budget: Option<Decimal>,
    min_latency_us: Option<i64>,
    regions: Vec<String>,
    version: i64,
    create_time: DateTime<Utc>,
    cancel_time: Option<DateTime<Utc>>,
}

#[derive(sqlx::FromRow)]
struct CandidateRow {
    internal: bool,
    #[sqlx(flatten)]
    subscription: Row,
}

/// One subscription, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: SubscriptionId) -> Result<Option<Subscription>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// How many subscriptions of a provider live. The caller holds the provider, so none comes meanwhile.
pub(crate) async fn count_live(tx: &mut Tx<'_>, provider: ProviderId) -> Result<usize, Failure> {
    let count: i64 = sqlx::query_scalar(sql!(
        "SELECT COUNT(*) FROM subscription WHERE provider_id = $1 AND cancel_time IS NULL"
    ))
    .bind(provider.uuid())
    .fetch_one(tx.sql())
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// A page of a provider's subscriptions, oldest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    page: &Page,
) -> Result<Vec<Subscription>, Failure> {
    let after: Option<SubscriptionId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM subscription WHERE provider_id = $1 AND ($2::uuid IS NULL OR subscription_id > $2)
         ORDER BY subscription_id LIMIT $3"
    ))
    .bind(provider.uuid())
    .bind(after.map(SubscriptionId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Subscription::try_from).collect()
}

/// Live subscriptions of active providers whose patterns may fit a category: those that begin with its first segment or
/// with `*`. In order of provider and subscription, from behind the last one on, at most so many.
pub(crate) async fn candidates(
    tx: &mut Tx<'_>,
    category: &Category,
    after: Option<(ProviderId, SubscriptionId)>,
    most: i64,
) -> Result<Vec<(SubscriptionId, Candidate)>, Failure> {
    let rows: Vec<CandidateRow> = sqlx::query_as(sql!(
        "SELECT subscription.*, provider.internal
         FROM subscription JOIN provider USING (tenant_id, provider_id)
         WHERE heads && $1::text[] AND cancel_time IS NULL AND status = 'ACTIVE'
           AND ($2::uuid IS NULL OR (provider_id, subscription_id) > ($2, $3::uuid))
         ORDER BY provider_id, subscription_id LIMIT $4"
    ))
    .bind(vec![category.head(), "*"])
    .bind(after.map(|(provider, _)| provider.uuid()))
    .bind(after.map(|(_, subscription)| subscription.uuid()))
    .bind(most)
    .fetch_all(tx.sql())
    .await?;
    let candidate = |row: CandidateRow| {
        let subscription = Subscription::try_from(row.subscription)?;
        let candidate = Candidate {
            provider_id: subscription.provider_id,
            tenant_id: subscription.tenant_id,
            internal: row.internal,
            wish: subscription.wish,
        };
        Ok((subscription.id, candidate))
    };
    rows.into_iter().map(candidate).collect()
}

/// What was decided, made true: folded, saved, and published with the same commit.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Subscription>,
    event: &Event,
) -> Result<Subscription, Failure> {
    let after = fold(before, std::slice::from_ref(event), Subscription::after)?;
    save(tx.sql(), std::slice::from_ref(&after)).await?;
    tx.publish([Fact::from(event)]);
    Ok(after)
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let grouped = by_aggregate(events, |event| event.subscription_id);
    let ids: Vec<_> = grouped.keys().copied().collect();
    let before = load(folding.sql(), &ids).await?;
    let before = before.into_iter().map(|known| (known.id, known)).collect();
    let after = fold_all(&grouped, before, Subscription::after)?;
    save(folding.sql(), &after).await
}

async fn load(sql: &mut PgConnection, ids: &[SubscriptionId]) -> Result<Vec<Subscription>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM subscription WHERE subscription_id = ANY($1) ORDER BY subscription_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Subscription::try_from).collect()
}

async fn save(sql: &mut PgConnection, subscriptions: &[Subscription]) -> Result<(), Failure> {
    let wishes = || subscriptions.iter().map(|one| &one.wish);
    sqlx::query(sql!(
        "INSERT INTO subscription (tenant_id, provider_id, subscription_id, categories, heads, currency, min_budget,
                                   min_latency_us, regions, version, create_time, cancel_time)
         SELECT tenant_id, provider_id, subscription_id, string_to_array(categories, ','),
                string_to_array(heads, ','), currency, min_budget, min_latency_us, string_to_array(regions, ','),
                version, create_time, cancel_time
         FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::numeric[],
                     $8::bigint[], $9::text[], $10::bigint[], $11::timestamptz[], $12::timestamptz[])
              AS s (tenant_id, provider_id, subscription_id, categories, heads, currency, min_budget, min_latency_us,
                    regions, version, create_time, cancel_time)
         ON CONFLICT (tenant_id, provider_id, subscription_id) DO UPDATE SET
             version = EXCLUDED.version, cancel_time = EXCLUDED.cancel_time"
    ))
    .bind(subscriptions.iter().map(|one| one.tenant_id.uuid()).collect::<Vec<_>>())
    .bind(subscriptions.iter().map(|one| one.provider_id.uuid()).collect::<Vec<_>>())
    .bind(subscriptions.iter().map(|one| one.id.uuid()).collect::<Vec<_>>())
    .bind(wishes().map(|wish| joined(&wish.categories)).collect::<Vec<_>>())
    .bind(wishes().map(heads).collect::<Vec<_>>())
    .bind(wishes().map(|wish| wish.min_budget.map(|least| least.currency.to_string())).collect::<Vec<_>>())
    .bind(wishes().map(|wish| wish.min_budget.map(|least| least.amount.decimal())).collect::<Vec<_>>())
    .bind(wishes().map(micros).collect::<Vec<_>>())
    .bind(wishes().map(|wish| joined(&wish.regions)).collect::<Vec<_>>())
    .bind(subscriptions.iter().map(|one| column(one.version)).collect::<Vec<_>>())
    .bind(subscriptions.iter().map(|one| DateTime::<Utc>::from(one.create_time)).collect::<Vec<_>>())
    .bind(subscriptions.iter().map(|one| one.cancel_time.map(DateTime::<Utc>::from)).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

fn heads(wish: &Wish) -> String {
    let mut heads: Vec<_> = wish.categories.iter().map(Pattern::head).collect();
    heads.sort_unstable();
    heads.dedup();
    joined(&heads)
}

fn micros(wish: &Wish) -> Option<i64> {
    wish.min_latency
        .map(|least| i64::try_from(least.as_micros()).unwrap_or(i64::MAX))
}

impl TryFrom<Row> for Subscription {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("subscription {}: {what}", row.subscription_id));
        let min_budget = match (&row.currency, row.min_budget) {
            (Some(currency), Some(least)) => Some(Money {
                currency: currency.parse().map_err(|_| broken("currency"))?,
                amount: Amount::try_from(least).map_err(|_| broken("min_budget"))?,
            }),
            (None, None) => None,
            _ => return Err(broken("half a budget")),
        };
        let min_latency = match row.min_latency_us {
            None => None,
            Some(micros) => Some(Duration::from_micros(
                u64::try_from(micros).map_err(|_| broken("min_latency_us"))?,
            )),
        };
        let categories: Result<_, _> = row.categories.iter().map(|pattern| pattern.parse()).collect();
        let regions: Result<_, _> = row.regions.iter().map(|region| region.parse()).collect();
        Ok(Self {
            id: row.subscription_id.into(),
            provider_id: row.provider_id.into(),
            tenant_id: row.tenant_id.into(),
            wish: Wish {
                categories: categories.map_err(|_| broken("categories"))?,
                min_budget,
                min_latency,
                regions: regions.map_err(|_| broken("regions"))?,
            },
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            cancel_time: row.cancel_time.map(Timestamp::from),
        })
    }
}
