//! What identity states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{KeyId, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use uuid::Uuid;

type FactRow = (String, Uuid, String, DateTime<Utc>);

/// A fact, and where a page ends that it is the last one of: its kind and its id.
pub(crate) struct Fact {
    pub(crate) key: String,
    pub(crate) fact: AuditFact,
}

/// A page of facts: where each tenant and each key stands. A key expires by the clock.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Fact>, Failure> {
    let after: Option<String> = page.after()?;
    let after = match &after {
        None => None,
        Some(after) => {
            let (kind, id) = after.split_once(' ').ok_or(Failure::PageToken)?;
            Some((kind, id.parse::<Uuid>().map_err(|_| Failure::PageToken)?))
        }
    };
    let rows: Vec<FactRow> = sqlx::query_as(sql!(
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
    .bind(after.map(|(kind, _)| kind))
    .bind(after.map(|(_, id)| id))
    .bind(page.limit())
    .bind(DateTime::<Utc>::from(tx.now()))
    .fetch_all(tx.sql())
    .await?;
    let fact = |(kind, id, value, since): FactRow| {
        let subject = match kind.as_str() {
            "key.status" => KeyId::from(id).to_string(),
            _ => TenantId::from(id).to_string(),
        };
        Fact {
            key: format!("{kind} {id}"),
            fact: AuditFact {
                kind,
                subject,
                value,
                since: Some(wire::time(Timestamp::from(since))),
            },
        }
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
