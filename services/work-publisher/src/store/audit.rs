//! What work-publisher states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{ContractId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where one work stands, and which contract has it.
#[derive(sqlx::FromRow)]
pub(crate) struct Standing {
    work_id: Uuid,
    status: String,
    contract_id: Option<Uuid>,
    update_time: DateTime<Utc>,
}

impl Standing {
    pub(crate) fn work_id(&self) -> WorkId {
        self.work_id.into()
    }

    /// As facts: one for the status, one for the contract.
    pub(crate) fn facts(self) -> impl Iterator<Item = AuditFact> {
        let subject = self.work_id().to_string();
        let since = Some(wire::time(Timestamp::from(self.update_time)));
        let fact = move |kind: &str, value: String| AuditFact {
            kind: kind.to_owned(),
            subject: subject.clone(),
            value,
            since,
        };
        let contract = self.contract_id.map(|id| ContractId::from(id).to_string());
        let contract = contract.map(|contract| fact("work.contract", contract));
        [fact("work.status", self.status)].into_iter().chain(contract)
    }
}

/// A page of works as they stand.
pub(crate) async fn standings(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Standing>, Failure> {
    let after: Option<WorkId> = page.after()?;
    let rows = sqlx::query_as(sql!(
        "SELECT work_id, status, contract_id, update_time FROM work
         WHERE $1::uuid IS NULL OR work_id > $1 ORDER BY work_id LIMIT $2"
    ))
    .bind(after.map(WorkId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    Ok(rows)
}

/// Works that nobody will move on, that lack their contract, or that lack the bytes of their payload.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(sql!(
        "SELECT work_id, 'it is open and nothing will close it' FROM work
         LEFT JOIN timer ON kind = 'work.close' AND key = work_id
         WHERE status = 'OPEN' AND key IS NULL
         UNION ALL
         SELECT work_id, 'it waits to be awarded and nothing will end that' FROM work
         LEFT JOIN timer ON kind = 'work.give_up' AND key = work_id
         WHERE status = 'EVALUATING' AND key IS NULL
         UNION ALL
         SELECT work_id, 'it is held by no contract' FROM work
         WHERE status IN ('AWARDING', 'AWARDED', 'EXECUTING', 'COMPLETED') AND contract_id IS NULL
         UNION ALL
         SELECT work_id, 'the bytes of its payload are gone' FROM work
         LEFT JOIN payload ON payload.sha256 = payload_sha256
         WHERE payload_sha256 IS NOT NULL AND payload_location IS NULL AND payload.sha256 IS NULL
         ORDER BY 1, 2 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(work, detail): (Uuid, String)| AuditViolation {
        invariant: "work.moves_on".to_owned(),
        subject: WorkId::from(work).to_string(),
        detail,
    };
    Ok(rows.into_iter().map(violation).collect())
}
