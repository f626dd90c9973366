//! A store in memory around the books: tables, batches, and a clock that tests turn.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aex_settlement_ledger::*;
use aex_types::{
    Amount, BasisPoints, ContractId, Currency, DepositId, Id, JournalId, Money, TenantId, Tier, Timestamp,
    id::Named,
};
use uuid::Uuid;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const USD: Currency = Currency::USD;

/// The id of a number.
pub(crate) fn id<T: Named>(number: u64) -> Id<T> {
    Uuid::from_u128(u128::from(number)).into()
}

pub(crate) fn tenant(number: u64) -> TenantId {
    id(number)
}

pub(crate) fn contract(number: u64) -> ContractId {
    id(number)
}

pub(crate) fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

pub(crate) fn usd(amount: u64) -> Money {
    Money {
        currency: USD,
        amount: micros(amount),
    }
}

/// 15 %, the table of tiers, windows from nothing to a week, deposits of 0.01 to 100,000.
pub(crate) fn policy() -> Policy {
    let limits = DepositLimits {
        min: micros(10_000),
        max: micros(100_000_000_000),
    };
    Policy {
        version: 1,
        fee: BasisPoints::new(1500).unwrap(),
        payout_holds: PayoutHolds::STANDARD,
        dispute_window_min: Duration::ZERO,
        dispute_window_max: 7 * DAY,
        deposits: BTreeMap::from([(USD, limits), ("AEX".parse().unwrap(), limits)]),
    }
}

/// Tenant 1 buys from tenant 2.
pub(crate) fn parties() -> Parties {
    Parties {
        consumer: tenant(1),
        provider: id(1),
        payee: tenant(2),
    }
}

/// The running example of money page §4.7: B = 80 000 µ, E = 150 000 µ, and a dispute window of a day.
pub(crate) fn terms() -> Terms {
    Terms {
        currency: USD,
        base: micros(80_000),
        escrow: micros(150_000),
        tier: Tier::Verified,
        dispute_window: DAY,
        deadline: Timestamp::EPOCH.saturating_add(2 * DAY),
    }
}

pub(crate) fn place(number: u64) -> Command {
    Command::PlaceHold(PlaceHold {
        contract: contract(number),
        parties: parties(),
        terms: terms(),
    })
}

pub(crate) fn place_on(number: u64, terms: Terms) -> Command {
    Command::PlaceHold(PlaceHold {
        contract: contract(number),
        parties: parties(),
        terms,
    })
}

pub(crate) fn settle(number: u64, gross: u64) -> Command {
    Command::Settle(Settle {
        contract: contract(number),
        currency: terms().currency,
        gross: micros(gross),
    })
}

pub(crate) fn release(number: u64) -> Command {
    Command::Release(Release {
        contract: contract(number),
        not_before: None,
    })
}

pub(crate) fn release_at(number: u64, not_before: Timestamp) -> Command {
    Command::Release(Release {
        contract: contract(number),
        not_before: Some(not_before),
    })
}

pub(crate) fn elapse(number: u64, timer: Timer) -> Command {
    Command::Elapse(Elapse {
        contract: contract(number),
        timer,
    })
}

pub(crate) fn request(number: u64, money: Money) -> Command {
    let deposit = id(number);
    Command::RequestDeposit(RequestDeposit {
        deposit,
        tenant: tenant(1),
        money,
        rail: Rail::TEST,
    })
}

pub(crate) fn rail_event(reference: &str, number: u32) -> RailEvent {
    RailEvent {
        payment: Payment {
            rail: Rail::TEST,
            reference: reference.parse().unwrap(),
        },
        number,
    }
}

pub(crate) fn confirm(number: u64, reference: &str, money: Money) -> Command {
    let event = rail_event(reference, 1);
    Command::ConfirmDeposit(ConfirmDeposit {
        deposit: id(number),
        event,
        money,
    })
}

pub(crate) fn reject(number: u64, reference: &str, reason: &str) -> Command {
    let (event, reason) = (rail_event(reference, 1), reason.parse().unwrap());
    Command::RejectDeposit(RejectDeposit {
        deposit: id(number),
        event,
        reason,
    })
}

/// What a tenant has and has not: the tables of a database, and every event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub policy: Arc<Policy>,
    /// The accounts that are locked.
    pub accounts: BTreeMap<Account, Balance>,
    /// The append-only accounts, rolled up.
    pub rolled_up: BTreeMap<Account, Balance>,
    pub holds: BTreeMap<ContractId, Hold>,
    pub deposits: BTreeMap<DepositId, Deposit>,
    pub payments: BTreeMap<Payment, DepositId>,
    pub events: Vec<Event>,
    /// Lines that stood there before the first event.
    pub opening: Vec<(Account, Side, Amount)>,
    pub now: Timestamp,
    journals: u64,
}

/// An item and its time.
pub(crate) type Timed = (Item, Timestamp);

impl World {
    pub(crate) fn new() -> Self {
        Self::under(policy())
    }

    pub(crate) fn under(policy: Policy) -> Self {
        Self {
            policy: Arc::new(policy),
            accounts: BTreeMap::new(),
            rolled_up: BTreeMap::new(),
            holds: BTreeMap::new(),
            deposits: BTreeMap::new(),
            payments: BTreeMap::new(),
            events: Vec::new(),
            opening: Vec::new(),
            now: Timestamp::EPOCH.saturating_add(HOUR),
            journals: 0,
        }
    }

    /// A world where tenant 1 has a deposit of ten dollars.
    pub(crate) fn funded() -> Self {
        Self::new().with_deposit()
    }

    pub(crate) fn with_deposit(mut self) -> Self {
        self.done(request(1, usd(10_000_000)));
        self.done(confirm(1, "opening", usd(10_000_000)));
        self
    }

    /// Makes a tenant owe something, as a later claw-back will: D RECEIVABLE, C PLATFORM_CAPITAL.
    pub(crate) fn owes(&mut self, tenant: TenantId, currency: Currency, amount: Amount) {
        let capital = Account::new(AccountCode::PlatformCapital, Owner::Platform, currency).unwrap();
        let lines = [
            (Account::receivable(tenant, currency), Side::Debit, amount),
            (capital, Side::Credit, amount),
        ];
        for (account, side, amount) in lines {
            let balance = self.accounts.entry(account).or_default();
            *balance = balance.after(side, amount).unwrap();
        }
        self.opening.extend(lines);
    }

    pub(crate) fn next_journal(&mut self) -> JournalId {
        self.journals += 1;
        id(self.journals)
    }

    /// Opens the working set of some commands, as the batcher will.
    pub(crate) fn open(&self, commands: &[Command]) -> Books {
        let touched = Touched::by(commands);
        let holds = touched
            .contracts
            .iter()
            .filter_map(|contract| self.holds.get(contract).copied());
        let deposits = touched
            .deposits
            .iter()
            .filter_map(|deposit| self.deposits.get(deposit).cloned());
        let payments = touched
            .payments
            .iter()
            .filter_map(|payment| Some((payment.clone(), *self.payments.get(payment)?)));
        let rows = Rows {
            holds: holds.collect(),
            deposits: deposits.collect(),
            payments: payments.collect(),
        };
        let mut books = Books::open(Arc::clone(&self.policy), &touched, rows);
        let accounts: BTreeSet<Account> = books.accounts(commands);
        assert!(accounts.iter().all(|account| !account.code().is_append_only()));
        let found = accounts
            .iter()
            .filter_map(|account| Some((*account, *self.accounts.get(account)?)));
        let found: Vec<_> = found.collect();
        books.load(&accounts, found);
        books
    }

    /// One transaction. Holds that a refusal changes nothing.
    pub(crate) fn batch(&mut self, items: &[Timed]) -> Vec<Result<Outcome, Refusal>> {
        let commands: Vec<_> = items.iter().map(|(item, _)| item.command.clone()).collect();
        let mut books = self.open(&commands);
        let mut answers = Vec::new();
        let first = self.events.len();
        for (item, now) in items {
            let before = books.clone();
            let answer = books.apply(item, *now);
            match &answer {
                Ok(Outcome::Applied(event)) => self.events.push(Event::clone(event)),
                Ok(Outcome::Already(_)) | Err(_) => assert_eq!(books, before, "{item:?} left a trace"),
            }
            answers.push(answer);
        }
        let deltas = books.deltas();
        assert_eq!(Delta::of(&self.events[first..]), Ok(deltas.clone()));
        for Delta { account, moved } in deltas {
            let balance = self.accounts.entry(account).or_default();
            *balance = plus(*balance, moved);
        }
        self.roll_up(first);
        self.holds
            .extend(books.changed_holds().map(|hold| (hold.contract, *hold)));
        for deposit in books.changed_deposits() {
            let payment = deposit
                .rail_event()
                .map(|event| (event.payment.clone(), deposit.id));
            self.payments.extend(payment);
            self.deposits.insert(deposit.id, deposit.clone());
        }
        answers
    }

    pub(crate) fn roll_up(&mut self, first: usize) {
        let journals = self.events[first..]
            .iter()
            .filter_map(|event| event.journal.as_ref());
        for line in journals
            .flat_map(|journal| &journal.lines)
            .filter(|line| line.entry.is_none())
        {
            let balance = self.rolled_up.entry(line.account).or_default();
            *balance = balance.after(line.side, line.amount).unwrap();
        }
    }

    /// One command in a transaction of its own, now.
    pub(crate) fn run(&mut self, command: Command) -> Result<Outcome, Refusal> {
        let item = Item {
            command,
            journal: self.next_journal(),
        };
        self.batch(&[(item, self.now)]).remove(0)
    }

    /// A command that has an effect.
    pub(crate) fn done(&mut self, command: Command) -> Event {
        match self.run(command.clone()) {
            Ok(Outcome::Applied(event)) => *event,
            other => panic!("{command:?}: {other:?}"),
        }
    }

    /// A command that is refused.
    pub(crate) fn refused(&mut self, command: Command) -> Refusal {
        match self.run(command.clone()) {
            Err(refusal) => refusal,
            done => panic!("{command:?}: {done:?}"),
        }
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now = self.now.saturating_add(span);
    }

    /// What stands on an account on its normal side, in micros of USD.
    pub(crate) fn standing(&self, account: Account) -> u64 {
        let tables = [&self.accounts, &self.rolled_up];
        let balance = tables
            .into_iter()
            .find_map(|table| table.get(&account))
            .copied()
            .unwrap_or_default();
        let amount = balance.on(account.code().normal_side()).unwrap();
        u64::try_from(amount.decimal().mantissa()).unwrap() * 10_u64.pow(6 - amount.decimal().scale())
    }

    pub(crate) fn available(&self, number: u64) -> u64 {
        self.standing(Account::available(tenant(number), USD))
    }

    pub(crate) fn escrow(&self, number: u64) -> u64 {
        self.standing(Account::escrow(contract(number), USD))
    }

    pub(crate) fn pending(&self, number: u64) -> u64 {
        self.standing(Account::pending(contract(number), USD))
    }

    pub(crate) fn fees(&self) -> u64 {
        self.standing(Account::fee_revenue(USD))
    }
}

/// A balance with a delta more, as the database adds it.
pub(crate) fn plus(balance: Balance, moved: Balance) -> Balance {
    let sum = |a: Total, b: Total| Total::try_from(a.decimal() + b.decimal()).unwrap();
    Balance {
        debit_total: sum(balance.debit_total, moved.debit_total),
        credit_total: sum(balance.credit_total, moved.credit_total),
        lines: balance.lines + moved.lines,
    }
}

/// The lines of an event, as `(account name, side, micros, reason)`.
pub(crate) fn lines(event: &Event) -> Vec<(&'static str, &'static str, String, &'static str)> {
    let lines = event.journal.iter().flat_map(|journal| &journal.lines);
    let plain = lines.map(|line| {
        let (code, side, reason) = (line.account.code(), line.side, line.reason);
        (
            code.name(),
            side.letter(),
            line.amount.to_string(),
            reason.as_str(),
        )
    });
    plain.collect()
}
