//! What the registry states about itself, and what it finds broken.

use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Place, Stated, Tx, sql};
use aex_types::{AgentId, ProviderId, SubscriptionId, WorkId};
use uuid::Uuid;

/// A page of facts: where each provider, each agent and each subscription stands.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Stated>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows = sqlx::query_as(sql!(
        "SELECT kind, id, value, since
         FROM (SELECT 'agent.status' AS kind, agent_id AS id,
                      CASE WHEN retire_time IS NULL THEN 'ACTIVE' ELSE 'RETIRED' END AS value,
                      COALESCE(retire_time, create_time) AS since FROM agent
               UNION ALL SELECT 'provider.status', provider_id, status, update_time FROM provider
               UNION ALL SELECT 'subscription.status', subscription_id,
                                CASE WHEN cancel_time IS NULL THEN 'ACTIVE' ELSE 'CANCELLED' END,
                                COALESCE(cancel_time, create_time) FROM subscription) AS fact
         WHERE $1::text IS NULL OR (kind, id) > ($1, $2)
         ORDER BY kind, id LIMIT $3"
    ))
    .bind(after.as_ref().map(|place| &place.kind))
    .bind(after.as_ref().map(|place| place.id))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    Ok(rows)
}

/// The fact of a row.
pub(crate) fn fact(stated: Stated) -> AuditFact {
    let subject = match stated.kind.as_str() {
        "agent.status" => AgentId::from(stated.id).to_string(),
        "subscription.status" => SubscriptionId::from(stated.id).to_string(),
        _ => ProviderId::from(stated.id).to_string(),
    };
    stated.fact(subject)
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
