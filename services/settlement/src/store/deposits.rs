//! Deposits in their table.

use std::collections::BTreeSet;

use aex_settlement_ledger::{Deposit, DepositState, Payment, Posted, RailEvent};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{Amount, DepositId, Money, TenantId};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::json::{self, maybe, text};

#[derive(Debug, Serialize, sqlx::FromRow)]
struct Row {
    #[serde(serialize_with = "text")]
    deposit_id: Uuid,
    #[serde(serialize_with = "text")]
    tenant_id: Uuid,
    version: i64,
    rail: String,
    currency: String,
    #[serde(serialize_with = "text")]
    amount: Decimal,
    status: String,
    rail_reference: Option<String>,
    event_number: Option<i64>,
    reason: Option<String>,
    #[serde(serialize_with = "maybe")]
    journal_id: Option<Uuid>,
    #[serde(serialize_with = "text")]
    request_time: DateTime<Utc>,
    #[serde(serialize_with = "text")]
    update_time: DateTime<Utc>,
}

/// One deposit, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, id: DepositId) -> Result<Option<Deposit>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM deposit WHERE deposit_id = $1"))
        .bind(id.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Deposit::try_from).transpose()
}

/// A page of a tenant's deposits, newest first.
pub(crate) async fn list(tx: &mut Tx<'_>, tenant: TenantId, page: &Page) -> Result<Vec<Deposit>, Failure> {
    let before: Option<DepositId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM deposit WHERE tenant_id = $1 AND ($2::uuid IS NULL OR deposit_id < $2)
         ORDER BY deposit_id DESC LIMIT $3"
    ))
    .bind(tenant.uuid())
    .bind(before.map(DepositId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Deposit::try_from).collect()
}

/// Deposits, until the commit. In the order of their ids.
pub(crate) async fn lock(
    sql: &mut PgConnection,
    deposits: impl Iterator<Item = DepositId>,
) -> Result<Vec<Deposit>, Failure> {
    let ids: Vec<Uuid> = deposits.map(DepositId::uuid).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM deposit WHERE deposit_id = ANY($1) ORDER BY deposit_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Deposit::try_from).collect()
}

/// The deposits that payments decided.
pub(crate) async fn payments(
    sql: &mut PgConnection,
    payments: impl Iterator<Item = &Payment>,
) -> Result<Vec<(Payment, DepositId)>, Failure> {
    let (rails, references): (Vec<String>, Vec<String>) = payments
        .map(|payment| (payment.rail.to_string(), payment.reference.to_string()))
        .unzip();
    if rails.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, Uuid)> = sqlx::query_as(sql!(
        "SELECT rail, rail_reference, deposit_id FROM deposit
         JOIN UNNEST($1::text[], $2::text[]) AS asked (rail, rail_reference) USING (rail, rail_reference)"
    ))
    .bind(rails)
    .bind(references)
    .fetch_all(sql)
    .await?;
    rows.into_iter()
        .map(|(rail, reference, deposit)| {
            let payment = rail.parse().ok().zip(reference.parse().ok());
            let (rail, reference) =
                payment.ok_or_else(|| Failure::corrupt(format!("a payment by {rail:?}")))?;
            Ok((Payment { rail, reference }, deposit.into()))
        })
        .collect()
}

/// Writes deposits as they are now: those that were there are changed, the others are new.
pub(crate) async fn save(
    sql: &mut PgConnection,
    known: &BTreeSet<DepositId>,
    deposits: impl Iterator<Item = &Deposit>,
) -> Result<(), Failure> {
    let (old, new): (Vec<_>, Vec<_>) = deposits.partition(|deposit| known.contains(&deposit.id));
    let rows = |deposits: Vec<&Deposit>| json::rows(&deposits.into_iter().map(Row::from).collect::<Vec<_>>());
    if !new.is_empty() {
        sqlx::query(sql!(
            "INSERT INTO deposit SELECT * FROM jsonb_populate_recordset(NULL::deposit, $1::text::jsonb)"
        ))
        .bind(rows(new)?)
        .execute(&mut *sql)
        .await?;
    }
    if !old.is_empty() {
        sqlx::query(sql!(
            "UPDATE deposit SET version = now.version, status = now.status, rail_reference = now.rail_reference,
                 event_number = now.event_number, reason = now.reason, journal_id = now.journal_id,
                 update_time = now.update_time
             FROM jsonb_populate_recordset(NULL::deposit, $1::text::jsonb) AS now
             WHERE deposit.deposit_id = now.deposit_id"
        ))
        .bind(rows(old)?)
        .execute(&mut *sql)
        .await?;
    }
    Ok(())
}

impl Row {
    fn state(&self) -> Option<DepositState> {
        if self.status == "PENDING" {
            return Some(DepositState::Pending);
        }
        let event = RailEvent {
            payment: Payment {
                rail: self.rail.parse().ok()?,
                reference: self.rail_reference.as_deref()?.parse().ok()?,
            },
            number: u32::try_from(self.event_number?).ok()?,
        };
        match self.status.as_str() {
            "CONFIRMED" => Some(DepositState::Confirmed {
                event,
                posted: Posted {
                    journal: self.journal_id.map(Into::into),
                    time: self.update_time.into(),
                },
            }),
            "REJECTED" => Some(DepositState::Rejected {
                event,
                reason: self.reason.as_deref()?.parse().ok()?,
            }),
            _ => None,
        }
    }
}

impl TryFrom<Row> for Deposit {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let id = DepositId::from(row.deposit_id);
        let broken = || Failure::corrupt(format!("deposit {id}"));
        Ok(Self {
            id,
            version: u64::try_from(row.version).map_err(|_| broken())?,
            time: row.update_time.into(),
            tenant: row.tenant_id.into(),
            money: Money {
                currency: row.currency.parse().map_err(|_| broken())?,
                amount: Amount::try_from(row.amount).map_err(|_| broken())?,
            },
            rail: row.rail.parse().map_err(|_| broken())?,
            request_time: row.request_time.into(),
            state: row.state().ok_or_else(broken)?,
        })
    }
}

impl From<&Deposit> for Row {
    fn from(deposit: &Deposit) -> Self {
        let event = deposit.rail_event();
        let (reason, journal) = match &deposit.state {
            DepositState::Pending => (None, None),
            DepositState::Confirmed { posted, .. } => (None, posted.journal),
            DepositState::Rejected { reason, .. } => (Some(reason.to_string()), None),
        };
        Self {
            deposit_id: deposit.id.uuid(),
            tenant_id: deposit.tenant.uuid(),
            version: i64::try_from(deposit.version).unwrap_or(i64::MAX),
            rail: deposit.rail.to_string(),
            currency: deposit.money.currency.to_string(),
            amount: deposit.money.amount.decimal(),
            status: deposit.state.as_str().to_owned(),
            rail_reference: event.map(|event| event.payment.reference.to_string()),
            event_number: event.map(|event| i64::from(event.number)),
            reason,
            journal_id: journal.map(aex_types::JournalId::uuid),
            request_time: deposit.request_time.into(),
            update_time: deposit.time.into(),
        }
    }
}
