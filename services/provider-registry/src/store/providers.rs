//! Providers in their table.

use aex_store::{Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{ProviderId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{by_aggregate, column, fold, fold_all, joined};
use crate::domain::{
    category::Category,
    provider::{Event, Profile, Provider, Status},
};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    provider_id: Uuid,
    display_name: String,
    description: String,
    endpoint: String,
    capabilities: Vec<String>,
    status: String,
    reason: String,
    with_tenant: bool,
    internal: bool,
    version: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// One provider, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: ProviderId) -> Result<Option<Provider>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM provider WHERE provider_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Provider::try_from).transpose()
}

/// One provider, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: ProviderId) -> Result<Option<Provider>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// How many providers a tenant has; until the commit nobody adds one.
pub(crate) async fn count_of(tx: &mut Tx<'_>, tenant: TenantId) -> Result<usize, Failure> {
    sqlx::query(sql!(
        "INSERT INTO seller (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING"
    ))
    .bind(tenant.uuid())
    .execute(tx.sql())
    .await?;
    sqlx::query(sql!("SELECT 1 FROM seller WHERE tenant_id = $1 FOR UPDATE"))
        .bind(tenant.uuid())
        .execute(tx.sql())
        .await?;
    let count: i64 = sqlx::query_scalar(sql!("SELECT COUNT(*) FROM provider WHERE tenant_id = $1"))
        .bind(tenant.uuid())
        .fetch_one(tx.sql())
        .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// A page of a tenant's providers, or of all; of one alone where a key is bound to it. Oldest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    tenant: Option<TenantId>,
    only: Option<ProviderId>,
    page: &Page,
) -> Result<Vec<Provider>, Failure> {
    let after: Option<ProviderId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM provider
         WHERE ($1::uuid IS NULL OR tenant_id = $1) AND ($2::uuid IS NULL OR provider_id = $2)
           AND ($3::uuid IS NULL OR provider_id > $3)
         ORDER BY provider_id LIMIT $4"
    ))
    .bind(tenant.map(TenantId::uuid))
    .bind(only.map(ProviderId::uuid))
    .bind(after.map(ProviderId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// A page of the active providers that work in a category or in one above it, oldest first.
pub(crate) async fn search(
    tx: &mut Tx<'_>,
    category: &Category,
    page: &Page,
) -> Result<Vec<Provider>, Failure> {
    let after: Option<ProviderId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM provider
         WHERE capabilities && $1::text[] AND status = 'ACTIVE' AND ($2::uuid IS NULL OR provider_id > $2)
         ORDER BY provider_id LIMIT $3"
    ))
    .bind(category.lineage())
    .bind(after.map(ProviderId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// What was decided, made true: folded, saved, and published with the same commit.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Provider>,
    events: &[Event],
) -> Result<Provider, Failure> {
    let after = fold(before, events, Provider::after)?;
    if !events.is_empty() {
        save(tx.sql(), std::slice::from_ref(&after)).await?;
        tx.publish(events.iter().map(Fact::from));
    }
    Ok(after)
}

/// The providers of a tenant, held until the commit.
pub(crate) async fn lock_of(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Vec<Provider>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM provider WHERE tenant_id = $1 ORDER BY provider_id FOR UPDATE"
    ))
    .bind(tenant.uuid())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

/// What was decided because of another service's event, made true for many providers.
pub(crate) async fn record_heard(
    tx: &mut Tx<'_>,
    decided: Vec<(Provider, Vec<Event>)>,
    cause: &str,
) -> Result<(), Failure> {
    let mut after = Vec::with_capacity(decided.len());
    for (provider, events) in decided {
        tx.publish(events.iter().map(|event| Fact::from(event).caused_by(cause)));
        after.push(fold(Some(provider), &events, Provider::after)?);
    }
    save(tx.sql(), &after).await
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let grouped = by_aggregate(events, |event| event.provider_id);
    let ids: Vec<_> = grouped.keys().copied().collect();
    let before = load(folding.sql(), &ids).await?;
    let before = before
        .into_iter()
        .map(|provider| (provider.id, provider))
        .collect();
    let after = fold_all(&grouped, before, Provider::after)?;
    save(folding.sql(), &after).await
}

async fn load(sql: &mut PgConnection, ids: &[ProviderId]) -> Result<Vec<Provider>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM provider WHERE provider_id = ANY($1) ORDER BY provider_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Provider::try_from).collect()
}

async fn save(sql: &mut PgConnection, providers: &[Provider]) -> Result<(), Failure> {
    let column_of = |text: fn(&Provider) -> String| providers.iter().map(text).collect::<Vec<_>>();
    sqlx::query(sql!(
        "INSERT INTO provider (tenant_id, provider_id, display_name, description, endpoint, capabilities, status,
                               reason, internal, version, create_time, update_time, with_tenant)
         SELECT tenant_id, provider_id, display_name, description, endpoint, string_to_array(capabilities, ','),
                status, reason, internal, version, create_time, update_time, with_tenant
         FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::boolean[], $10::bigint[], $11::timestamptz[], $12::timestamptz[], $13::boolean[])
              AS p (tenant_id, provider_id, display_name, description, endpoint, capabilities, status, reason,
                    internal, version, create_time, update_time, with_tenant)
         ON CONFLICT (tenant_id, provider_id) DO UPDATE SET
             display_name = EXCLUDED.display_name, description = EXCLUDED.description,
             endpoint = EXCLUDED.endpoint, capabilities = EXCLUDED.capabilities, status = EXCLUDED.status,
             reason = EXCLUDED.reason, version = EXCLUDED.version, update_time = EXCLUDED.update_time,
             with_tenant = EXCLUDED.with_tenant"
    ))
    .bind(providers.iter().map(|one| one.tenant_id.uuid()).collect::<Vec<_>>())
    .bind(providers.iter().map(|one| one.id.uuid()).collect::<Vec<_>>())
    .bind(column_of(|one| one.profile.display_name.to_string()))
    .bind(column_of(|one| {
        let description = one.profile.description.as_ref();
        description.map(ToString::to_string).unwrap_or_default()
    }))
    .bind(column_of(|one| one.profile.endpoint.as_str().to_owned()))
    .bind(column_of(|one| joined(&one.profile.capabilities)))
    .bind(column_of(|one| one.status.to_string()))
    .bind(column_of(|one| match &one.status {
        Status::Active | Status::Inactive => String::new(),
        Status::Suspended { reason, .. } => reason.to_string(),
    }))
    .bind(providers.iter().map(|one| one.internal).collect::<Vec<_>>())
    .bind(providers.iter().map(|one| column(one.version)).collect::<Vec<_>>())
    .bind(providers.iter().map(|one| DateTime::<Utc>::from(one.create_time)).collect::<Vec<_>>())
    .bind(providers.iter().map(|one| DateTime::<Utc>::from(one.update_time)).collect::<Vec<_>>())
    .bind(providers.iter().map(|one| one.status.is_with_tenant()).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Provider {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("provider {}: {what}", row.provider_id));
        let status = match row.status.as_str() {
            "ACTIVE" => Status::Active,
            "INACTIVE" => Status::Inactive,
            "SUSPENDED" => Status::Suspended {
                reason: row.reason.parse().map_err(|_| broken("reason"))?,
                with_tenant: row.with_tenant,
            },
            _ => return Err(broken("status")),
        };
        let description = match row.description.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| broken("description"))?),
        };
        let capabilities: Result<_, _> = row.capabilities.iter().map(|category| category.parse()).collect();
        Ok(Self {
            id: row.provider_id.into(),
            tenant_id: row.tenant_id.into(),
            profile: Profile {
                display_name: row.display_name.parse().map_err(|_| broken("display_name"))?,
                description,
                endpoint: row.endpoint.parse().map_err(|_| broken("endpoint"))?,
                capabilities: capabilities.map_err(|_| broken("capabilities"))?,
            },
            status,
            internal: row.internal,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            update_time: Timestamp::from(row.update_time),
        })
    }
}
