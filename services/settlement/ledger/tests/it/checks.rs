//! What holds after whatever was asked: L1 to L8, L10 and I2, from the tables and the lines alone.

use std::collections::{BTreeMap, BTreeSet};

use aex_settlement_ledger::*;
use aex_types::{Amount, ContractId};
use rust_decimal::Decimal;

use crate::{case::currency, world::*};

/// A hold only moves as its state machine says, and what is over stays as it is.
pub(crate) fn assert_legal(before: &BTreeMap<ContractId, Hold>, after: &BTreeMap<ContractId, Hold>) {
    for (contract, new) in after {
        let old = before.get(contract);
        if old == Some(new) {
            continue;
        }
        assert_eq!(new.version, old.map_or(0, |hold| hold.version) + 1);
        assert!(old.is_none_or(|old| old.time <= new.time), "time went back");
        let is_legal = match (old.map(|old| &old.state), &new.state) {
            (None, State::Held(_)) => true,
            (None, State::Released(released)) => released.award.is_none(),
            (Some(State::Held(old)), State::Held(new)) => old.award == new.award,
            (Some(State::Held(old)), State::Captured(new)) => {
                old.award == new.award && old.release_not_before.is_none()
            }
            (Some(State::Held(old)), State::Released(new)) => new.award == Some(old.award),
            (Some(State::Captured(old)), State::Captured(new)) => {
                let closed = |hold: &Captured| {
                    usize::from(hold.residual_released.is_some())
                        + usize::from(hold.payout_released.is_some())
                };
                (old.award, old.settlement, old.settled) == (new.award, new.settlement, new.settled)
                    && closed(new) == closed(old) + 1
            }
            _ => false,
        };
        assert!(is_legal, "{old:?} became {new:?}");
    }
}

/// L1 of the last journal; L2, L3, L4 and L10 of all accounts; money is neither made nor lost.
pub(crate) fn assert_balanced(world: &World) {
    if let Some(journal) = world.events.last().and_then(|event| event.journal.as_ref()) {
        let sum = |side| -> Decimal {
            journal
                .lines
                .iter()
                .filter(|line| line.side == side)
                .map(|line| line.amount.decimal())
                .sum()
        };
        assert_eq!(sum(Side::Debit), sum(Side::Credit), "L1");
        assert!(
            journal
                .lines
                .iter()
                .all(|line| line.account.currency() == journal.currency && !line.amount.is_zero())
        );
    }
    for is_token in [false, true] {
        let currency = currency(is_token);
        let accounts = || {
            world
                .accounts
                .iter()
                .chain(&world.rolled_up)
                .filter(|(a, _)| a.currency() == currency)
        };
        let totals = accounts().fold((Decimal::ZERO, Decimal::ZERO), |sums, (_, balance)| {
            (
                sums.0 + balance.debit_total.decimal(),
                sums.1 + balance.credit_total.decimal(),
            )
        });
        assert_eq!(totals.0, totals.1, "L2");
        let mut classes: BTreeMap<Class, Decimal> = BTreeMap::new();
        for (account, balance) in accounts() {
            let class = account.code().class();
            let standing = balance
                .on(class.normal_side())
                .unwrap_or_else(|| panic!("L4: {account} {balance:?}"));
            *classes.entry(class).or_default() += standing.decimal();
        }
        let class = |class| classes.get(&class).copied().unwrap_or_default();
        let claims =
            class(Class::Liability) + class(Class::Equity) + class(Class::Revenue) - class(Class::Expense);
        assert_eq!(class(Class::Asset), claims, "L3");
        let fees = world.holds.values().filter_map(|hold| match &hold.state {
            State::Captured(captured) if captured.award.terms.currency == currency => {
                Some(fee(captured.settlement.gross))
            }
            _ => None,
        });
        assert_eq!(class(Class::Revenue), fees.sum::<Decimal>(), "L10");
    }
}

/// The fee by integers: `⌊(G·1500 + 5000) / 10000⌋` millionths.
pub(crate) fn fee(gross: Amount) -> Decimal {
    let micros = gross.decimal().mantissa() * 10_i128.pow(6 - gross.decimal().scale());
    Decimal::from_i128_with_scale((micros * 1500 + 5000) / 10_000, 6)
}

/// L5 and L6 for each contract, from its lines alone.
pub(crate) fn assert_contracts(world: &World) {
    for hold in world.holds.values() {
        let Some(award) = hold.award() else { continue };
        let lines: Vec<_> = world
            .events
            .iter()
            .filter_map(|event| event.journal.as_ref())
            .filter(|journal| journal.key.contract() == Some(hold.contract))
            .flat_map(|journal| &journal.lines)
            .filter(|line| line.reason != Reason::Clawback)
            .collect();
        let net = |account: Account| -> Decimal {
            let signed = lines
                .iter()
                .filter(|line| line.account == account)
                .map(|line| match line.side {
                    Side::Credit => line.amount.decimal(),
                    Side::Debit => -line.amount.decimal(),
                });
            signed.sum()
        };
        let currency = award.terms.currency;
        let (escrow, pending) = (
            net(Account::escrow(hold.contract, currency)),
            net(Account::pending(hold.contract, currency)),
        );
        let (out, into, fees) = (
            net(award.consumer_account()),
            net(award.payee_account()),
            net(Account::fee_revenue(currency)),
        );
        let is_same = award.parties.consumer == award.parties.payee;
        match &hold.state {
            State::Held(_) => assert_eq!(
                (escrow, pending, fees),
                (award.terms.escrow.decimal(), Decimal::ZERO, Decimal::ZERO)
            ),
            State::Released(_) => assert_eq!((escrow, pending, out, fees), Default::default(), "L5, L6"),
            State::Captured(captured) => {
                let (gross, fee) = (
                    captured.settlement.gross.decimal(),
                    fee(captured.settlement.gross),
                );
                assert_eq!(fees, fee, "L6: fee");
                let (residual, payout) = (award.terms.escrow.decimal() - gross, gross - fee);
                let open_residual = if captured.residual_released.is_some() {
                    Decimal::ZERO
                } else {
                    residual
                };
                let open_payout = if captured.payout_released.is_some() {
                    Decimal::ZERO
                } else {
                    payout
                };
                assert_eq!((escrow, pending), (open_residual, open_payout), "L5");
                if is_same {
                    assert_eq!(-out, fee + open_residual + open_payout, "L6: both sides");
                } else {
                    assert_eq!((-out, into), (gross + open_residual, payout - open_payout), "L6");
                }
            }
        }
    }
}

/// L8, and I2: each account's lines are numbered without a gap and chain their balances.
pub(crate) fn assert_journals(world: &World) {
    let journals: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| event.journal.as_ref())
        .collect();
    let keys: BTreeSet<_> = journals.iter().map(|journal| &journal.key).collect();
    let ids: BTreeSet<_> = journals.iter().map(|journal| journal.id).collect();
    assert_eq!((keys.len(), ids.len()), (journals.len(), journals.len()), "L8");
    let mut chains: BTreeMap<Account, Balance> = BTreeMap::new();
    for (account, side, amount) in &world.opening {
        let chain = chains.entry(*account).or_default();
        *chain = chain.after(*side, *amount).unwrap();
    }
    for line in journals.iter().flat_map(|journal| &journal.lines) {
        assert_eq!(line.entry.is_none(), line.account.code().is_append_only());
        let Some(entry) = line.entry else { continue };
        let chain = chains.entry(line.account).or_default();
        *chain = chain.after(line.side, line.amount).unwrap();
        assert_eq!(
            chain.on(line.account.code().normal_side()),
            Some(entry.balance_after),
            "I2"
        );
        assert_eq!(chain.lines, entry.seq, "I2");
    }
    assert_eq!(chains, world.accounts, "L7");
}

/// What a tenant may spend is explained by the lines of its statement.
pub(crate) fn assert_statements(world: &World) {
    let mut explained: BTreeMap<Account, Amount> = BTreeMap::new();
    for event in &world.events {
        let Some(journal) = &event.journal else { continue };
        for number in 1..=4 {
            let account = Account::available(tenant(number), journal.currency);
            for line in statement(&event.subject, journal, tenant(number)) {
                assert!(
                    event.visible_to().contains(&tenant(number)),
                    "{} is on a statement of who may not see it",
                    event.name()
                );
                let Some(balance) = line.balance_after else {
                    continue;
                };
                let before = explained.insert(account, balance).unwrap_or_default();
                let after = match line.direction {
                    Side::Credit => before.checked_add(line.amount),
                    Side::Debit => before.checked_sub(line.amount),
                };
                assert_eq!(after, Some(balance));
            }
        }
    }
    for (account, balance) in world
        .accounts
        .iter()
        .filter(|(account, _)| account.code() == AccountCode::Available)
    {
        assert_eq!(
            balance.on(Side::Credit),
            Some(explained.get(account).copied().unwrap_or_default())
        );
    }
}
