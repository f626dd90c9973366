//! What a batch of commands has to lock, before it is known what they do.

use std::collections::{BTreeMap, BTreeSet};

use aex_types::{ContractId, Currency, DepositId, TenantId};

use crate::{Account, Books, Command, Parties, Payment, Timer};

/// What a batch touches besides accounts. The accounts follow from what is found under these keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// The contracts, sorted: they are locked first.
    pub contracts: BTreeSet<ContractId>,
    /// The deposits, sorted: they are locked next.
    pub deposits: BTreeSet<DepositId>,
    /// The payments: nothing to lock, a unique index on (rail, reference) of decided deposits keeps them apart.
    pub payments: BTreeSet<Payment>,
}

impl Touched {
    /// What these commands touch.
    #[must_use]
    pub fn by<'a>(commands: impl IntoIterator<Item = &'a Command>) -> Self {
        let mut touched = Self::default();
        for command in commands {
            touched.contracts.extend(command.contract());
            touched.deposits.extend(command.deposit());
            touched.payments.extend(command.payment().cloned());
        }
        touched
    }
}

impl Command {
    /// The contract that it is about.
    pub const fn contract(&self) -> Option<ContractId> {
        match self {
            Self::PlaceHold(command) => Some(command.contract),
            Self::Settle(command) => Some(command.contract),
            Self::Release(command) => Some(command.contract),
            Self::Elapse(command) => Some(command.contract),
            Self::RequestDeposit(_) | Self::ConfirmDeposit(_) | Self::RejectDeposit(_) => None,
        }
    }

    /// The deposit that it is about.
    pub const fn deposit(&self) -> Option<DepositId> {
        match self {
            Self::RequestDeposit(command) => Some(command.deposit),
            Self::ConfirmDeposit(command) => Some(command.deposit),
            Self::RejectDeposit(command) => Some(command.deposit),
            Self::PlaceHold(_) | Self::Settle(_) | Self::Release(_) | Self::Elapse(_) => None,
        }
    }

    /// The payment that it speaks of.
    pub const fn payment(&self) -> Option<&Payment> {
        match self {
            Self::ConfirmDeposit(command) => Some(&command.event.payment),
            Self::RejectDeposit(command) => Some(&command.event.payment),
            _ => None,
        }
    }
}

/// What decides which accounts a command about a contract or a deposit moves.
#[derive(Default)]
struct Known {
    trades: BTreeMap<ContractId, Vec<(Parties, Currency)>>,
    deposits: BTreeMap<DepositId, Vec<(TenantId, Currency)>>,
}

impl Books {
    /// The accounts that these commands may read or move, in the order in which they are to be locked.
    ///
    /// What an earlier command of the batch creates counts as well as what was found. Append-only accounts are not
    /// among them: nobody locks those.
    #[must_use]
    pub fn accounts<'a>(
        &self,
        commands: impl IntoIterator<Item = &'a Command, IntoIter: Clone>,
    ) -> BTreeSet<Account> {
        let commands = commands.into_iter();
        let mut known = Known::default();
        for hold in self.holds() {
            let trade = hold.award().map(|award| (award.parties, award.terms.currency));
            known.trades.entry(hold.contract).or_default().extend(trade);
        }
        for deposit in self.deposits() {
            let whose = (deposit.tenant, deposit.money.currency);
            known.deposits.entry(deposit.id).or_default().push(whose);
        }
        for command in commands.clone() {
            match command {
                Command::PlaceHold(place) => {
                    let trade = (place.parties, place.terms.currency);
                    known.trades.entry(place.contract).or_default().push(trade);
                }
                Command::RequestDeposit(request) => {
                    let whose = (request.tenant, request.money.currency);
                    known.deposits.entry(request.deposit).or_default().push(whose);
                }
                _ => {}
            }
        }
        let mut accounts = BTreeSet::new();
        commands.for_each(|command| known.add(command, &mut accounts));
        accounts
    }
}

impl Known {
    fn add(&self, command: &Command, accounts: &mut BTreeSet<Account>) {
        let deposits = command.deposit().and_then(|deposit| self.deposits.get(&deposit));
        if matches!(command, Command::ConfirmDeposit(_)) {
            for &(tenant, currency) in deposits.into_iter().flatten() {
                accounts.extend(purse(tenant, currency));
            }
        }
        let Some(contract) = command.contract() else {
            return;
        };
        for &(parties, currency) in self.trades.get(&contract).into_iter().flatten() {
            let escrow = Account::escrow(contract, currency);
            let pending = Account::pending(contract, currency);
            match command {
                Command::Settle(_) => accounts.extend([escrow, pending]),
                Command::Elapse(elapse) if elapse.timer == Timer::Overdue => {}
                Command::Elapse(elapse) if elapse.timer == Timer::ClosePayout => {
                    accounts.insert(pending);
                    accounts.extend(purse(parties.payee, currency));
                }
                _ => {
                    accounts.insert(escrow);
                    accounts.extend(purse(parties.consumer, currency));
                }
            }
        }
    }
}

/// What a tenant has and what it owes: a credit to the one repays the other, a hold looks at both.
const fn purse(tenant: TenantId, currency: Currency) -> [Account; 2] {
    [
        Account::receivable(tenant, currency),
        Account::available(tenant, currency),
    ]
}
