//! Journals and their lines. They are only ever inserted.

use aex_settlement_ledger::{Event, Journal, Line, Owner, Subject};
use aex_store::{Failure, sql};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    accounts,
    json::{self, maybe, text},
};

#[derive(Debug, Serialize)]
struct JournalRow {
    #[serde(serialize_with = "text")]
    journal_id: Uuid,
    kind: &'static str,
    business_key: String,
    currency: String,
    #[serde(serialize_with = "maybe")]
    contract_id: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    deposit_id: Option<Uuid>,
    #[serde(serialize_with = "text")]
    post_time: DateTime<Utc>,
    #[serde(serialize_with = "text")]
    effective_time: DateTime<Utc>,
}

#[derive(Debug, Serialize)]
struct LineRow {
    #[serde(serialize_with = "text")]
    journal_id: Uuid,
    line: u32,
    code: i32,
    #[serde(serialize_with = "maybe")]
    owner: Option<Uuid>,
    rail: String,
    currency: String,
    side: &'static str,
    #[serde(serialize_with = "text")]
    amount: Decimal,
    reason: &'static str,
    seq: Option<u64>,
    #[serde(serialize_with = "maybe")]
    balance_after: Option<Decimal>,
}

/// Inserts the journals of events with their lines.
pub(crate) async fn insert(sql: &mut PgConnection, events: &[Event]) -> Result<(), Failure> {
    let posted = || {
        events
            .iter()
            .filter_map(|event| Some((event, event.journal.as_ref()?)))
    };
    let journals: Vec<_> = posted()
        .map(|(event, journal)| row(&event.subject, journal))
        .collect();
    if journals.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = posted()
        .flat_map(|(_, journal)| {
            (0..)
                .zip(&journal.lines)
                .map(|(number, line)| line_row(journal, number, line))
        })
        .collect();
    sqlx::query(sql!(
        "INSERT INTO journal SELECT * FROM jsonb_populate_recordset(NULL::journal, $1::text::jsonb)"
    ))
    .bind(json::rows(&journals)?)
    .execute(&mut *sql)
    .await?;
    sqlx::query(sql!(
        "INSERT INTO journal_line SELECT * FROM jsonb_populate_recordset(NULL::journal_line, $1::text::jsonb)"
    ))
    .bind(json::rows(&lines)?)
    .execute(&mut *sql)
    .await?;
    Ok(())
}

/// The contract and the deposit that something is about.
pub(super) const fn about(subject: &Subject) -> (Option<Uuid>, Option<Uuid>) {
    match subject {
        Subject::Contract { contract, .. } => (Some(contract.uuid()), None),
        Subject::Deposit { deposit, .. } => (None, Some(deposit.uuid())),
    }
}

fn row(subject: &Subject, journal: &Journal) -> JournalRow {
    let (contract_id, deposit_id) = about(subject);
    JournalRow {
        journal_id: journal.id.uuid(),
        kind: journal.kind.as_str(),
        business_key: journal.key.to_string(),
        currency: journal.currency.to_string(),
        contract_id,
        deposit_id,
        post_time: journal.post_time.into(),
        effective_time: journal.effective_time.into(),
    }
}

fn line_row(journal: &Journal, number: u32, line: &Line) -> LineRow {
    let rail = match line.account.owner() {
        Owner::Rail(rail) => rail.to_string(),
        _ => String::new(),
    };
    LineRow {
        journal_id: journal.id.uuid(),
        line: number,
        code: accounts::code(&line.account),
        owner: accounts::owner(&line.account),
        rail,
        currency: line.account.currency().to_string(),
        side: line.side.letter(),
        amount: line.amount.decimal(),
        reason: line.reason.as_str(),
        seq: line.entry.map(|entry| entry.seq),
        balance_after: line.entry.map(|entry| entry.balance_after.decimal()),
    }
}
