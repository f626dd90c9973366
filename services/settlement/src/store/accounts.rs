//! The totals of accounts. Cash, fee revenue and rail cost have no row: nobody locks them, and their balance is the sum
//! of their lines.

use std::collections::{BTreeMap, BTreeSet};

use aex_settlement_ledger::{Account, AccountCode, Balance, Delta, Owner, Total};
use aex_store::{Failure, Tx, sql};
use aex_types::{Amount, Currency, TenantId};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

type Row = (i32, Uuid, String, Decimal, Decimal, i64);

/// Locks accounts in one order and answers the balances of those that there are.
pub(crate) async fn lock(
    sql: &mut PgConnection,
    accounts: &BTreeSet<Account>,
) -> Result<Vec<(Account, Balance)>, Failure> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT code, owner, currency, debit_total, credit_total, lines FROM account
         JOIN UNNEST($1::integer[], $2::uuid[], $3::text[]) AS asked (code, owner, currency)
             USING (code, owner, currency)
         ORDER BY code, owner, currency FOR UPDATE OF account"
    ))
    .bind(accounts.iter().map(code).collect::<Vec<_>>())
    .bind(accounts.iter().filter_map(owner).collect::<Vec<_>>())
    .bind(
        accounts
            .iter()
            .map(|account| account.currency().to_string())
            .collect::<Vec<_>>(),
    )
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(read).collect()
}

/// Adds one delta to each account.
pub(crate) async fn add(sql: &mut PgConnection, deltas: &[Delta]) -> Result<(), Failure> {
    if deltas.is_empty() {
        return Ok(());
    }
    let accounts = || deltas.iter().map(|delta| &delta.account);
    let moved = || deltas.iter().map(|delta| &delta.moved);
    sqlx::query(sql!(
        "INSERT INTO account (code, owner, currency, debit_total, credit_total, lines)
         SELECT * FROM UNNEST($1::integer[], $2::uuid[], $3::text[], $4::numeric[], $5::numeric[], $6::bigint[])
         ON CONFLICT (code, owner, currency) DO UPDATE SET
             debit_total = account.debit_total + EXCLUDED.debit_total,
             credit_total = account.credit_total + EXCLUDED.credit_total,
             lines = account.lines + EXCLUDED.lines"
    ))
    .bind(accounts().map(code).collect::<Vec<_>>())
    .bind(accounts().filter_map(owner).collect::<Vec<_>>())
    .bind(accounts().map(|account| account.currency().to_string()).collect::<Vec<_>>())
    .bind(moved().map(|moved| moved.debit_total.decimal()).collect::<Vec<_>>())
    .bind(moved().map(|moved| moved.credit_total.decimal()).collect::<Vec<_>>())
    .bind(moved().map(|moved| i64::try_from(moved.lines).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

/// What a tenant has of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purse {
    pub(crate) currency: Currency,
    pub(crate) available: Amount,
    pub(crate) escrow: Amount,
    pub(crate) pending: Amount,
    pub(crate) receivable: Amount,
}

impl Purse {
    const fn empty(currency: Currency) -> Self {
        Self {
            currency,
            available: Amount::ZERO,
            escrow: Amount::ZERO,
            pending: Amount::ZERO,
            receivable: Amount::ZERO,
        }
    }
}

/// What a tenant can spend of a currency, and what it owes: two rows, however many contracts it has open.
pub(crate) async fn funds(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    currency: Currency,
) -> Result<(Amount, Amount), Failure> {
    let (available, owed): (Decimal, Decimal) = sqlx::query_as(sql!(
        "SELECT COALESCE(SUM(credit_total - debit_total) FILTER (WHERE code = 2000), 0),
                COALESCE(SUM(debit_total - credit_total) FILTER (WHERE code = 1100), 0)
         FROM account WHERE code IN (1100, 2000) AND owner = $1 AND currency = $2"
    ))
    .bind(tenant.uuid())
    .bind(currency.to_string())
    .fetch_one(tx.sql())
    .await?;
    let amount =
        |number| Amount::try_from(number).map_err(|_| Failure::corrupt(format!("the funds of {tenant}")));
    Ok((amount(available)?, amount(owed)?))
}

type PurseRow = (i32, String, Decimal, Decimal);

/// What a tenant has: its own accounts, and those of its contracts whose money is not distributed yet. By currency, in
/// order.
pub(crate) async fn purses(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    currency: Option<Currency>,
) -> Result<Vec<Purse>, Failure> {
    let rows: Vec<PurseRow> = sqlx::query_as(sql!(
        "SELECT account.code, account.currency, SUM(debit_total), SUM(credit_total)
         FROM (SELECT 1100 AS code, $1::uuid AS owner
               UNION ALL SELECT 2000, $1
               UNION ALL SELECT 2100, contract_id FROM hold WHERE consumer_id = $1 AND is_open
               UNION ALL SELECT 2200, contract_id FROM hold WHERE payee_id = $1 AND is_open) AS asked
         JOIN account USING (code, owner)
         WHERE $2::text IS NULL OR account.currency = $2
         GROUP BY account.code, account.currency"
    ))
    .bind(tenant.uuid())
    .bind(currency.map(|currency| currency.to_string()))
    .fetch_all(tx.sql())
    .await?;
    let broken = || Failure::corrupt(format!("the balance of {tenant}"));
    let mut purses = BTreeMap::new();
    for (code, currency, debits, credits) in rows {
        let currency: Currency = currency.parse().map_err(|_| broken())?;
        let purse = purses.entry(currency).or_insert_with(|| Purse::empty(currency));
        let (place, balance) = match code {
            1100 => (&mut purse.receivable, debits - credits),
            2000 => (&mut purse.available, credits - debits),
            2100 => (&mut purse.escrow, credits - debits),
            2200 => (&mut purse.pending, credits - debits),
            _ => return Err(broken()),
        };
        *place = Amount::try_from(balance).map_err(|_| broken())?;
    }
    Ok(purses.into_values().collect())
}

/// The totals of one kind of account in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) code: AccountCode,
    pub(crate) currency: String,
    pub(crate) debits: Total,
    pub(crate) credits: Total,
}

/// The trial balance: totals of accounts, and sums of the lines of those without a row.
pub(crate) async fn sums(tx: &mut Tx<'_>, currency: Option<Currency>) -> Result<Vec<Sum>, Failure> {
    let rows: Vec<(i32, String, Decimal, Decimal)> = sqlx::query_as(sql!(
        "SELECT code, currency, SUM(debits), SUM(credits)
         FROM (SELECT code, currency, SUM(debit_total) AS debits, SUM(credit_total) AS credits
               FROM account GROUP BY code, currency
               UNION ALL
               SELECT code, currency, COALESCE(SUM(amount) FILTER (WHERE side = 'D'), 0),
                      COALESCE(SUM(amount) FILTER (WHERE side = 'C'), 0)
               FROM journal_line WHERE seq IS NULL GROUP BY code, currency) AS part
         WHERE $1::text IS NULL OR currency = $1
         GROUP BY code, currency ORDER BY code, currency"
    ))
    .bind(currency.map(|currency| currency.to_string()))
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter()
        .map(|(code, currency, debits, credits)| {
            let broken = || Failure::corrupt(format!("the accounts {code} in {currency}"));
            Ok(Sum {
                code: u16::try_from(code)
                    .ok()
                    .and_then(|code| code.try_into().ok())
                    .ok_or_else(broken)?,
                debits: Total::try_from(debits).map_err(|_| broken())?,
                credits: Total::try_from(credits).map_err(|_| broken())?,
                currency,
            })
        })
        .collect()
}

pub(super) fn code(account: &Account) -> i32 {
    i32::from(account.code().number())
}

/// The owner of an account that has a row.
pub(super) fn owner(account: &Account) -> Option<Uuid> {
    match account.owner() {
        Owner::Tenant(tenant) => Some(tenant.uuid()),
        Owner::Contract(contract) => Some(contract.uuid()),
        Owner::Platform => Some(Uuid::nil()),
        Owner::Rail(_) => None,
    }
}

fn read((code, owner, currency, debits, credits, lines): Row) -> Result<(Account, Balance), Failure> {
    let broken = || Failure::corrupt(format!("account {code} of {owner}"));
    let code: AccountCode = u16::try_from(code)
        .ok()
        .and_then(|code| code.try_into().ok())
        .ok_or_else(broken)?;
    let currency: Currency = currency.parse().map_err(|_| broken())?;
    let account = [
        Owner::Tenant(owner.into()),
        Owner::Contract(owner.into()),
        Owner::Platform,
    ]
    .into_iter()
    .find_map(|owner| Account::new(code, owner, currency))
    .ok_or_else(broken)?;
    let balance = Balance {
        debit_total: Total::try_from(debits).map_err(|_| broken())?,
        credit_total: Total::try_from(credits).map_err(|_| broken())?,
        lines: u64::try_from(lines).map_err(|_| broken())?,
    };
    Ok((account, balance))
}
