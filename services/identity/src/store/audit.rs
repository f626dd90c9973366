//! What identity states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{KeyId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A page of facts: where each tenant stands.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<TenantId> = page.after()?;
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT tenant_id, status, update_time FROM tenant WHERE $1::uuid IS NULL OR tenant_id > $1
         ORDER BY tenant_id LIMIT $2"
    ))
    .bind(after.map(TenantId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(tenant, status, since): (Uuid, String, DateTime<Utc>)| AuditFact {
        kind: "tenant.status".to_owned(),
        subject: TenantId::from(tenant).to_string(),
        value: status,
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Keys without a secret, secrets without a key, and keys that outlive their tenant.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(sql!(
        "SELECT key_id, 'the key has no secret' FROM api_key LEFT JOIN api_key_secret USING (key_id)
         WHERE secret_hash IS NULL
         UNION ALL
         SELECT key_id, 'the secret has no key' FROM api_key_secret LEFT JOIN api_key USING (key_id)
         WHERE tenant_id IS NULL
         UNION ALL
         SELECT key_id, 'the key is active, its tenant is terminated' FROM api_key JOIN tenant USING (tenant_id)
         WHERE status = 'TERMINATED' AND revoke_time IS NULL AND expire_time IS NULL
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(key, detail): (Uuid, String)| AuditViolation {
        invariant: "identity.credentials".to_owned(),
        subject: KeyId::from(key).to_string(),
        detail,
    };
    Ok(rows.into_iter().map(violation).collect())
}
