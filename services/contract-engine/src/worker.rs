//! What contract-engine does by itself: finishes awards, awards what wants to be awarded, ends what is over, pays, and
//! gives money back. Each is a job with the contract's id, or the work's, for its key; what is to be done is read from
//! the state, so that doing it twice does no harm.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use aex_kit::{Call, Hosted as _};
use aex_proto::aex::common::v1::Event as Stored;
use aex_store::{Ahead, Due, Follower, Job, Timers, Tx, feed::follow};
use aex_types::{ContractId, WorkId};
use uuid::Uuid;

use crate::{
    App, Error,
    award::{Asker, Saga, held},
    convert,
    domain::{
        contract::{self, Contract, Event, Status},
        saga::{self, Ranking},
    },
    peers::Answer,
    store::contracts,
};

/// Finishes an award; by contract.
pub(crate) const AWARD: &str = "award";
/// Awards a work to its best bid; by work.
pub(crate) const AUTO: &str = "auto";
/// Ends what was not delivered in time; by contract.
const EXPIRE: &str = "expire";
/// Accepts what was not rejected in time; by contract.
const REVIEW: &str = "review";
/// Pays; by contract.
const SETTLE: &str = "settle";
/// Gives the money back; by contract.
const RELEASE: &str = "release";

/// How long an award stays with a process that has died. One that lives keeps it by [`App::kept`].
const LEASE: Duration = Duration::from_secs(2);
/// How often an award under way is kept from the others.
const RENEWAL: Duration = Duration::from_millis(500);
/// How long a payment is left to the call that completed the contract.
const HEAD_START: Duration = Duration::from_secs(2);

/// Starts everything.
pub(crate) fn start(app: &Arc<App>) {
    let store = &app.store;
    aex_store::relay(store, App::NAME, app.ledger.clone());
    store.start_watch_reader();
    let auto_award = AutoAward {
        app: Arc::clone(app),
        ahead: Ahead::of(store.runtime(), App::NAME, AUTO),
    };
    follow(store, App::NAME, app.ledger.clone(), Arc::new(auto_award));
    Timers::new(store, App::NAME, Arc::new(AwardJob(Arc::clone(app)))).start();
    Timers::new(store, App::NAME, Arc::new(AutoJob(Arc::clone(app)))).start();
    Timers::new(store, App::NAME, Arc::new(ExpireJob(Arc::clone(app)))).start();
    Timers::new(store, App::NAME, Arc::new(ReviewJob(Arc::clone(app)))).start();
    Timers::new(store, App::NAME, Arc::new(SettleJob(Arc::clone(app)))).start();
    Timers::new(store, App::NAME, Arc::new(ReleaseJob(Arc::clone(app)))).start();
}

/// What was decided, made true, with the jobs that follow from where the contract stands now.
pub(crate) async fn record(tx: &mut Tx<'_>, contract: Contract, events: &[Event]) -> Result<Contract, Error> {
    let before = demanded(&contract);
    let contract = contracts::record(tx, Some(contract), events).await?;
    tx.rearm(&before, &demanded(&contract));
    Ok(contract)
}

/// The jobs that follow from where a contract stands, live and after a replay.
///
/// That an award is cleared up, that the money was given back, and that settlement refuses to pay, is told by no event:
/// these jobs take themselves back when they are done, and a replay sets them again, which does no harm.
pub(crate) fn demanded(contract: &Contract) -> Vec<Due> {
    let key = contract.id.uuid();
    let ended = contract.end_time.unwrap_or(contract.update_time);
    let award = Due::new(AWARD, key, contract.create_time.saturating_add(LEASE));
    match contract.status {
        Status::Proposed | Status::Void => vec![award],
        Status::Awarded | Status::Executing => {
            vec![award, Due::new(EXPIRE, key, contract.terms.expire_time)]
        }
        Status::VerificationPending => {
            let deadline = contract.review_deadline.unwrap_or(contract.update_time);
            vec![award, Due::new(REVIEW, key, deadline)]
        }
        Status::Completed => vec![award, Due::new(SETTLE, key, ended.saturating_add(HEAD_START))],
        // The work knows the end from the contract's events, so it need not be told of the award any more.
        Status::Failed | Status::Expired => vec![Due::new(RELEASE, key, ended)],
        Status::Settled => Vec::new(),
    }
}

/// Awards what wants to be awarded by itself, when its bids are ranked: at once and with the ranking that the event
/// carries.
struct AutoAward {
    app: Arc<App>,
    ahead: Ahead,
}

impl AutoAward {
    /// Begins an award, if the event names bids. Answers how long its job is to wait.
    fn begin(&self, work: WorkId, ranking: Ranking) -> Duration {
        if ranking.ranked.is_empty() {
            return Duration::ZERO;
        }
        let app = Arc::clone(&self.app);
        self.ahead.begin(work.uuid(), async move |mut call| {
            app.award_by_itself(&mut call, work, Some(ranking)).await
        })
    }
}

impl Follower for AutoAward {
    const NAME: &'static str = "auto-award";
    const TYPES: &'static [&'static str] = &["bids.evaluated"];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Stored]) -> Result<(), Error> {
        for event in events {
            if let Some((work, ranking)) = convert::to_be_awarded(event)? {
                let due = tx.now().saturating_add(self.begin(work, ranking));
                tx.schedule(AUTO, work.uuid(), due);
            }
        }
        Ok(())
    }
}

struct AwardJob(Arc<App>);

impl Job for AwardJob {
    const KIND: &'static str = AWARD;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let contract = self.0.contract(&mut call, key).await?;
        self.0.carry(&mut call, &mut Saga::of(contract)).await
    }
}

struct AutoJob(Arc<App>);

impl Job for AutoJob {
    const KIND: &'static str = AUTO;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        self.0.award_by_itself(&mut call, key.into(), None).await?;
        // There is nothing left to award, as far as this run has read. An award that came to nothing since has scheduled
        // another.
        self.0
            .store
            .work(&mut call, async |tx| {
                tx.done(AUTO, key);
                Ok(())
            })
            .await
    }
}

struct ExpireJob(Arc<App>);

impl Job for ExpireJob {
    const KIND: &'static str = EXPIRE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        self.0
            .store
            .work(&mut call, async |tx| {
                let contract = held(tx, key.into()).await?;
                let events = contract::expire(&contract, tx.now());
                if events.is_empty() && contract.status.is_open() {
                    // Its time has not come.
                    return Ok(());
                }
                record(tx, contract, &events).await?;
                tx.done(EXPIRE, key);
                Ok(())
            })
            .await
    }
}

struct ReviewJob(Arc<App>);

impl Job for ReviewJob {
    const KIND: &'static str = REVIEW;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let accepted = self
            .0
            .store
            .work(&mut call, async |tx| {
                let contract = held(tx, key.into()).await?;
                let events = contract::review_ended(&contract, tx.now());
                if !events.is_empty() {
                    return record(tx, contract, &events).await.map(Some);
                }
                if contract.status != Status::VerificationPending {
                    tx.done(REVIEW, key);
                }
                Ok::<_, Error>(None)
            })
            .await?;
        match accepted {
            // Nobody else is about to pay.
            Some(contract) => self.0.settle(&mut call, &contract).await,
            None => Ok(()),
        }
    }
}

struct SettleJob(Arc<App>);

impl Job for SettleJob {
    const KIND: &'static str = SETTLE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let contract = self.0.contract(&mut call, key).await?;
        self.0.settle(&mut call, &contract).await
    }
}

struct ReleaseJob(Arc<App>);

impl Job for ReleaseJob {
    const KIND: &'static str = RELEASE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let contract = self.0.contract(&mut call, key).await?;
        self.0
            .peers
            .release_money(&call, &contract, contract.release_not_before)
            .await?;
        self.0
            .store
            .work(&mut call, async |tx| {
                tx.done(RELEASE, key);
                Ok(())
            })
            .await
    }
}

impl App {
    async fn contract(&self, call: &mut Call, key: Uuid) -> Result<Contract, Error> {
        let id = ContractId::from(key);
        self.store
            .read_one(call, async |tx| {
                contracts::find(tx, id).await?.ok_or(Error::ContractNotFound(id))
            })
            .await
    }

    /// Has a completed contract paid. Asked again, settlement answers the same; so what it refuses for good is told once
    /// and not asked again. The contract stays completed, and `aex fsck` finds it, until somebody mends it.
    pub(crate) async fn settle(&self, call: &mut Call, contract: &Contract) -> Result<(), Error> {
        let id = contract.id;
        if contract.status == Status::Completed
            && let Answer::Refused(no) = self.peers.settle(call, contract).await?
        {
            tracing::error!(contract = %id, refusal = no.words(), "a completed contract is not paid");
            return self
                .store
                .work(call, async |tx| {
                    tx.unschedule(SETTLE, id.uuid());
                    Ok(())
                })
                .await;
        }
        self.store
            .work(call, async |tx| {
                let contract = held(tx, id).await?;
                if let Ok(events) = contract::paid(&contract, tx.now()) {
                    record(tx, contract, &events).await?;
                } else {
                    tx.unschedule(SETTLE, id.uuid());
                }
                Ok(())
            })
            .await
    }

    /// Awards a work to the best bid that can still be tried, if there is one. The ranking is asked for where nobody has
    /// told it.
    async fn award_by_itself(
        &self,
        call: &mut Call,
        work: WorkId,
        told: Option<Ranking>,
    ) -> Result<(), Error> {
        let before = self
            .store
            .read_one(call, async |tx| {
                Ok::<_, Error>(contracts::of_work(tx, work).await?)
            })
            .await?;
        let ranking = match told {
            Some(ranking) => ranking,
            None if !saga::may_be_tried(&before) => return Ok(()),
            // Without a ranking there is nothing to award; its event comes when there is one.
            None => self.peers.ranking(call, work).await?.unwrap_or_default(),
        };
        for (attempt, bid) in ranking.left_to_try(&before) {
            let provider = bid.provider_id;
            let asker = Asker::Exchange { attempt, provider };
            match self.terms(call, (work, bid.bid_id), asker).await {
                Ok(terms) => {
                    return match self.propose_by_itself(call, terms).await? {
                        Some(contract) => self.try_by_itself(call, contract, ranking).await,
                        None => Ok(()),
                    };
                }
                Err(error) if error.is_of_the_bid() => {}
                // Cancelled, over, or under way already.
                Err(Error::WorkNotFound(_) | Error::WorkNotAwardable(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn propose_by_itself(
        &self,
        call: &mut Call,
        terms: contract::Terms,
    ) -> Result<Option<Contract>, Error> {
        let proposed = self
            .store
            .work(call, async move |tx| {
                let work = terms.work_id;
                let event = contract::propose(tx.id(), terms, tx.now());
                let contract = contracts::propose(tx, &event, work).await?;
                if let Some(contract) = &contract {
                    tx.rearm(&[], &demanded(contract));
                    // From here on the contract's end decides whether another bid is tried.
                    tx.unschedule(AUTO, work.uuid());
                }
                Ok::<_, Error>(contract)
            })
            .await;
        match proposed {
            Err(Error::Store(failure)) if contracts::is_second(&failure) => Ok(None),
            proposed => proposed,
        }
    }

    async fn try_by_itself(
        &self,
        call: &mut Call,
        contract: Contract,
        ranking: Ranking,
    ) -> Result<(), Error> {
        let mut saga = Saga::ranked(contract, ranking);
        let id = saga.contract.id;
        if let Err(error) = self.kept(id, self.carry(call, &mut saga)).await {
            tracing::info!(contract = %saga.contract.id, %error, "an award goes on in a worker");
            self.hand_over(call, saga.contract.id).await?;
        }
        Ok(())
    }

    /// Takes an award further, and keeps the workers from it meanwhile. Two who carry the same award do no harm: they
    /// only ask twice.
    pub(crate) async fn kept<T>(&self, id: ContractId, carried: impl Future<Output = T>) -> T {
        tokio::select! {
            carried = carried => carried,
            never = self.keep(id) => match never {},
        }
    }

    async fn keep(&self, id: ContractId) -> Infallible {
        let runtime = self.store.runtime();
        loop {
            runtime.pause(RENEWAL).await;
            let mut call = Call::own(runtime, Self::NAME, AWARD, LEASE);
            let kept = self.store.work(&mut call, async |tx| {
                let until = tx.now().saturating_add(LEASE);
                tx.postpone(AWARD, id.uuid(), until).await
            });
            if let Err(error) = kept.await {
                tracing::debug!(contract = %id, %error, "an award cannot be kept from the workers");
            }
        }
    }
}
