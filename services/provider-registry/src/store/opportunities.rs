//! Opportunities in their table, and what is offered to each provider beside it.

use std::collections::BTreeSet;

use aex_store::{Fact, Failure, Folding, Tx, sql};
use aex_types::{ProviderId, SubscriptionId, TenantId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{by_aggregate, column, fold, fold_all, joined, subscriptions};
use crate::{
    convert,
    domain::opportunity::{Event, MOST, Offered, Opportunity, Published, Reason, Shown},
};

/// Subscriptions that one statement of the matching reads.
const CANDIDATES: i64 = 1000;

#[derive(sqlx::FromRow)]
struct Row {
    work_id: Uuid,
    shown: Vec<u8>,
    providers: Vec<Uuid>,
    tenants: Vec<Uuid>,
    closed_reason: Option<String>,
    version: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// One opportunity, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: WorkId) -> Result<Option<Opportunity>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// The providers that work fits, each once, oldest first, at most [`MOST`].
pub(crate) async fn matched(tx: &mut Tx<'_>, work: &Published) -> Result<Vec<Offered>, Failure> {
    let mut matched: Vec<Offered> = Vec::new();
    let mut after: Option<(ProviderId, SubscriptionId)> = None;
    loop {
        let candidates = subscriptions::candidates(tx, &work.shown.category, after, CANDIDATES).await?;
        let is_last = candidates.len() < usize::try_from(CANDIDATES).unwrap_or(usize::MAX);
        for (subscription, candidate) in &candidates {
            after = Some((candidate.provider_id, *subscription));
            // Subscriptions of one provider stand together.
            let is_known = matched
                .last()
                .is_some_and(|last| last.provider_id == candidate.provider_id);
            if is_known || !work.fits(candidate) {
                continue;
            }
            if matched.len() == MOST {
                return Ok(matched);
            }
            matched.push(Offered {
                provider_id: candidate.provider_id,
                tenant_id: candidate.tenant_id,
            });
        }
        if is_last {
            return Ok(matched);
        }
    }
}

/// A page of what is offered to a provider and can still be bid on, in the order of publication.
pub(crate) async fn open_for(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    after: Option<WorkId>,
    most: i64,
) -> Result<Vec<Shown>, Failure> {
    let now = DateTime::<Utc>::from(tx.now());
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(sql!(
        "SELECT shown FROM offer JOIN opportunity USING (work_id)
         WHERE provider_id = $1 AND ($2::uuid IS NULL OR work_id > $2) AND close_time > $3
         ORDER BY work_id LIMIT $4"
    ))
    .bind(provider.uuid())
    .bind(after.map(WorkId::uuid))
    .bind(now)
    .bind(most)
    .fetch_all(tx.sql())
    .await?;
    rows.iter().map(|shown| convert::read_shown(shown)).collect()
}

/// What was decided because of another service's event, made true: folded, saved, told to the providers' watchers, and
/// published with the same commit. Only the follower comes here, and it holds its position: one at a time.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Opportunity>,
    event: &Event,
    cause: &str,
) -> Result<Opportunity, Failure> {
    let after = fold(before, std::slice::from_ref(event), Opportunity::after)?;
    save(tx.sql(), std::slice::from_ref(&after)).await?;
    let told = match after.closed {
        None => convert::told_opened(&after.shown),
        Some(_) => convert::told_closed(&after),
    };
    let providers: BTreeSet<_> = after
        .providers
        .iter()
        .map(|offered| offered.provider_id.uuid())
        .collect();
    tx.tell_all(providers, &told);
    tx.publish([Fact::from(event).caused_by(cause)]);
    Ok(after)
}

/// Folds stored events into the tables, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let grouped = by_aggregate(events, |event| event.work_id);
    let ids: Vec<_> = grouped.keys().copied().collect();
    let before = load(folding.sql(), &ids).await?;
    let before = before
        .into_iter()
        .map(|known| (known.shown.work_id, known))
        .collect();
    let after = fold_all(&grouped, before, Opportunity::after)?;
    save(folding.sql(), &after).await
}

async fn load(sql: &mut PgConnection, ids: &[WorkId]) -> Result<Vec<Opportunity>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT work_id, shown, providers, tenants, closed_reason, version, create_time, update_time
         FROM opportunity WHERE work_id = ANY($1) ORDER BY work_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Opportunity::try_from).collect()
}

async fn save(sql: &mut PgConnection, opportunities: &[Opportunity]) -> Result<(), Failure> {
    sqlx::query(sql!(
        "INSERT INTO opportunity (work_id, shown, providers, tenants, close_time, closed_reason, version, create_time,
                                  update_time)
         SELECT work_id, shown, string_to_array(providers, ',')::uuid[], string_to_array(tenants, ',')::uuid[],
                close_time, closed_reason, version, create_time, update_time
         FROM UNNEST($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[],
                     $8::timestamptz[], $9::timestamptz[])
              AS o (work_id, shown, providers, tenants, close_time, closed_reason, version, create_time, update_time)
         ON CONFLICT (work_id) DO UPDATE SET
             closed_reason = EXCLUDED.closed_reason, version = EXCLUDED.version, update_time = EXCLUDED.update_time"
    ))
    .bind(opportunities.iter().map(|one| one.shown.work_id.uuid()).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| convert::shown_bytes(&one.shown)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(providers).collect::<Vec<_>>())
    .bind(opportunities.iter().map(tenants).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.shown.close_time)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| one.closed.map(|why| why.to_string())).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| column(one.version)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.create_time)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.update_time)).collect::<Vec<_>>())
    .execute(&mut *sql)
    .await?;
    save_offers(sql, opportunities).await
}

/// An offer stands exactly as long as its opportunity is open.
async fn save_offers(sql: &mut PgConnection, opportunities: &[Opportunity]) -> Result<(), Failure> {
    let works = |is_open: bool| {
        let of = opportunities
            .iter()
            .filter(move |one| one.closed.is_none() == is_open);
        of.map(|one| one.shown.work_id.uuid()).collect::<Vec<_>>()
    };
    sqlx::query(sql!("DELETE FROM offer WHERE work_id = ANY($1)"))
        .bind(works(false))
        .execute(&mut *sql)
        .await?;
    sqlx::query(sql!(
        "INSERT INTO offer (provider_id, work_id)
         SELECT offered.provider_id, work_id FROM opportunity, UNNEST(providers) AS offered (provider_id)
         WHERE work_id = ANY($1)
         ON CONFLICT DO NOTHING"
    ))
    .bind(works(true))
    .execute(sql)
    .await?;
    Ok(())
}

fn providers(opportunity: &Opportunity) -> String {
    joined(
        &opportunity
            .providers
            .iter()
            .map(|offered| offered.provider_id.uuid())
            .collect::<Vec<_>>(),
    )
}

fn tenants(opportunity: &Opportunity) -> String {
    joined(
        &opportunity
            .providers
            .iter()
            .map(|offered| offered.tenant_id.uuid())
            .collect::<Vec<_>>(),
    )
}

impl TryFrom<Row> for Opportunity {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("opportunity {}: {what}", row.work_id));
        let closed = match &row.closed_reason {
            None => None,
            Some(spelled) => Some(Reason::spelled(spelled).ok_or_else(|| broken("closed_reason"))?),
        };
        if row.providers.len() != row.tenants.len() {
            return Err(broken("providers"));
        }
        let offered = row
            .providers
            .iter()
            .zip(&row.tenants)
            .map(|(provider, tenant)| Offered {
                provider_id: ProviderId::from(*provider),
                tenant_id: TenantId::from(*tenant),
            });
        Ok(Self {
            shown: convert::read_shown(&row.shown)?,
            providers: offered.collect(),
            closed,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            update_time: Timestamp::from(row.update_time),
        })
    }
}
