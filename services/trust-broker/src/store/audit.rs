//! What trust-broker states about itself, and what it finds broken.

use std::collections::BTreeMap;

use aex_error::wire;
use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{ContractId, ProviderId, Timestamp};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{outcomes, records};
use crate::domain::{
    assessment::assess,
    modifier::Charges,
    outcome::Outcome,
    record::{Counts, TrustRecord},
};

/// Providers whose outcomes are held in memory at once.
const AT_ONCE: i64 = 100;
/// The most violations that are told.
const MOST: usize = 1000;

/// A page of facts: how each contract ended.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<AuditFact>, Failure> {
    let after: Option<ContractId> = page.after()?;
    let rows: Vec<(Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql!(
        "SELECT contract_id, kind, completed_at FROM outcome WHERE $1::uuid IS NULL OR contract_id > $1
         ORDER BY contract_id LIMIT $2"
    ))
    .bind(after.map(ContractId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    let fact = |(contract, kind, since): (Uuid, String, DateTime<Utc>)| AuditFact {
        kind: "trust.outcome".to_owned(),
        subject: ContractId::from(contract).to_string(),
        value: kind,
        since: Some(wire::time(Timestamp::from(since))),
    };
    Ok(rows.into_iter().map(fact).collect())
}

/// Every record that its outcomes do not give again: score, tier, counts, and which outcomes the score is made of.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let ids = providers(tx, after).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        let mut known: BTreeMap<ProviderId, Vec<(Outcome, bool)>> = BTreeMap::new();
        for (provider, outcome, is_counted) in outcomes::all_of(tx, &ids).await? {
            known.entry(provider).or_default().push((outcome, is_counted));
        }
        let ids: Vec<_> = ids.into_iter().map(ProviderId::from).collect();
        let stored = records::find_all(tx, &ids).await?;
        for id in ids {
            let outcomes = known.remove(&id).unwrap_or_default();
            found.extend(problem(id, stored.get(&id), &outcomes));
        }
        if found.len() >= MOST {
            found.truncate(MOST);
            break;
        }
    }
    Ok(found)
}

async fn providers(tx: &mut Tx<'_>, after: Option<Uuid>) -> Result<Vec<Uuid>, Failure> {
    let ids = sqlx::query_scalar(sql!(
        "SELECT provider_id FROM (SELECT provider_id FROM trust UNION SELECT provider_id FROM outcome) AS known
         WHERE $1::uuid IS NULL OR provider_id > $1 ORDER BY provider_id LIMIT $2"
    ))
    .bind(after)
    .bind(AT_ONCE)
    .fetch_all(tx.sql())
    .await?;
    Ok(ids)
}

fn problem(
    id: ProviderId,
    stored: Option<&TrustRecord>,
    outcomes: &[(Outcome, bool)],
) -> Option<AuditViolation> {
    let violation = |detail: String| AuditViolation {
        invariant: "I13".to_owned(),
        subject: id.to_string(),
        detail,
    };
    let Some(stored) = stored else {
        return Some(violation("there are outcomes, and no record".to_owned()));
    };
    let counted = outcomes
        .iter()
        .filter(|(_, is_counted)| *is_counted)
        .map(|(outcome, _)| *outcome);
    let mut counts = Counts {
        excluded: u64::try_from(outcomes.len()).unwrap_or(u64::MAX),
        ..Counts::default()
    };
    for outcome in counted.clone() {
        counts.add(outcome.kind);
        counts.excluded = counts.excluded.saturating_sub(1);
    }
    let again = TrustRecord {
        counts,
        window: counted.collect(),
        ..stored.clone()
    };
    if again.counts != stored.counts {
        return Some(violation(format!(
            "counted {:?}, stored {:?}",
            again.counts, stored.counts
        )));
    }
    if again.window != stored.window {
        return Some(violation(
            "the score is made of other outcomes than the newest".to_owned(),
        ));
    }
    let found = assess(&again, Charges::NONE, stored.update_time?);
    (found.score != stored.score || found.tier != stored.tier).then(|| {
        violation(format!(
            "computed {} {}, stored {} {}",
            found.score, found.tier, stored.score, stored.tier
        ))
    })
}
