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

use aex_settlement_ledger::{Command, Event, Hold, Rows, Timer, Touched};
use aex_store::{Failure, Tx};
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

/// The jobs that a hold has, and those that it has no more.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    due: BTreeMap<(&'static str, Uuid), Timestamp>,
    done: BTreeSet<(&'static str, Uuid)>,
}

impl Jobs {
    /// The timers of a contract as its hold has them now.
    pub(crate) fn of_hold(&mut self, contract: ContractId, hold: Option<&Hold>) {
        for timer in Timer::ALL {
            let due = hold.and_then(|hold| hold.due(timer));
            self.set((job(timer), contract.uuid()), due);
        }
    }

    /// The confirmation of a deposit by the test rail, at once or not at all.
    pub(crate) fn of_deposit(&mut self, deposit: DepositId, confirm_at: Option<Timestamp>) {
        self.set((CONFIRM_TEST, deposit.uuid()), confirm_at);
    }

    fn set(&mut self, job: (&'static str, Uuid), due: Option<Timestamp>) {
        if let Some(due) = due {
            self.due.insert(job, due);
        } else {
            self.done.insert(job);
        }
    }

    /// Sets and unsets the jobs, in one order.
    pub(crate) async fn save(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        let done: Vec<_> = self.done.iter().copied().collect();
        let due: Vec<_> = self
            .due
            .iter()
            .map(|(&(kind, key), &due)| (kind, key, due))
            .collect();
        tx.unschedule_all(&done).await?;
        tx.schedule_all(&due).await
    }
}

/// The contracts and deposits whose jobs a batch looks at even when nothing changed: those that a timer asked about.
pub(crate) fn asked_by_timer(command: &Command) -> Option<ContractId> {
    match command {
        Command::Elapse(elapse) => Some(elapse.contract),
        _ => None,
    }
}
