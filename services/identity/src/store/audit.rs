//! What identity states about itself, and what it finds broken.

use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Place, Stated, Tx, sql};
use aex_types::{KeyId, TenantId};
use uuid::Uuid;

/// A page of facts: where each tenant and each key stands. A key expires by the clock.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Stated>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows = sqlx::query_as(sql!(
        "SELECT kind, id, value, since
         FROM (SELECT 'key.status' AS kind, key_id AS id,
                      CASE WHEN revoke_time IS NOT NULL THEN 'REVOKED'
                           WHEN expire_time <= $4 THEN 'EXPIRED' ELSE 'ACTIVE' END AS value,
                      COALESCE(revoke_time, CASE WHEN expire_time <= $4 THEN expire_time END, create_time) AS since
               FROM api_key
               UNION ALL SELECT 'tenant.status', tenant_id, status, update_time FROM tenant) AS fact
         WHERE $1::text IS NULL OR (kind, id) > ($1, $2)
         ORDER BY kind, id LIMIT $3"
    ))
    .bind(after.as_ref().map(|place| &place.kind))
    .bind(after.as_ref().map(|place| place.id))
    .bind(page.limit())
    .bind(chrono::DateTime::from(tx.now()))
    .fetch_all(tx.sql())
    .await?;
    Ok(rows)
}

/// The fact of a row.
pub(crate) fn fact(stated: Stated) -> AuditFact {
    let subject = match stated.kind.as_str() {
        "key.status" => KeyId::from(stated.id).to_string(),
        _ => TenantId::from(stated.id).to_string(),
    };
    stated.fact(subject)
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
