//! What the ledger states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::Timestamp;
use chrono::{DateTime, Utc};

use super::{head, verify};

/// How much of the end of the chain an audit recomputes; `VerifyChain` checks the rest.
const LATEST: u64 = 10_000;

/// Where the log ends: stated on the first page.
pub(crate) async fn end(tx: &mut Tx<'_>) -> Result<Vec<AuditFact>, Failure> {
    let head = head(tx).await?;
    let since: Option<DateTime<Utc>> = sqlx::query_scalar(sql!(
        "SELECT append_time FROM event ORDER BY sequence DESC LIMIT 1"
    ))
    .fetch_optional(tx.sql())
    .await?;
    let since = since.map(|time| wire::time(Timestamp::from(time)));
    let fact = |kind: &str, value: String| AuditFact {
        kind: kind.to_owned(),
        subject: "head".to_owned(),
        value,
        since,
    };
    Ok(vec![
        fact("ledger.sequence", head.sequence.to_string()),
        fact("ledger.hash", head.hash.to_string()),
    ])
}

/// A page of facts: how many events each producer has told, and when it told the last.
pub(crate) async fn producers(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<String> = page.after()?;
    let rows: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT producer, COUNT(*), MAX(append_time) FROM event WHERE $1::text IS NULL OR producer > $1
         GROUP BY producer ORDER BY producer LIMIT $2"
    ))
    .bind(after)
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(producer, count, since): (String, i64, DateTime<Utc>)| AuditFact {
        kind: "ledger.events".to_owned(),
        subject: producer,
        value: count.to_string(),
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Places and versions that are missing, and the chain of the latest events where it does not hold.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let mut violations = gaps(tx).await?;
    violations.extend(versions(tx).await?);
    violations.extend(latest(tx).await?);
    Ok(violations)
}

async fn gaps(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql!(
        "SELECT before + 1, sequence - 1 FROM (
             SELECT sequence, LAG(sequence, 1, 0::bigint) OVER (ORDER BY sequence) AS before FROM (
                 SELECT sequence FROM event UNION ALL SELECT sequence + 1 FROM head
             ) AS place
         ) AS pair
         WHERE sequence <> before + 1 ORDER BY sequence LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(first, last): (i64, i64)| AuditViolation {
        invariant: "ledger.dense".to_owned(),
        subject: first.to_string(),
        detail: if last >= first {
            format!("the events {first} to {last} are missing")
        } else {
            "events stand beyond the end of the log".to_owned()
        },
    };
    Ok(rows.into_iter().map(violation).collect())
}

async fn versions(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(sql!(
        "SELECT aggregate_id, MAX(aggregate_version), COUNT(*) FROM event
         GROUP BY aggregate_id, aggregate_type, producer
         HAVING MIN(aggregate_version) <> 1 OR MAX(aggregate_version) <> COUNT(*)
         ORDER BY aggregate_id LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(aggregate, last, count): (String, i64, i64)| AuditViolation {
        invariant: "ledger.versions".to_owned(),
        subject: aggregate,
        detail: format!("{count} events lead to version {last}"),
    };
    Ok(rows.into_iter().map(violation).collect())
}

async fn latest(tx: &mut Tx<'_>) -> Result<Option<AuditViolation>, Failure> {
    let from = head(tx).await?.sequence.saturating_sub(LATEST).saturating_add(1);
    let verdict = verify::chain(tx, from, LATEST).await?;
    Ok(verdict.broken.map(|(sequence, problem)| AuditViolation {
        invariant: "ledger.chain".to_owned(),
        subject: sequence.to_string(),
        detail: problem.to_owned(),
    }))
}
