//! What bid-evaluator states about itself, and what it finds broken.

use std::time::Duration;

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{EvaluationId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::evaluation::Evaluation;

/// How long after its time an evaluation may still wait for its worker.
const GRACE: Duration = Duration::from_mins(10);
/// Evaluations that one audit makes again, the newest ones.
const SAMPLE: i64 = 100;

/// A page of facts: which work has which evaluation.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<WorkId> = page.after()?;
    let rows: Vec<(Uuid, Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT work_id, evaluation_id, status, create_time FROM evaluation
         WHERE $1::uuid IS NULL OR work_id > $1 ORDER BY work_id LIMIT $2"
    ))
    .bind(after.map(WorkId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(work, evaluation, status, since): (Uuid, Uuid, String, DateTime<Utc>)| AuditFact {
        kind: "evaluation.status".to_owned(),
        subject: WorkId::from(work).to_string(),
        value: format!("{status} {}", EvaluationId::from(evaluation)),
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Evaluations that do not follow from what they keep, and works that wait too long for theirs.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let late = DateTime::<Utc>::from(tx.now().saturating_sub(GRACE));
    let overdue: Vec<Uuid> = sqlx::query_scalar(sql!(
        "SELECT key FROM timer WHERE due_time < $1 ORDER BY due_time LIMIT 1000"
    ))
    .bind(late)
    .fetch_all(tx.sql())
    .await?;
    let rows: Vec<super::evaluations::Row> = sqlx::query_as(sql!(
        "SELECT evaluation_id, verdict, version, create_time FROM evaluation ORDER BY evaluation_id DESC LIMIT $1"
    ))
    .bind(SAMPLE)
    .fetch_all(tx.sql())
    .await?;
    let mut found: Vec<_> = overdue
        .into_iter()
        .map(|work| AuditViolation {
            invariant: "evaluation.made".to_owned(),
            subject: WorkId::from(work).to_string(),
            detail: "its bids wait to be ranked".to_owned(),
        })
        .collect();
    for row in rows {
        let evaluation = Evaluation::try_from(row)?;
        if !evaluation.result.is_reproducible() {
            found.push(AuditViolation {
                invariant: "evaluation.reproducible".to_owned(),
                subject: evaluation.id.to_string(),
                detail: "its ranks and scores do not follow from what it keeps".to_owned(),
            });
        }
    }
    Ok(found)
}
