//! What the registry states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{AgentId, ProviderId, SubscriptionId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A page of facts: where each provider stands.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<ProviderId> = page.after()?;
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT provider_id, status, update_time FROM provider WHERE $1::uuid IS NULL OR provider_id > $1
         ORDER BY provider_id LIMIT $2"
    ))
    .bind(after.map(ProviderId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(provider, status, since): (Uuid, String, DateTime<Utc>)| AuditFact {
        kind: "provider.status".to_owned(),
        subject: ProviderId::from(provider).to_string(),
        value: status,
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Agents and subscriptions without their provider, and offers that do not agree with their opportunity.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(String, Uuid, String)> = sqlx::query_as(sql!(
        "SELECT 'agent', agent_id, 'the agent has no provider of its tenant'
         FROM agent LEFT JOIN provider USING (tenant_id, provider_id) WHERE status IS NULL
         UNION ALL
         SELECT 'sub', subscription_id, 'the subscription has no provider of its tenant'
         FROM subscription LEFT JOIN provider USING (tenant_id, provider_id) WHERE status IS NULL
         UNION ALL
         SELECT 'work', offer.work_id, 'the work is offered, and no opportunity is open'
         FROM offer LEFT JOIN opportunity USING (work_id) WHERE opportunity.version IS NULL OR closed_reason IS NOT NULL
         UNION ALL
         SELECT 'work', opportunity.work_id, 'the opportunity is open, and not offered to each of its providers'
         FROM opportunity
         WHERE closed_reason IS NULL
           AND cardinality(providers) <> (SELECT COUNT(*) FROM offer WHERE offer.work_id = opportunity.work_id)
         ORDER BY 1, 2 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(kind, subject, detail): (String, Uuid, String)| AuditViolation {
        invariant: "registry.references".to_owned(),
        subject: match kind.as_str() {
            "agent" => AgentId::from(subject).to_string(),
            "sub" => SubscriptionId::from(subject).to_string(),
            _ => WorkId::from(subject).to_string(),
        },
        detail,
    };
    Ok(rows.into_iter().map(violation).collect())
}
