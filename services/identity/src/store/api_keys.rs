//! API keys in their table, and the keyed hashes of their secrets beside it.

use std::collections::BTreeMap;

use aex_store::{Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{KeyId, ProviderId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::{
    api_key::{ApiKey, Event},
    secret::SecretHash,
};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    key_id: Uuid,
    display_name: String,
    prefix: String,
    scopes: Vec<String>,
    provider_id: Option<Uuid>,
    version: i64,
    create_time: DateTime<Utc>,
    expire_time: Option<DateTime<Utc>>,
    revoke_time: Option<DateTime<Utc>>,
}

/// One key, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: KeyId) -> Result<Option<ApiKey>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM api_key WHERE key_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(ApiKey::try_from).transpose()
}

/// One key, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: KeyId) -> Result<Option<ApiKey>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// The active keys of a tenant, held until the commit. The caller holds the tenant, so no key comes meanwhile.
pub(crate) async fn lock_active(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Vec<ApiKey>, Failure> {
    let now = DateTime::from(tx.now());
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM api_key
         WHERE tenant_id = $1 AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > $2)
         ORDER BY key_id FOR UPDATE"
    ))
    .bind(tenant.uuid())
    .bind(now)
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// A page of a tenant's keys, oldest first.
pub(crate) async fn list(tx: &mut Tx<'_>, tenant: TenantId, page: &Page) -> Result<Vec<ApiKey>, Failure> {
    let after: Option<KeyId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM api_key WHERE tenant_id = $1 AND ($2::uuid IS NULL OR key_id > $2) ORDER BY key_id LIMIT $3"
    ))
    .bind(tenant.uuid())
    .bind(after.map(KeyId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

/// The key whose secret has this hash.
pub(crate) async fn by_secret(tx: &mut Tx<'_>, hash: &SecretHash) -> Result<Option<ApiKey>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!(
        "SELECT api_key.* FROM api_key_secret JOIN api_key USING (key_id) WHERE secret_hash = $1"
    ))
    .bind(hash.as_slice())
    .fetch_optional(tx.sql())
    .await?;
    row.map(ApiKey::try_from).transpose()
}

/// Keeps the hash of a new key's secret.
pub(crate) async fn keep_secret(tx: &mut Tx<'_>, key: KeyId, hash: &SecretHash) -> Result<(), Failure> {
    sqlx::query(sql!(
        "INSERT INTO api_key_secret (secret_hash, key_id) VALUES ($1, $2)"
    ))
    .bind(hash.as_slice())
    .bind(key.uuid())
    .execute(tx.sql())
    .await?;
    Ok(())
}

/// What was decided, made true: folded, saved, and published with the same commit.
pub(crate) async fn record(
    tx: &mut Tx<'_>,
    before: Option<ApiKey>,
    event: &Event,
) -> Result<ApiKey, Failure> {
    let after = fold(before, std::slice::from_ref(event))?;
    save(tx.sql(), std::slice::from_ref(&after)).await?;
    tx.publish([Fact::from(event)]);
    Ok(after)
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let mut by_key: BTreeMap<KeyId, Vec<Event>> = BTreeMap::new();
    for event in events {
        by_key.entry(event.key_id).or_default().push(event.clone());
    }
    let ids: Vec<_> = by_key.keys().copied().collect();
    let mut before: BTreeMap<_, _> = load(folding.sql(), &ids)
        .await?
        .into_iter()
        .map(|key| (key.id, key))
        .collect();
    let after: Vec<_> = by_key
        .iter()
        .map(|(id, events)| fold(before.remove(id), events))
        .collect::<Result<_, _>>()?;
    save(folding.sql(), &after).await
}

fn fold(before: Option<ApiKey>, events: &[Event]) -> Result<ApiKey, Failure> {
    let mut state = before;
    for event in events {
        let after = ApiKey::after(state, event);
        state = Some(after.ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?);
    }
    state.ok_or_else(|| Failure::corrupt("a decision without an event"))
}

async fn load(sql: &mut PgConnection, ids: &[KeyId]) -> Result<Vec<ApiKey>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM api_key WHERE key_id = ANY($1) ORDER BY key_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(ApiKey::try_from).collect()
}

async fn save(sql: &mut PgConnection, keys: &[ApiKey]) -> Result<(), Failure> {
    // Scopes hold no comma, so a list of them travels as one text.
    sqlx::query(sql!(
        "INSERT INTO api_key (tenant_id, key_id, display_name, prefix, scopes, provider_id, version, create_time,
                              expire_time, revoke_time)
         SELECT tenant_id, key_id, display_name, prefix, string_to_array(scopes, ','), provider_id, version,
                create_time, expire_time, revoke_time
         FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::bigint[],
                     $8::timestamptz[], $9::timestamptz[], $10::timestamptz[])
              AS k (tenant_id, key_id, display_name, prefix, scopes, provider_id, version, create_time, expire_time,
                    revoke_time)
         ON CONFLICT (tenant_id, key_id) DO UPDATE SET version = EXCLUDED.version, revoke_time = EXCLUDED.revoke_time"
    ))
    .bind(keys.iter().map(|key| key.tenant_id.uuid()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.id.uuid()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.display_name.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.prefix.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| spelled(key).join(",")).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.provider_id.map(ProviderId::uuid)).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| i64::try_from(key.version).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| DateTime::<Utc>::from(key.create_time)).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.expire_time.map(DateTime::<Utc>::from)).collect::<Vec<_>>())
    .bind(keys.iter().map(|key| key.revoke_time.map(DateTime::<Utc>::from)).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

fn spelled(key: &ApiKey) -> Vec<String> {
    key.scopes.iter().map(ToString::to_string).collect()
}

impl TryFrom<Row> for ApiKey {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("key {}: {what}", row.key_id));
        let scopes: Result<_, _> = row.scopes.iter().map(|scope| scope.parse()).collect();
        Ok(Self {
            id: row.key_id.into(),
            tenant_id: row.tenant_id.into(),
            display_name: row.display_name.parse().map_err(|_| broken("display_name"))?,
            scopes: scopes.map_err(|_| broken("scopes"))?,
            provider_id: row.provider_id.map(ProviderId::from),
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            expire_time: row.expire_time.map(Timestamp::from),
            revoke_time: row.revoke_time.map(Timestamp::from),
            prefix: row.prefix,
        })
    }
}
