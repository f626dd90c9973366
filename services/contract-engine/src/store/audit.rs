//! What contract-engine states about itself, and what it finds broken.

use std::time::Duration;

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{BidId, ContractId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// How long after its time something may still wait for its worker.
const GRACE: Duration = Duration::from_mins(10);

type Stated = (Uuid, Uuid, String, Decimal, String, Uuid, DateTime<Utc>);

/// A page of facts: where each contract stands, for which work, price and bid.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<ContractId> = page.after()?;
    let rows: Vec<Stated> = sqlx::query_as(sql!(
        "SELECT contract_id, work_id, status, price, currency, bid_id, update_time FROM contract
         WHERE $1::uuid IS NULL OR contract_id > $1 ORDER BY contract_id LIMIT $2"
    ))
    .bind(after.map(ContractId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(contract, work, status, price, currency, bid, since): Stated| AuditFact {
        kind: "contract.status".to_owned(),
        subject: ContractId::from(contract).to_string(),
        value: format!(
            "{status} {} {} {currency} {}",
            WorkId::from(work),
            price.normalize(),
            BidId::from(bid)
        ),
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Two contracts that stand for one work, work that waits too long for its worker, and results that are not kept.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let late = DateTime::<Utc>::from(tx.now().saturating_sub(GRACE));
    let rows: Vec<(String, Uuid, String)> = sqlx::query_as(sql!(
        "SELECT 'contract.one_per_work', min(contract_id::text)::uuid, 'the work has ' || count(*) || ' contracts'
         FROM contract WHERE status <> 'VOID' GROUP BY work_id HAVING count(*) > 1
         UNION ALL
         SELECT 'contract.decided', contract_id, 'the award is not decided' FROM contract
         WHERE status = 'PROPOSED' AND update_time < $1
         UNION ALL
         SELECT 'contract.expired', contract_id, 'its time is over and it stands' FROM contract
         WHERE status IN ('AWARDED', 'EXECUTING') AND expire_time < $1
         UNION ALL
         SELECT 'contract.reviewed', contract_id, 'its review time is over and it waits' FROM contract
         WHERE status = 'VERIFICATION_PENDING' AND review_deadline < $1
         UNION ALL
         SELECT 'contract.paid', contract_id, 'it is completed and not paid' FROM contract
         WHERE status = 'COMPLETED' AND update_time < $1
         UNION ALL
         SELECT 'contract.worked', key, 'the job ' || kind || ' is overdue' FROM timer WHERE due_time < $1
         ORDER BY 1, 2 LIMIT 1000"
    ))
    .bind(late)
    .fetch_all(tx.sql())
    .await?;
    let violation = |(invariant, subject, detail): (String, Uuid, String)| AuditViolation {
        invariant,
        subject: ContractId::from(subject).to_string(),
        detail,
    };
    Ok(rows.into_iter().map(violation).collect())
}
