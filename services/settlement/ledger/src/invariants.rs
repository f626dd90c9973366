//! What has to hold inside each posting, on the rows it touches: L1, L4, L5, L6, L8 (decisions §3.3).
//!
//! The figures are made a second time here, from the terms and with integers, so that a fault in a rule does not prove
//! itself right. L4 and L8 are asserted where lines get their places: [`crate::Books::apply`].

use std::collections::BTreeMap;

use aex_types::{Amount, BasisPoints};

use crate::{
    Account, AccountCode, Captured, Change, Deposit, Event, Hold, Journal, Line, Owner, Settlement, Side,
    State, Violation, books::Row,
};

/// The accounts after the posting.
pub(crate) struct After<'a> {
    /// Those that it moved.
    pub moved: &'a BTreeMap<Account, Row>,
    /// All that were loaded, as they were.
    pub loaded: &'a BTreeMap<Account, Row>,
}

impl After<'_> {
    /// What stands on an account; `None` when it was not loaded, or stands on the wrong side.
    fn standing(&self, account: &Account) -> Option<Amount> {
        let row = self.moved.get(account).or_else(|| self.loaded.get(account))?;
        row.balance.on(account.code().normal_side())
    }
}

/// How much of an account has to move on one side.
struct Flow(Account, Side, Amount);

/// A confirmed deposit credits its tenant with what arrived; nothing else about deposits moves money.
pub(crate) fn of_deposit(event: &Event, deposit: &Deposit, after: &After<'_>) -> Result<(), Violation> {
    let (money, credited) = (
        deposit.money,
        Account::available(deposit.tenant, deposit.money.currency),
    );
    let flows = match &event.change {
        Change::DepositConfirmed { .. } => vec![
            Flow(
                Account::client_cash(deposit.rail, money.currency),
                Side::Debit,
                money.amount,
            ),
            Flow(credited, Side::Credit, money.amount),
        ],
        _ => Vec::new(),
    };
    assert_journal(event, &flows, after)
}

/// The figures of a contract, from its terms alone; and what is left on its accounts, from its state alone.
pub(crate) fn of_contract(event: &Event, hold: &Hold, after: &After<'_>) -> Result<(), Violation> {
    let flows = contract_flows(event, hold).ok_or(Violation::Figures {
        subject: event.subject,
    })?;
    assert_journal(event, &flows, after)?;
    for (account, expected) in contract_balances(hold) {
        if after.moved.contains_key(&account) && after.standing(&account) != Some(expected) {
            return Err(Violation::ContractAccount { account });
        }
    }
    Ok(())
}

/// L6: what each event of a contract moves, and nothing else.
fn contract_flows(event: &Event, hold: &Hold) -> Option<Vec<Flow>> {
    let Some(award) = hold.award() else {
        return Some(Vec::new());
    };
    let (currency, escrowed) = (award.terms.currency, award.terms.escrow);
    let (escrow, pending) = (
        Account::escrow(hold.contract, currency),
        Account::pending(hold.contract, currency),
    );
    let (consumer, payee) = (award.consumer_account(), award.payee_account());
    match (&event.change, &hold.state) {
        (Change::HoldPlaced { .. }, _) => Some(vec![
            Flow(consumer, Side::Debit, escrowed),
            Flow(escrow, Side::Credit, escrowed),
        ]),
        (Change::HoldReleased { .. }, _) => Some(vec![
            Flow(escrow, Side::Debit, escrowed),
            Flow(consumer, Side::Credit, escrowed),
        ]),
        (Change::ContractSettled(figures), _) => {
            let Settlement {
                gross,
                fee,
                payout,
                residual,
                ..
            } = *figures;
            let is_whole = micros(fee)? == fee_in_micros(gross, award.rates.fee)?
                && payout.checked_add(fee)? == gross
                && residual.checked_add(gross)? == escrowed;
            is_whole.then(|| {
                vec![
                    Flow(escrow, Side::Debit, gross),
                    Flow(pending, Side::Credit, payout),
                    Flow(Account::fee_revenue(currency), Side::Credit, fee),
                ]
            })
        }
        (Change::ResidualReleased, State::Captured(Captured { settlement, .. })) => {
            let residual = escrowed.checked_sub(settlement.gross)?;
            Some(vec![
                Flow(escrow, Side::Debit, residual),
                Flow(consumer, Side::Credit, residual),
            ])
        }
        (Change::PayoutReleased, State::Captured(Captured { settlement, .. })) => {
            let payout = settlement.gross.checked_sub(settlement.fee)?;
            Some(vec![
                Flow(pending, Side::Debit, payout),
                Flow(payee, Side::Credit, payout),
            ])
        }
        (Change::HoldReleaseScheduled { .. } | Change::HoldOverdue { .. }, _) => Some(Vec::new()),
        _ => None,
    }
}

/// L5: what stands on the accounts of a contract in its state; nothing when it is over.
fn contract_balances(hold: &Hold) -> Vec<(Account, Amount)> {
    let Some(award) = hold.award() else {
        return Vec::new();
    };
    let (escrow, pending) = match &hold.state {
        State::Held(_) => (award.terms.escrow, Amount::ZERO),
        State::Captured(Captured {
            settlement,
            residual_released,
            payout_released,
            ..
        }) => (
            residual_released.map_or(settlement.residual, |_| Amount::ZERO),
            payout_released.map_or(settlement.payout, |_| Amount::ZERO),
        ),
        State::Released(_) => (Amount::ZERO, Amount::ZERO),
    };
    let currency = award.terms.currency;
    vec![
        (Account::escrow(hold.contract, currency), escrow),
        (Account::pending(hold.contract, currency), pending),
    ]
}

/// L1, L6, and decisions §3.7: the lines are the flows and the repayment of a debt, no more and no less, and where the
/// tenant still owes something, all of the credit went there.
fn assert_journal(event: &Event, flows: &[Flow], after: &After<'_>) -> Result<(), Violation> {
    let wrong = Violation::Figures {
        subject: event.subject,
    };
    let mut expected = Sums::new();
    for Flow(account, side, amount) in flows {
        add(&mut expected, *account, *side, *amount).ok_or(wrong.clone())?;
    }
    let Some(journal) = &event.journal else {
        return if expected.is_empty() { Ok(()) } else { Err(wrong) };
    };
    assert_balanced(journal)?;
    let mut found = Sums::new();
    for line in &journal.lines {
        add(&mut found, line.account, line.side, line.amount).ok_or(wrong.clone())?;
    }
    for Flow(account, side, credited) in flows {
        let Some(receivable) = debt_of(account).filter(|_| *side == Side::Credit) else {
            continue;
        };
        let repaid = found
            .get(&(receivable, Side::Credit))
            .copied()
            .unwrap_or_default();
        add(&mut expected, *account, Side::Debit, repaid).ok_or(wrong.clone())?;
        add(&mut expected, receivable, Side::Credit, repaid).ok_or(wrong.clone())?;
        if repaid < *credited && after.standing(&receivable) != Some(Amount::ZERO) {
            return Err(Violation::DebtNotRepaid { account: *account });
        }
    }
    if found == expected { Ok(()) } else { Err(wrong) }
}

/// L1: lines of one currency, none of nothing, as much debited as credited.
fn assert_balanced(journal: &Journal) -> Result<(), Violation> {
    let side_sum = |side| {
        let mut lines = journal.lines.iter().filter(|line| line.side == side);
        lines.try_fold(Amount::ZERO, |sum, line| sum.checked_add(line.amount))
    };
    let is_clean = |line: &Line| line.account.currency() == journal.currency && !line.amount.is_zero();
    match (side_sum(Side::Debit), side_sum(Side::Credit)) {
        (Some(debits), Some(credits)) if debits == credits && journal.lines.iter().all(is_clean) => Ok(()),
        _ => Err(Violation::Unbalanced {
            key: journal.key.clone(),
        }),
    }
}

/// How much was moved on each side of each account, where that is more than nothing.
type Sums = BTreeMap<(Account, Side), Amount>;

fn add(sums: &mut Sums, account: Account, side: Side, amount: Amount) -> Option<()> {
    if !amount.is_zero() {
        let sum = sums.entry((account, side)).or_default();
        *sum = sum.checked_add(amount)?;
    }
    Some(())
}

/// The account of the debt that a credit to this account repays first.
fn debt_of(account: &Account) -> Option<Account> {
    match (account.code(), account.owner()) {
        (AccountCode::Available, Owner::Tenant(tenant)) => {
            Some(Account::receivable(tenant, account.currency()))
        }
        _ => None,
    }
}

/// `⌊(G·rate + 5000) / 10000⌋` in millionths: the rule of money page §4.3-2.
fn fee_in_micros(gross: Amount, rate: BasisPoints) -> Option<i128> {
    let scaled = micros(gross)?.checked_mul(i128::from(rate.get()))?;
    scaled.checked_add(5000)?.checked_div(10_000)
}

fn micros(amount: Amount) -> Option<i128> {
    let number = amount.decimal();
    let finer = 6_u32.checked_sub(number.scale())?;
    number.mantissa().checked_mul(10_i128.checked_pow(finer)?)
}

#[cfg(test)]
mod tests;
