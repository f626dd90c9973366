//! The only SQL of settlement.

pub(crate) mod accounts;
pub(crate) mod audit;
pub(crate) mod deposits;
pub(crate) mod holds;
pub(crate) mod journals;
mod json;
mod replay;
pub(crate) mod statements;

use std::collections::{BTreeMap, BTreeSet};

use aex_settlement_ledger::{Command, Deposit, DepositState, Event, Hold, Rail, Rows, Timer, Touched};
use aex_store::{Due, Failure, Tx};
use aex_types::{ContractId, DepositId, Timestamp};
use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) use replay::replay;

/// What a batch touches, locked in one order: holds, then deposits. Payments have no rows of their own.
pub(crate) async fn lock(sql: &mut PgConnection, touched: &Touched) -> Result<Rows, Failure> {
    Ok(Rows {
        holds: holds::lock(sql, touched.contracts.iter().copied()).await?,
        deposits: deposits::lock(sql, touched.deposits.iter().copied()).await?,
        payments: deposits::payments(sql, touched.payments.iter()).await?,
    })
}

/// Which rows were there before; what is not among them is inserted, so that two that did not see each other collide.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) holds: BTreeSet<ContractId>,
    pub(crate) deposits: BTreeSet<DepositId>,
}

impl Known {
    pub(crate) fn of(rows: &Rows) -> Self {
        Self {
            holds: rows.holds.iter().map(|hold| hold.contract).collect(),
            deposits: rows.deposits.iter().map(|deposit| deposit.id).collect(),
        }
    }
}

/// Writes the journals of events, and what tenants read of them.
pub(crate) async fn post(sql: &mut PgConnection, events: &[Event]) -> Result<(), Failure> {
    journals::insert(sql, events).await?;
    statements::insert(sql, events).await
}

/// The kind of the job that confirms a deposit by the test rail.
pub(crate) const CONFIRM_TEST: &str = "deposit.confirm_test";

/// The kind of the job of a hold's timer.
pub(crate) const fn job(timer: Timer) -> &'static str {
    match timer {
        Timer::Overdue => "hold.overdue",
        Timer::Release => "hold.release",
        Timer::CloseResidual => "hold.close_residual",
        Timer::ClosePayout => "hold.close_payout",
    }
}

/// The jobs that follow from where a hold stands, live and after a replay.
pub(crate) fn demanded_by_hold(hold: &Hold) -> Vec<Due> {
    let due = |timer| Some(Due::new(job(timer), hold.contract.uuid(), hold.due(timer)?));
    Timer::ALL.into_iter().filter_map(due).collect()
}

/// The job that follows from where a deposit stands: the test rail confirms at once.
pub(crate) fn demanded_by_deposit(deposit: &Deposit) -> Option<Due> {
    let waits = deposit.rail == Rail::TEST && deposit.state == DepositState::Pending;
    waits.then(|| Due::new(CONFIRM_TEST, deposit.id.uuid(), deposit.request_time))
}

/// The jobs that a batch sets, and those that it takes back.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    due: BTreeMap<(&'static str, Uuid), Timestamp>,
    done: BTreeSet<(&'static str, Uuid)>,
}

impl Jobs {
    /// The timers of a contract as its hold has them now, whatever they were.
    pub(crate) fn of_hold(&mut self, contract: ContractId, hold: Option<&Hold>) {
        let all = Timer::ALL.map(|timer| (job(timer), contract.uuid()));
        self.set(&all, hold.map(demanded_by_hold).unwrap_or_default());
    }

    /// The confirmation of a deposit by the test rail, at once or not at all.
    pub(crate) fn of_deposit(&mut self, deposit: &Deposit) {
        self.set(&[(CONFIRM_TEST, deposit.id.uuid())], demanded_by_deposit(deposit));
    }

    fn set(&mut self, all: &[(&'static str, Uuid)], due: impl IntoIterator<Item = Due>) {
        for job in all {
            self.due.remove(job);
            self.done.insert(*job);
        }
        for due in due {
            self.done.remove(&(due.kind, due.key));
            self.due.insert((due.kind, due.key), due.time);
        }
    }

    /// Sets and unsets the jobs.
    pub(crate) fn save(&self, tx: &mut Tx<'_>) {
        for &(kind, key) in &self.done {
            tx.unschedule(kind, key);
        }
        for (&(kind, key), &time) in &self.due {
            tx.schedule(kind, key, time);
        }
    }
}

/// The contracts and deposits whose jobs a batch looks at even when nothing changed: those that a timer asked about.
pub(crate) fn asked_by_timer(command: &Command) -> Option<ContractId> {
    match command {
        Command::Elapse(elapse) => Some(elapse.contract),
        _ => None,
    }
}
