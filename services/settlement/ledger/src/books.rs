//! The working set of a batch: the accounts, holds and deposits that its commands touch.
//!
//! A batch goes like this. Everything is locked in one order, so that two batches never wait for each other in a
//! circle: the request keys (the caller's matter), the contracts and deposits, the accounts (decisions §3.11).
//!
//! 1. [`Touched::by`] names the contracts, deposits and payments of the commands; the store locks and loads them.
//! 2. [`Books::open`] takes them, [`Books::accounts`] names the accounts; the store locks and loads those.
//! 3. [`Books::load`] takes them, [`Books::apply`] folds one command after another, each seeing the ones before.
//! 4. [`Books::deltas`], [`Books::changed_holds`] and [`Books::changed_deposits`] are what is to be written, besides
//!    the events and their journals.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aex_types::{Amount, ContractId, DepositId, JournalId};

use crate::{
    Account, Balance, BusinessKey, Delta, Deposit, Event, Hold, Missing, Payment, Policy, Refusal, Touched,
    Violation,
};

/// The working set of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    policy: Arc<Policy>,
    pub(crate) accounts: BTreeMap<Account, Row>,
    pub(crate) holds: BTreeMap<ContractId, Slot<Hold>>,
    pub(crate) deposits: BTreeMap<DepositId, Slot<Deposit>>,
    pub(crate) payments: BTreeMap<Payment, Option<DepositId>>,
    pub(crate) posted: BTreeSet<BusinessKey>,
}

/// What the store found for what a batch touches. What it did not find is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// The holds of the contracts.
    pub holds: Vec<Hold>,
    /// The deposits.
    pub deposits: Vec<Deposit>,
    /// The payments, and the deposit that each paid or failed to pay.
    pub payments: Vec<(Payment, DepositId)>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// This, and the journal in it.
    Applied(Box<Event>),
    /// Nothing: it was done before, on the same terms, by this journal unless there was nothing to move.
    Already(Option<JournalId>),
}

/// An account in the working set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) balance: Balance,
    pub(crate) moved: Balance,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot<T> {
    value: Option<T>,
    is_changed: bool,
}

impl<T> Slot<T> {
    pub(crate) const ABSENT: Self = Self {
        value: None,
        is_changed: false,
    };

    const fn loaded(value: T) -> Self {
        Self {
            value: Some(value),
            is_changed: false,
        }
    }

    pub(crate) const fn changed(value: T) -> Self {
        Self {
            value: Some(value),
            is_changed: true,
        }
    }

    fn as_changed(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.is_changed)
    }
}

impl Books {
    /// A working set of what is touched. What was touched and not found does not exist; all else is unknown, and a
    /// command that needs it is refused with [`Refusal::NotLoaded`].
    #[must_use]
    pub fn open(policy: Arc<Policy>, touched: &Touched, rows: Rows) -> Self {
        let mut holds: BTreeMap<_, _> = touched
            .contracts
            .iter()
            .map(|&contract| (contract, Slot::ABSENT))
            .collect();
        let mut deposits: BTreeMap<_, _> = touched
            .deposits
            .iter()
            .map(|&deposit| (deposit, Slot::ABSENT))
            .collect();
        let mut payments: BTreeMap<_, _> = touched
            .payments
            .iter()
            .map(|payment| (payment.clone(), None))
            .collect();
        holds.extend(
            rows.holds
                .into_iter()
                .map(|hold| (hold.contract, Slot::loaded(hold))),
        );
        deposits.extend(
            rows.deposits
                .into_iter()
                .map(|deposit| (deposit.id, Slot::loaded(deposit))),
        );
        payments.extend(
            rows.payments
                .into_iter()
                .map(|(payment, deposit)| (payment, Some(deposit))),
        );
        Self {
            policy,
            accounts: BTreeMap::new(),
            holds,
            deposits,
            payments,
            posted: BTreeSet::new(),
        }
    }

    /// Takes the accounts that were locked, with the balances that were found; the others stand at nothing.
    pub fn load(
        &mut self,
        accounts: &BTreeSet<Account>,
        balances: impl IntoIterator<Item = (Account, Balance)>,
    ) {
        let row = |balance| Row {
            balance,
            moved: Balance::ZERO,
        };
        self.accounts
            .extend(accounts.iter().map(|&account| (account, row(Balance::ZERO))));
        self.accounts.extend(
            balances
                .into_iter()
                .map(|(account, balance)| (account, row(balance))),
        );
    }

    /// One delta for each account that was moved, in the order of the locks.
    #[must_use]
    pub fn deltas(&self) -> Vec<Delta> {
        let moved = self.accounts.iter().filter(|(_, row)| row.moved.lines > 0);
        moved
            .map(|(&account, row)| Delta {
                account,
                moved: row.moved,
            })
            .collect()
    }

    /// The holds that changed, as they are now.
    pub fn changed_holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter_map(Slot::as_changed)
    }

    /// The deposits that changed, as they are now.
    pub fn changed_deposits(&self) -> impl Iterator<Item = &Deposit> {
        self.deposits.values().filter_map(Slot::as_changed)
    }

    /// The configuration that awards are made under.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The hold of a contract, if there is one.
    pub fn hold(&self, contract: ContractId) -> Result<Option<&Hold>, Refusal> {
        let slot = self
            .holds
            .get(&contract)
            .ok_or(Refusal::NotLoaded(Missing::Contract(contract)))?;
        Ok(slot.value.as_ref())
    }

    /// A deposit, if there is one.
    pub fn deposit(&self, id: DepositId) -> Result<Option<&Deposit>, Refusal> {
        let slot = self
            .deposits
            .get(&id)
            .ok_or(Refusal::NotLoaded(Missing::Deposit(id)))?;
        Ok(slot.value.as_ref())
    }

    /// The deposit that a payment belongs to, if it belongs to one.
    pub fn payment(&self, payment: &Payment) -> Result<Option<DepositId>, Refusal> {
        let slot = self.payments.get(payment);
        slot.copied()
            .ok_or_else(|| Refusal::NotLoaded(Missing::Payment(payment.clone())))
    }

    /// The totals of an account.
    pub fn balance(&self, account: &Account) -> Result<Balance, Refusal> {
        Ok(self.row(account)?.balance)
    }

    /// What stands on an account, on its normal side.
    pub fn standing(&self, account: &Account) -> Result<Amount, Refusal> {
        let standing = self.balance(account)?.on(account.code().normal_side());
        Ok(standing.ok_or(Violation::Overdrawn { account: *account })?)
    }

    pub(crate) fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values().filter_map(|slot| slot.value.as_ref())
    }

    pub(crate) fn deposits(&self) -> impl Iterator<Item = &Deposit> {
        self.deposits.values().filter_map(|slot| slot.value.as_ref())
    }

    pub(crate) fn row(&self, account: &Account) -> Result<Row, Refusal> {
        self.accounts
            .get(account)
            .copied()
            .ok_or(Refusal::NotLoaded(Missing::Account(*account)))
    }
}
