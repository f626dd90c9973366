//! What settlement does by itself: the exits of money that time opens, and the confirmation of test deposits.

use std::sync::Arc;

use aex_kit::{Call, Hosted as _};
use aex_settlement_ledger::{
    Command, ConfirmDeposit, Deposit, DepositState, Elapse, Payment, Rail, RailEvent, Refusal, Timer,
};
use aex_store::{Job, Timers};
use aex_types::DepositId;
use uuid::Uuid;

use crate::{
    App, Error,
    store::{CONFIRM_TEST, deposits, job},
};

/// Starts the worker of each kind of job.
pub(crate) fn start(app: &Arc<App>) {
    Timers::new(&app.store, App::NAME, Arc::new(Overdue(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(Release(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(CloseResidual(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(ClosePayout(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(ConfirmTest(Arc::clone(app)))).start();
}

/// A timer of a hold, as a kind of job.
macro_rules! timer {
    ($name:ident) => {
        struct $name(Arc<App>);

        impl Job for $name {
            const KIND: &'static str = job(Timer::$name);
            type Error = Error;

            async fn run(&self, call: Call, key: Uuid) -> Result<(), Error> {
                elapse(&self.0, &call, key, Timer::$name).await
            }
        }
    };
}

timer!(Overdue);
timer!(Release);
timer!(CloseResidual);
timer!(ClosePayout);

/// The transaction also sets the hold's timers as they are, so a timer that has nothing to do is gone afterwards.
async fn elapse(app: &App, call: &Call, key: Uuid, timer: Timer) -> Result<(), Error> {
    let contract = key.into();
    let command = Command::Elapse(Elapse { contract, timer });
    match app.committer.submit(call, command).await {
        Ok(_) => {
            if timer == Timer::Overdue {
                tracing::error!(%contract, "a hold is overdue: the contract did not end by its deadline");
            }
            Ok(())
        }
        Err(Error::Refused(
            Refusal::NothingDue { .. } | Refusal::NotDue { .. } | Refusal::HoldNotFound { .. },
        )) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Confirms a deposit by the test rail whose request was cut off before it could.
struct ConfirmTest(Arc<App>);

impl Job for ConfirmTest {
    const KIND: &'static str = CONFIRM_TEST;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let id = DepositId::from(key);
        let app = &self.0;
        let deposit = app
            .store
            .read(&mut call, async |tx| {
                deposits::find(tx, id).await.map_err(Error::from)
            })
            .await?;
        match deposit {
            Some(deposit) if deposit.state == DepositState::Pending => app
                .committer
                .submit(&call, confirm_test(&deposit)?)
                .await
                .map(drop),
            _ => {
                app.store
                    .work(&mut call, async |tx| {
                        tx.done(CONFIRM_TEST, key);
                        Ok(())
                    })
                    .await
            }
        }
    }
}

/// What the test rail says at once: that the money of a deposit is there.
pub(crate) fn confirm_test(deposit: &Deposit) -> Result<Command, Error> {
    let reference = deposit.id.to_string().parse();
    let reference = reference.map_err(|_| Error::DepositNotFound(deposit.id))?;
    Ok(Command::ConfirmDeposit(ConfirmDeposit {
        deposit: deposit.id,
        event: RailEvent {
            payment: Payment {
                rail: Rail::TEST,
                reference,
            },
            number: 1,
        },
        money: deposit.money,
    }))
}
