//! Tenants in their table.

use std::collections::BTreeMap;

use aex_store::{Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{TenantId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::tenant::{Event, Status, Tenant, TenantType};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    display_name: String,
    tenant_type: String,
    status: String,
    reason: String,
    contact_email: String,
    internal: bool,
    version: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// One tenant, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: TenantId) -> Result<Option<Tenant>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM tenant WHERE tenant_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Tenant::try_from).transpose()
}

/// One tenant, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: TenantId) -> Result<Option<Tenant>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// A page of tenants, oldest first.
pub(crate) async fn list(tx: &mut Tx<'_>, status: Option<&str>, page: &Page) -> Result<Vec<Tenant>, Failure> {
    let after: Option<TenantId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM tenant WHERE ($1::uuid IS NULL OR tenant_id > $1) AND ($2::text IS NULL OR status = $2)
         ORDER BY tenant_id LIMIT $3"
    ))
    .bind(after.map(TenantId::uuid))
    .bind(status)
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

/// What was decided, made true: folded, saved, and published with the same commit.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<Tenant>,
    events: &[Event],
) -> Result<Tenant, Failure> {
    let after = fold(before, events)?;
    if !events.is_empty() {
        save(tx.sql(), std::slice::from_ref(&after)).await?;
        tx.publish(events.iter().map(Fact::from));
    }
    Ok(after)
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let mut by_tenant: BTreeMap<TenantId, Vec<Event>> = BTreeMap::new();
    for event in events {
        by_tenant.entry(event.tenant_id).or_default().push(event.clone());
    }
    let ids: Vec<_> = by_tenant.keys().copied().collect();
    let mut before: BTreeMap<_, _> = load(folding.sql(), &ids)
        .await?
        .into_iter()
        .map(|tenant| (tenant.id, tenant))
        .collect();
    let after: Vec<_> = by_tenant
        .iter()
        .map(|(id, events)| fold(before.remove(id), events))
        .collect::<Result<_, _>>()?;
    save(folding.sql(), &after).await
}

fn fold(before: Option<Tenant>, events: &[Event]) -> Result<Tenant, Failure> {
    let mut state = before;
    for event in events {
        let after = Tenant::after(state, event);
        state = Some(after.ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?);
    }
    state.ok_or_else(|| Failure::corrupt("a decision without an event"))
}

async fn load(sql: &mut PgConnection, ids: &[TenantId]) -> Result<Vec<Tenant>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM tenant WHERE tenant_id = ANY($1) ORDER BY tenant_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Tenant::try_from).collect()
}

async fn save(sql: &mut PgConnection, tenants: &[Tenant]) -> Result<(), Failure> {
    let rows: Vec<_> = tenants.iter().map(Row::from).collect();
    sqlx::query(sql!(
        "INSERT INTO tenant (tenant_id, display_name, tenant_type, status, reason, contact_email, internal, version,
                             create_time, update_time)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                              $8::bigint[], $9::timestamptz[], $10::timestamptz[])
         ON CONFLICT (tenant_id) DO UPDATE SET
             display_name = EXCLUDED.display_name, status = EXCLUDED.status, reason = EXCLUDED.reason,
             contact_email = EXCLUDED.contact_email, version = EXCLUDED.version, update_time = EXCLUDED.update_time"
    ))
    .bind(rows.iter().map(|row| row.tenant_id).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.display_name.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.tenant_type.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reason.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.contact_email.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.internal).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.create_time).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.update_time).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

/// How a type is spelled in the table.
const TYPES: [(TenantType, &str); 3] = [
    (TenantType::Requestor, "REQUESTOR"),
    (TenantType::Provider, "PROVIDER"),
    (TenantType::Both, "BOTH"),
];

impl TryFrom<Row> for Tenant {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("tenant {}: {what}", row.tenant_id));
        let reason = || row.reason.parse().map_err(|_| broken("reason"));
        let status = match row.status.as_str() {
            "ACTIVE" => Status::Active,
            "SUSPENDED" => Status::Suspended { reason: reason()? },
            "TERMINATED" => Status::Terminated { reason: reason()? },
            _ => return Err(broken("status")),
        };
        let tenant_type = TYPES.iter().find(|(_, spelled)| *spelled == row.tenant_type);
        let contact_email = match row.contact_email.as_str() {
            "" => None,
            email => Some(email.parse().map_err(|_| broken("contact_email"))?),
        };
        Ok(Self {
            id: row.tenant_id.into(),
            display_name: row.display_name.parse().map_err(|_| broken("display_name"))?,
            tenant_type: tenant_type.ok_or_else(|| broken("tenant_type"))?.0,
            status,
            contact_email,
            internal: row.internal,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            update_time: Timestamp::from(row.update_time),
        })
    }
}

impl From<&Tenant> for Row {
    fn from(tenant: &Tenant) -> Self {
        let reason = match &tenant.status {
            Status::Active => String::new(),
            Status::Suspended { reason } | Status::Terminated { reason } => reason.to_string(),
        };
        let tenant_type = TYPES.iter().find(|(known, _)| *known == tenant.tenant_type);
        Self {
            tenant_id: tenant.id.uuid(),
            display_name: tenant.display_name.to_string(),
            tenant_type: tenant_type
                .map(|(_, spelled)| (*spelled).to_owned())
                .unwrap_or_default(),
            status: tenant.status.to_string(),
            reason,
            contact_email: tenant
                .contact_email
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            internal: tenant.internal,
            version: i64::try_from(tenant.version).unwrap_or(i64::MAX),
            create_time: tenant.create_time.into(),
            update_time: tenant.update_time.into(),
        }
    }
}
