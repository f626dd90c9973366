//! What tenants read of the journals: one row for each line that concerns a tenant.

use std::{fmt, str::FromStr};

use aex_settlement_ledger::{AccountCode, EntryType, Event, Side, Subject, statement};
use aex_store::{Failure, Page, Tx, sql};
use aex_types::{Amount, ContractId, Currency, DepositId, JournalId, Money, TenantId, Timestamp};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    journals,
    json::{self, maybe, text},
};

#[derive(Debug, Serialize, sqlx::FromRow)]
struct Row {
    #[serde(serialize_with = "text")]
    tenant_id: Uuid,
    #[serde(serialize_with = "text")]
    post_time: DateTime<Utc>,
    /// The place in the tenant's own account, which orders what was posted at one moment.
    seq: i64,
    #[serde(serialize_with = "text")]
    journal_id: Uuid,
    line: i32,
    entry_type: String,
    side: String,
    code: i32,
    currency: String,
    #[serde(serialize_with = "text")]
    amount: Decimal,
    #[serde(serialize_with = "maybe")]
    balance_after: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    contract_id: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    deposit_id: Option<Uuid>,
}

/// One line of a tenant's statement.
#[derive(Debug, Clone)]
pub(crate) struct StatementLine {
    pub(crate) at: Position,
    pub(crate) entry_type: EntryType,
    pub(crate) direction: Side,
    pub(crate) account: AccountCode,
    pub(crate) money: Money,
    pub(crate) balance_after: Option<Amount>,
    pub(crate) contract: Option<ContractId>,
    pub(crate) deposit: Option<DepositId>,
}

/// Where a line stands in its tenant's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) time: Timestamp,
    pub(crate) seq: i64,
    pub(crate) journal: JournalId,
    pub(crate) line: i32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time.unix_micros();
        write!(f, "{micros} {} {} {}", self.seq, self.journal, self.line)
    }
}

impl FromStr for Position {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let mut parts = text.split(' ');
        let mut read = || {
            let position = Self {
                time: Timestamp::from_unix_micros(parts.next()?.parse().ok()?)?,
                seq: parts.next()?.parse().ok()?,
                journal: parts.next()?.parse().ok()?,
                line: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(position)
        };
        read().ok_or(Failure::PageToken)
    }
}

/// Writes what the tenants concerned read of the journals of events.
pub(crate) async fn insert(sql: &mut PgConnection, events: &[Event]) -> Result<(), Failure> {
    let rows: Vec<_> = events.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO statement_line SELECT * FROM jsonb_populate_recordset(NULL::statement_line, $1::text::jsonb)"
    ))
    .bind(json::rows(&rows)?)
    .execute(sql)
    .await?;
    Ok(())
}

fn rows(event: &Event) -> Vec<Row> {
    let Some(journal) = &event.journal else {
        return Vec::new();
    };
    let tenants = match event.subject {
        Subject::Deposit { tenant, .. } => vec![tenant],
        Subject::Contract { parties: None, .. } => Vec::new(),
        Subject::Contract {
            parties: Some(parties),
            ..
        } if parties.consumer == parties.payee => vec![parties.consumer],
        Subject::Contract {
            parties: Some(parties),
            ..
        } => vec![parties.consumer, parties.payee],
    };
    let (contract_id, deposit_id) = journals::about(&event.subject);
    let read = |tenant: TenantId| {
        let lines = statement(&event.subject, journal, tenant);
        lines.into_iter().map(move |line| Row {
            tenant_id: tenant.uuid(),
            post_time: journal.post_time.into(),
            seq: line
                .seq
                .and_then(|seq| i64::try_from(seq).ok())
                .unwrap_or_default(),
            journal_id: journal.id.uuid(),
            line: i32::try_from(line.line).unwrap_or(i32::MAX),
            entry_type: line.entry_type.as_str().to_owned(),
            side: line.direction.letter().to_owned(),
            code: i32::from(line.account.number()),
            currency: journal.currency.to_string(),
            amount: line.amount.decimal(),
            balance_after: line.balance_after.map(Amount::decimal),
            contract_id,
            deposit_id,
        })
    };
    tenants.into_iter().flat_map(read).collect()
}

/// A page of a tenant's statement, newest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    (currency, contract): (Option<Currency>, Option<ContractId>),
    page: &Page,
) -> Result<Vec<StatementLine>, Failure> {
    let before: Option<Position> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM statement_line
         WHERE tenant_id = $1 AND ($2::text IS NULL OR currency = $2) AND ($3::uuid IS NULL OR contract_id = $3)
           AND ($4::timestamptz IS NULL OR (post_time, seq, journal_id, line) < ($4, $5, $6, $7))
         ORDER BY post_time DESC, seq DESC, journal_id DESC, line DESC LIMIT $8"
    ))
    .bind(tenant.uuid())
    .bind(currency.map(|currency| currency.to_string()))
    .bind(contract.map(ContractId::uuid))
    .bind(before.map(|before| DateTime::<Utc>::from(before.time)))
    .bind(before.map(|before| before.seq))
    .bind(before.map(|before| before.journal.uuid()))
    .bind(before.map(|before| before.line))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(StatementLine::try_from).collect()
}

impl TryFrom<Row> for StatementLine {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let read = || {
            Some(Self {
                at: Position {
                    time: row.post_time.into(),
                    seq: row.seq,
                    journal: row.journal_id.into(),
                    line: row.line,
                },
                entry_type: row.entry_type.parse().ok()?,
                direction: row.side.parse().ok()?,
                account: u16::try_from(row.code).ok()?.try_into().ok()?,
                money: Money {
                    currency: row.currency.parse().ok()?,
                    amount: Amount::try_from(row.amount).ok()?,
                },
                balance_after: match row.balance_after {
                    None => None,
                    Some(balance) => Some(Amount::try_from(balance).ok()?),
                },
                contract: row.contract_id.map(Into::into),
                deposit: row.deposit_id.map(Into::into),
            })
        };
        read().ok_or_else(|| Failure::corrupt(format!("a statement line of journal {}", row.journal_id)))
    }
}
