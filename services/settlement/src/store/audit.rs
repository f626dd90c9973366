//! What settlement states about itself, and which of the money invariants L1 to L10, and of I7, it finds broken. L9 compares with
//! the event ledger, which `aex fsck` does: what it needs is stated as facts.

use aex_proto::aex::common::v1::{AuditFact, AuditViolation};
use aex_settlement_ledger::{Class, Side};
use aex_store::{Failure, Page, Place, Stated, Tx, sql};
use aex_types::{ContractId, DepositId, JournalId};
use rust_decimal::Decimal;

use super::accounts::{self, Sum};

/// What an invariant's statement finds: the subject and what is wrong with it.
type Found = Vec<(String, String)>;

/// A page of facts: where each deposit and each hold stands, which journals are posted, and what each settled contract
/// cost.
pub(crate) async fn facts(tx: &mut Tx<'_>, page: &Page) -> Result<Vec<Stated>, Failure> {
    let after: Option<Place> = page.after()?;
    let rows = sqlx::query_as(sql!(
        "SELECT kind, id, value, since
         FROM (SELECT 'contract.settled' AS kind, contract_id AS id, trim_scale(gross)::text AS value,
                      settle_time AS since FROM hold WHERE status = 'CAPTURED'
               UNION ALL SELECT 'journal.posted', journal_id, business_key, post_time FROM journal
               UNION ALL SELECT 'deposit.status', deposit_id, status, update_time FROM deposit
               UNION ALL SELECT 'hold.status', contract_id, status, update_time FROM hold) AS fact
         WHERE $1::text IS NULL OR (kind, id) > ($1, $2)
         ORDER BY kind, id LIMIT $3"
    ))
    .bind(after.as_ref().map(|place| &place.kind))
    .bind(after.as_ref().map(|place| place.id))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    Ok(rows)
}

/// The fact of a row.
pub(crate) fn fact(stated: Stated) -> AuditFact {
    let subject = match stated.kind.as_str() {
        "deposit.status" => DepositId::from(stated.id).to_string(),
        "journal.posted" => JournalId::from(stated.id).to_string(),
        _ => ContractId::from(stated.id).to_string(),
    };
    stated.fact(subject)
}

/// Everything that is broken, at most a thousand of each kind.
pub(crate) async fn violations(tx: &mut Tx<'_>) -> Result<Vec<AuditViolation>, Failure> {
    let sums = accounts::sums(tx, None).await?;
    let mut all = Vec::new();
    let mut note = |invariant: &str, found: Found| {
        all.extend(found.into_iter().map(|(subject, detail)| AuditViolation {
            invariant: invariant.to_owned(),
            subject,
            detail,
        }));
    };
    note("L1", unbalanced_journals(tx).await?);
    note("L2", of_each_currency(&sums, trial_balance));
    note("L3", of_each_currency(&sums, balance_sheet));
    note("L4", wrong_side(tx).await?);
    note("L5", contract_accounts(tx).await?);
    note("L6", contract_figures(tx).await?);
    note("L7", totals_and_lines(tx).await?);
    note("L7", chains(tx).await?);
    note("L8", keys(tx).await?);
    note("L10", fees(tx).await?);
    note("I7", exits(tx).await?);
    Ok(all)
}

fn of_each_currency(sums: &[Sum], check: impl Fn(&[&Sum]) -> Option<String>) -> Found {
    let mut currencies: Vec<_> = sums.iter().map(|sum| sum.currency.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
        .into_iter()
        .filter_map(|currency| {
            let of_it: Vec<_> = sums.iter().filter(|sum| sum.currency == currency).collect();
            check(&of_it).map(|detail| (currency.to_owned(), detail))
        })
        .collect()
}

/// L2: all debits equal all credits.
fn trial_balance(sums: &[&Sum]) -> Option<String> {
    let debits: Decimal = sums.iter().map(|sum| sum.debits.decimal()).sum();
    let credits: Decimal = sums.iter().map(|sum| sum.credits.decimal()).sum();
    (debits != credits).then(|| format!("debits of {debits}, credits of {credits}"))
}

/// L3: what there is, is owed to somebody, was earned or was put in.
fn balance_sheet(sums: &[&Sum]) -> Option<String> {
    let of = |classes: &[Class], side: Side| -> Decimal {
        sums.iter()
            .filter(|sum| classes.contains(&sum.code.class()))
            .map(|sum| match side {
                Side::Debit => sum.debits.decimal() - sum.credits.decimal(),
                Side::Credit => sum.credits.decimal() - sum.debits.decimal(),
            })
            .sum()
    };
    let assets = of(&[Class::Asset], Side::Debit);
    let claims = of(&[Class::Liability, Class::Equity, Class::Revenue], Side::Credit);
    let expenses = of(&[Class::Expense], Side::Debit);
    (assets != claims - expenses)
        .then(|| format!("assets of {assets}, claims of {claims}, expenses of {expenses}"))
}

async fn unbalanced_journals(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "SELECT journal_id::text, 'debits less credits are ' || SUM(CASE side WHEN 'D' THEN amount ELSE -amount END)
         FROM journal_line GROUP BY journal_id, currency
         HAVING SUM(CASE side WHEN 'D' THEN amount ELSE -amount END) <> 0
         UNION ALL
         SELECT journal_id::text, 'has no lines' FROM journal
         WHERE NOT EXISTS (SELECT 1 FROM journal_line WHERE journal_line.journal_id = journal.journal_id)
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L4: no liability stands on the debit side, no asset on the credit side.
async fn wrong_side(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "SELECT code || ' ' || owner || ' ' || currency, 'debits of ' || debit_total || ', credits of ' || credit_total
         FROM account
         WHERE (code BETWEEN 2000 AND 2999 AND debit_total > credit_total)
            OR (code BETWEEN 1000 AND 1999 AND credit_total > debit_total)
         UNION ALL
         SELECT code || ' ' || rail || ' ' || currency, 'credits exceed debits'
         FROM journal_line WHERE seq IS NULL AND code BETWEEN 1000 AND 1999 GROUP BY code, rail, currency
         HAVING SUM(CASE side WHEN 'D' THEN amount ELSE -amount END) < 0
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L5: what stands on a contract's accounts is what its hold says; nothing when it is over.
async fn contract_accounts(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH due AS (
             SELECT contract_id, 2100 AS code, CASE
                        WHEN status = 'HELD' THEN escrow
                        WHEN status = 'CAPTURED' AND residual_release_time IS NULL THEN residual
                        ELSE 0 END AS amount FROM hold
             UNION ALL
             SELECT contract_id, 2200, CASE
                        WHEN status = 'CAPTURED' AND payout_release_time IS NULL THEN payout ELSE 0 END FROM hold),
         found AS (
             SELECT owner AS contract_id, code, SUM(credit_total - debit_total) AS amount
             FROM account WHERE code IN (2100, 2200) GROUP BY owner, code)
         SELECT contract_id::text, code || ' should be ' || COALESCE(due.amount, 0) || ' and is '
                                   || COALESCE(found.amount, 0)
         FROM due FULL JOIN found USING (contract_id, code)
         WHERE COALESCE(due.amount, 0) <> COALESCE(found.amount, 0) ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L6: the figures of each settlement, by its terms and by its lines.
async fn contract_figures(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH posted AS (
             SELECT contract_id,
                    COALESCE(SUM(amount) FILTER (WHERE kind = 'SETTLE' AND code = 2100 AND side = 'D'), 0) AS gross,
                    COALESCE(SUM(amount) FILTER (WHERE kind = 'SETTLE' AND code = 2200 AND side = 'C'), 0) AS payout,
                    COALESCE(SUM(amount) FILTER (WHERE kind = 'SETTLE' AND code = 4000 AND side = 'C'), 0) AS fee,
                    COALESCE(SUM(amount) FILTER (WHERE kind = 'AWARD_HOLD' AND code = 2100 AND side = 'C'), 0) AS escrow,
                    COALESCE(SUM(amount) FILTER (WHERE code = 2100 AND side = 'D' AND kind <> 'SETTLE'), 0) AS given_back
             FROM journal JOIN journal_line USING (journal_id) WHERE contract_id IS NOT NULL GROUP BY contract_id)
         SELECT contract_id::text, 'the figures of the hold are not those of its terms' FROM hold
         WHERE status = 'CAPTURED' AND (fee <> round(gross * fee_bps / 10000, 6) OR payout <> gross - fee
                                        OR residual <> escrow - gross)
         UNION ALL
         SELECT contract_id::text, 'the lines are not the figures of the hold' FROM hold LEFT JOIN posted USING (contract_id)
         WHERE (consumer_id IS NOT NULL AND COALESCE(posted.escrow, 0) <> hold.escrow)
            OR (status = 'CAPTURED' AND (COALESCE(posted.gross, 0), COALESCE(posted.payout, 0), COALESCE(posted.fee, 0))
                                        <> (hold.gross, hold.payout, hold.fee))
            OR (status = 'RELEASED' AND consumer_id IS NOT NULL AND COALESCE(posted.given_back, 0) <> hold.escrow)
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L7: the totals of each account are the sums of its lines.
async fn totals_and_lines(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH folded AS (
             SELECT code, owner, currency, COALESCE(SUM(amount) FILTER (WHERE side = 'D'), 0) AS debits,
                    COALESCE(SUM(amount) FILTER (WHERE side = 'C'), 0) AS credits, COUNT(*) AS count
             FROM journal_line WHERE seq IS NOT NULL GROUP BY code, owner, currency)
         SELECT code || ' ' || owner || ' ' || currency, 'the totals are not the sums of the lines'
         FROM account FULL JOIN folded USING (code, owner, currency)
         WHERE (debit_total, credit_total, lines) IS DISTINCT FROM (debits, credits, count)
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L7 again: the lines of each account are numbered without a gap and chain their balances, so each posting saw the one
/// before it.
async fn chains(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH chain AS (
             SELECT code, owner, currency, seq, balance_after,
                    ROW_NUMBER() OVER account AS place,
                    SUM(CASE WHEN (side = 'D') = (code < 2000 OR code >= 5000) THEN amount ELSE -amount END)
                        OVER account AS balance
             FROM journal_line WHERE seq IS NOT NULL
             WINDOW account AS (PARTITION BY code, owner, currency ORDER BY seq))
         SELECT code || ' ' || owner || ' ' || currency, 'line ' || MIN(seq) || ' does not follow'
         FROM chain WHERE seq <> place OR balance_after <> balance OR balance_after IS NULL
         GROUP BY code, owner, currency ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L8: no key is posted twice, and each is posted by the journal that its hold or deposit names.
async fn keys(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH named AS (
             SELECT hold_journal AS journal_id FROM hold UNION ALL SELECT settle_journal FROM hold
             UNION ALL SELECT release_journal FROM hold UNION ALL SELECT residual_journal FROM hold
             UNION ALL SELECT payout_journal FROM hold UNION ALL SELECT journal_id FROM deposit)
         SELECT business_key, 'is posted ' || COUNT(*) || ' times' FROM journal GROUP BY business_key
         HAVING COUNT(*) > 1
         UNION ALL
         SELECT journal_id::text, 'is named and was never posted' FROM named LEFT JOIN journal USING (journal_id)
         WHERE journal_id IS NOT NULL AND business_key IS NULL
         UNION ALL
         SELECT business_key, 'was posted and nothing names it' FROM journal LEFT JOIN named USING (journal_id)
         WHERE named.journal_id IS NULL
         ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// L10: what the exchange earned are the fees of all settled contracts.
async fn fees(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH due AS (SELECT currency, SUM(fee) AS fee FROM hold WHERE status = 'CAPTURED' GROUP BY currency),
         earned AS (
             SELECT currency, SUM(CASE side WHEN 'C' THEN amount ELSE -amount END) AS fee
             FROM journal_line WHERE code = 4000 AND seq IS NULL GROUP BY currency)
         SELECT currency, 'fees of ' || COALESCE(due.fee, 0) || ' are due, ' || COALESCE(earned.fee, 0)
                          || ' were earned'
         FROM due FULL JOIN earned USING (currency)
         WHERE COALESCE(due.fee, 0) <> COALESCE(earned.fee, 0) ORDER BY 1 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}

/// I7: money that is held, and money that was settled and not paid out, has a timer that ends it.
async fn exits(tx: &mut Tx<'_>) -> Result<Found, Failure> {
    let found = sqlx::query_as(sql!(
        "WITH running AS (
             SELECT contract_id, CASE WHEN not_before IS NULL THEN 'hold.overdue' ELSE 'hold.release' END AS kind
             FROM hold WHERE status = 'HELD' AND (not_before IS NOT NULL OR overdue_time IS NULL)
             UNION ALL
             SELECT contract_id, 'hold.close_residual' FROM hold
             WHERE status = 'CAPTURED' AND residual_release_time IS NULL
             UNION ALL
             SELECT contract_id, 'hold.close_payout' FROM hold
             WHERE status = 'CAPTURED' AND payout_release_time IS NULL)
         SELECT contract_id::text, 'its timer ' || running.kind || ' is gone'
         FROM running LEFT JOIN timer ON timer.kind = running.kind AND key = contract_id
         WHERE key IS NULL ORDER BY 1, 2 LIMIT 1000"
    ))
    .fetch_all(tx.sql())
    .await?;
    Ok(found)
}
