//! Holds in their table.

use std::{collections::BTreeSet, time::Duration};

use aex_settlement_ledger::{
    Award, Captured, Held, Hold, Parties, Posted, Rates, Released, Settlement, State, Terms,
};
use aex_store::{Failure, Tx, sql};
use aex_types::{Amount, BasisPoints, ContractId, Currency, Timestamp};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::json::{self, maybe, text};

#[derive(Debug, Default, Serialize, sqlx::FromRow)]
struct Row {
    #[serde(serialize_with = "text")]
    contract_id: Uuid,
    version: i64,
    #[serde(serialize_with = "text")]
    update_time: DateTime<Utc>,
    status: String,
    is_open: bool,
    #[serde(serialize_with = "maybe")]
    consumer_id: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    provider_id: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    payee_id: Option<Uuid>,
    currency: Option<String>,
    #[serde(serialize_with = "maybe")]
    base: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    escrow: Option<Decimal>,
    tier: Option<String>,
    dispute_window_us: Option<i64>,
    #[serde(serialize_with = "maybe")]
    deadline: Option<DateTime<Utc>>,
    policy_version: Option<i64>,
    fee_bps: Option<i32>,
    payout_hold_us: Option<i64>,
    #[serde(serialize_with = "maybe")]
    hold_journal: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    place_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    not_before: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    overdue_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    release_journal: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    release_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    gross: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    fee: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    payout: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    residual: Option<Decimal>,
    #[serde(serialize_with = "maybe")]
    residual_release_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    payout_release_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    settle_journal: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    settle_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    residual_journal: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    residual_release_time: Option<DateTime<Utc>>,
    #[serde(serialize_with = "maybe")]
    payout_journal: Option<Uuid>,
    #[serde(serialize_with = "maybe")]
    payout_release_time: Option<DateTime<Utc>>,
}

/// One hold, as it is.
pub(crate) async fn find(tx: &mut Tx<'_>, contract: ContractId) -> Result<Option<Hold>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!("SELECT * FROM hold WHERE contract_id = $1"))
        .bind(contract.uuid())
        .fetch_optional(tx.sql())
        .await?;
    row.map(Hold::try_from).transpose()
}

/// Holds, until the commit. In the order of their ids.
pub(crate) async fn lock(
    sql: &mut PgConnection,
    contracts: impl Iterator<Item = ContractId>,
) -> Result<Vec<Hold>, Failure> {
    let ids: Vec<Uuid> = contracts.map(ContractId::uuid).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM hold WHERE contract_id = ANY($1) ORDER BY contract_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Hold::try_from).collect()
}

/// Writes holds as they are now: those that were there are changed, the others are new.
pub(crate) async fn save(
    sql: &mut PgConnection,
    known: &BTreeSet<ContractId>,
    holds: impl Iterator<Item = &Hold>,
) -> Result<(), Failure> {
    let (old, new): (Vec<_>, Vec<_>) = holds.partition(|hold| known.contains(&hold.contract));
    let rows = |holds: Vec<&Hold>| json::rows(&holds.into_iter().map(Row::from).collect::<Vec<_>>());
    if !new.is_empty() {
        sqlx::query(sql!(
            "INSERT INTO hold SELECT * FROM jsonb_populate_recordset(NULL::hold, $1::text::jsonb)"
        ))
        .bind(rows(new)?)
        .execute(&mut *sql)
        .await?;
    }
    if !old.is_empty() {
        // What was awarded never changes.
        sqlx::query(sql!(
            "UPDATE hold SET version = now.version, update_time = now.update_time, status = now.status,
                 is_open = now.is_open, not_before = now.not_before, overdue_time = now.overdue_time,
                 release_journal = now.release_journal, release_time = now.release_time, gross = now.gross,
                 fee = now.fee, payout = now.payout, residual = now.residual,
                 residual_release_at = now.residual_release_at, payout_release_at = now.payout_release_at,
                 settle_journal = now.settle_journal, settle_time = now.settle_time,
                 residual_journal = now.residual_journal, residual_release_time = now.residual_release_time,
                 payout_journal = now.payout_journal, payout_release_time = now.payout_release_time
             FROM jsonb_populate_recordset(NULL::hold, $1::text::jsonb) AS now
             WHERE hold.contract_id = now.contract_id"
        ))
        .bind(rows(old)?)
        .execute(&mut *sql)
        .await?;
    }
    Ok(())
}

fn posted(journal: Option<Uuid>, time: Option<DateTime<Utc>>) -> Option<Posted> {
    Some(Posted {
        journal: journal.map(Into::into),
        time: time?.into(),
    })
}

fn amount(number: Option<Decimal>) -> Option<Amount> {
    Amount::try_from(number?).ok()
}

fn span(micros: Option<i64>) -> Option<Duration> {
    u64::try_from(micros?).ok().map(Duration::from_micros)
}

impl Row {
    /// The award, of a row that has one.
    fn award(&self) -> Option<Award> {
        Some(Award {
            parties: Parties {
                consumer: self.consumer_id?.into(),
                provider: self.provider_id?.into(),
                payee: self.payee_id?.into(),
            },
            terms: Terms {
                currency: self.currency.as_deref()?.parse::<Currency>().ok()?,
                base: amount(self.base)?,
                escrow: amount(self.escrow)?,
                tier: self.tier.as_deref()?.parse().ok()?,
                dispute_window: span(self.dispute_window_us)?,
                deadline: self.deadline?.into(),
            },
            rates: Rates {
                policy: u32::try_from(self.policy_version?).ok()?,
                fee: BasisPoints::new(u16::try_from(self.fee_bps?).ok()?)?,
                payout_hold: span(self.payout_hold_us)?,
            },
            placed: posted(self.hold_journal, self.place_time)?,
        })
    }

    fn settlement(&self) -> Option<Settlement> {
        Some(Settlement {
            currency: self.currency.as_deref()?.parse().ok()?,
            gross: amount(self.gross)?,
            fee: amount(self.fee)?,
            payout: amount(self.payout)?,
            residual: amount(self.residual)?,
            residual_release_at: self.residual_release_at?.into(),
            payout_release_at: self.payout_release_at?.into(),
        })
    }

    fn state(&self) -> Option<State> {
        Some(match self.status.as_str() {
            "HELD" => State::Held(Held {
                award: self.award()?,
                release_not_before: self.not_before.map(Timestamp::from),
                overdue_since: self.overdue_time.map(Timestamp::from),
            }),
            "CAPTURED" => State::Captured(Captured {
                award: self.award()?,
                settlement: self.settlement()?,
                settled: posted(self.settle_journal, self.settle_time)?,
                residual_released: posted(self.residual_journal, self.residual_release_time),
                payout_released: posted(self.payout_journal, self.payout_release_time),
            }),
            "RELEASED" => {
                let award = match self.consumer_id {
                    None => None,
                    Some(_) => Some(self.award()?),
                };
                State::Released(Released {
                    award,
                    not_before: self.not_before.map(Timestamp::from),
                    released: posted(self.release_journal, self.release_time)?,
                })
            }
            _ => return None,
        })
    }
}

impl TryFrom<Row> for Hold {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let contract = ContractId::from(row.contract_id);
        let broken = || Failure::corrupt(format!("the hold of {contract}"));
        Ok(Self {
            contract,
            version: u64::try_from(row.version).map_err(|_| broken())?,
            time: row.update_time.into(),
            state: row.state().ok_or_else(broken)?,
        })
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

fn journal(posted: &Posted) -> Option<Uuid> {
    posted.journal.map(aex_types::JournalId::uuid)
}

impl From<&Hold> for Row {
    fn from(hold: &Hold) -> Self {
        let mut row = Self {
            contract_id: hold.contract.uuid(),
            version: i64::try_from(hold.version).unwrap_or(i64::MAX),
            update_time: hold.time.into(),
            status: hold.state.as_str().to_owned(),
            is_open: hold.is_open(),
            ..Self::default()
        };
        if let Some(award) = hold.award() {
            row.set_award(award);
        }
        match &hold.state {
            State::Held(waiting) => {
                row.not_before = waiting.release_not_before.map(Into::into);
                row.overdue_time = waiting.overdue_since.map(Into::into);
            }
            State::Captured(captured) => row.set_captured(captured),
            State::Released(gone) => {
                row.not_before = gone.not_before.map(Into::into);
                row.release_journal = journal(&gone.released);
                row.release_time = Some(gone.released.time.into());
            }
        }
        row
    }
}

impl Row {
    fn set_award(&mut self, award: &Award) {
        let Award {
            parties,
            terms,
            rates,
            placed,
        } = award;
        self.consumer_id = Some(parties.consumer.uuid());
        self.provider_id = Some(parties.provider.uuid());
        self.payee_id = Some(parties.payee.uuid());
        self.currency = Some(terms.currency.to_string());
        self.base = Some(terms.base.decimal());
        self.escrow = Some(terms.escrow.decimal());
        self.tier = Some(terms.tier.to_string());
        self.dispute_window_us = Some(micros(terms.dispute_window));
        self.deadline = Some(terms.deadline.into());
        self.policy_version = Some(i64::from(rates.policy));
        self.fee_bps = Some(i32::from(rates.fee.get()));
        self.payout_hold_us = Some(micros(rates.payout_hold));
        self.hold_journal = journal(placed);
        self.place_time = Some(placed.time.into());
    }

    fn set_captured(&mut self, captured: &Captured) {
        let Captured {
            settlement,
            settled: posting,
            residual_released,
            payout_released,
            ..
        } = captured;
        self.gross = Some(settlement.gross.decimal());
        self.fee = Some(settlement.fee.decimal());
        self.payout = Some(settlement.payout.decimal());
        self.residual = Some(settlement.residual.decimal());
        self.residual_release_at = Some(settlement.residual_release_at.into());
        self.payout_release_at = Some(settlement.payout_release_at.into());
        self.settle_journal = journal(posting);
        self.settle_time = Some(posting.time.into());
        self.residual_journal = residual_released.as_ref().and_then(journal);
        self.residual_release_time = residual_released.map(|posted| posted.time.into());
        self.payout_journal = payout_released.as_ref().and_then(journal);
        self.payout_release_time = payout_released.map(|posted| posted.time.into());
    }
}
