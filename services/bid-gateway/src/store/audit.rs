//! What bid-gateway states about itself, and what it finds broken.

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{BidId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A page of facts: where each bid stands.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<BidId> = page.after()?;
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT bid_id, status, update_time FROM bid WHERE $1::uuid IS NULL OR bid_id > $1
         ORDER BY bid_id LIMIT $2"
    ))
    .bind(after.map(BidId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(bid, status, since): (Uuid, String, DateTime<Utc>)| AuditFact {
        kind: "bid.status".to_owned(),
        subject: BidId::from(bid).to_string(),
        value: status,
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Books that do not count their bids right, that took bids after their end, that have two winners or two live bids of
/// one provider, and bids without a book.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let rows: Vec<(Uuid, String)> = sqlx::query_as(sql!(
        "SELECT work_id, 'its book does not count its bids right' FROM book
         LEFT JOIN (SELECT work_id, COUNT(*) AS total,
                           COUNT(*) FILTER (WHERE status NOT IN ('SUPERSEDED', 'WITHDRAWN')) AS live
                    FROM bid GROUP BY work_id) AS counted USING (work_id)
         WHERE total_bids <> COALESCE(total, 0) OR live_bids <> COALESCE(live, 0)
         UNION ALL
         SELECT work_id, 'its book has a bid that came after its end' FROM bid JOIN book USING (work_id)
         WHERE receive_time >= close_time OR receive_time > seal_time
         UNION ALL
         SELECT work_id, 'its book has two live bids of one provider' FROM bid
         WHERE status NOT IN ('SUPERSEDED', 'WITHDRAWN') GROUP BY work_id, provider_id HAVING COUNT(*) > 1
         UNION ALL
         SELECT work_id, 'two bids won it' FROM bid WHERE status = 'AWARDED' GROUP BY work_id HAVING COUNT(*) > 1
         UNION ALL
         SELECT work_id, 'it has bids without a book' FROM bid LEFT JOIN book USING (work_id)
         WHERE version IS NULL
         ORDER BY 1, 2 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    let violation = |(work, detail): (Uuid, String)| AuditViolation {
        invariant: "bid.book".to_owned(),
        subject: WorkId::from(work).to_string(),
        detail,
    };
    Ok(rows.into_iter().map(violation).collect())
}
