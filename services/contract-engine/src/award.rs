//! Carries an award through its steps: asks the others, and writes what was decided.

use std::{future::Future, pin::Pin, time::Duration};

use aex_kit::Call;
use aex_store::Tx;
use aex_types::{BidId, ContractId, ProviderId, TenantId, Tier, Timestamp, WorkId};

use crate::{
    App, Error,
    domain::{
        contract::{self, Contract, Event, Refusal, Status, Terms},
        saga::{self, Known, Ranking, Step},
    },
    peers::Answer,
    store::contracts,
    worker,
};

/// The time that an asker keeps to answer for itself.
const RESERVE: Duration = Duration::from_secs(1);
/// The pause before a step is tried again within one call, from the first to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(400));
/// How often one who waits for another's award looks by itself.
const LOOK: Duration = Duration::from_millis(200);

/// Is told before each step of an award, and may hold it up.
pub trait Steps: Send + Sync {
    /// The step is about to be taken.
    fn before(&self, step: Step) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Holds nothing up.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSteps;

impl Steps for NoSteps {
    fn before(&self, _: Step) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// For whom a contract is proposed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker {
    /// The consumer, who picked the bid.
    Consumer(TenantId),
    /// The exchange, which awards by itself: which bid of the ranking it tries, and whose that bid is.
    Exchange { attempt: u32, provider: ProviderId },
}

/// One award under way: the contract as it is stored, and what is known beside it.
#[derive(Debug)]
pub(crate) struct Saga {
    pub(crate) contract: Contract,
    pub(crate) known: Known,
}

impl Saga {
    /// Takes an award up, knowing nothing but what is stored.
    pub(crate) fn of(contract: Contract) -> Self {
        Self {
            contract,
            known: Known::default(),
        }
    }

    /// Takes an award up whose ranking is at hand.
    pub(crate) fn ranked(contract: Contract, ranking: Ranking) -> Self {
        let known = Known {
            ranking: Some(ranking),
            ..Known::default()
        };
        Self { contract, known }
    }
}

/// The provider's tier at the evaluation, as far as the ranking is known.
fn tier_of(contract: &Contract, known: &Known) -> Tier {
    let ranking = known.ranking.as_ref();
    let tier = ranking.and_then(|all| all.tier_of(&contract.terms).ok());
    tier.unwrap_or_default()
}

impl App {
    /// What a contract on a bid would be made of, with everything asked that can be refused before it begins.
    pub(crate) async fn terms(
        &self,
        call: &Call,
        (work_id, bid_id): (WorkId, BidId),
        asker: Asker,
    ) -> Result<Terms, Error> {
        let ranked = async {
            match asker {
                Asker::Exchange { provider, .. } => {
                    Some((provider, self.peers.provider(call, provider).await))
                }
                Asker::Consumer(_) => None,
            }
        };
        // Asked together; what the work forbids is said first.
        let (work, bid, ranked) = tokio::join!(
            self.peers.work(call, work_id),
            self.peers.bid(call, work_id, bid_id),
            ranked
        );
        let work = work?;
        if matches!(asker, Asker::Consumer(consumer) if consumer != work.consumer_id) {
            return Err(Error::WorkNotFound(work_id));
        }
        if !work.is_awardable {
            return Err(Error::WorkNotAwardable(work_id));
        }
        let bid = bid?;
        // The evaluation would say so, too late: it ends the bidding.
        if bid.price.currency != work.max_price.currency || bid.price.amount > work.max_price.amount {
            return Err(Error::BidNotRanked(bid_id));
        }
        let (owner, is_active) = match ranked {
            Some((id, answer)) if id == bid.provider_id => answer?,
            _ => self.peers.provider(call, bid.provider_id).await?,
        };
        if !is_active || owner != bid.provider_tenant_id {
            return Err(Error::ProviderNotActive(bid.provider_id));
        }
        Ok(Terms {
            work_id,
            bid_id,
            bid_revision: bid.revision,
            bid_expire_time: bid.expire_time,
            consumer_id: work.consumer_id,
            provider_id: bid.provider_id,
            provider_tenant_id: bid.provider_tenant_id,
            agent_id: bid.agent_id,
            category: work.category,
            price: bid.price,
            endpoint: bid.endpoint,
            confirm_outcome: work.confirm_outcome,
            review_time: work.review_time,
            dispute_window: work.dispute_window,
            required_fields: work.required_fields,
            expire_time: call.now().saturating_add(work.contract_duration),
            attempt: match asker {
                Asker::Exchange { attempt, .. } => Some(attempt),
                Asker::Consumer(_) => None,
            },
            work_auto_award: work.auto_award,
        })
    }

    /// Takes one step after the other until nothing is left to do. An error leaves the award where it is; whoever takes
    /// it up again goes on from there.
    pub(crate) async fn carry(&self, call: &mut Call, saga: &mut Saga) -> Result<(), Error> {
        loop {
            let step = saga::next(&saga.contract, &saga.known, call.now());
            self.steps.before(step).await;
            let Saga { contract, known } = saga;
            match step {
                Step::Reserve => match self.peers.reserve(call, contract).await? {
                    None => known.is_reserved = true,
                    refusal => known.refusal = refusal,
                },
                Step::Rank => match self.peers.evaluate(call, contract.terms.work_id).await? {
                    Answer::Given(ranking) => known.ranking = Some(ranking),
                    Answer::Refused(reason) => known.refusal = Some(reason),
                },
                Step::Hold => match self.peers.hold(call, contract, tier_of(contract, known)).await? {
                    None => known.is_held = true,
                    refusal => known.refusal = refusal,
                },
                Step::ReserveAndHold => Box::pin(self.reserve_and_hold(call, contract, known)).await?,
                Step::Award { tier } => {
                    *contract = self
                        .decide(call, contract.id, |contract, now| {
                            contract::award(contract, tier, now)
                        })
                        .await?;
                }
                Step::Void { reason, sealed } => {
                    *contract = self
                        .decide(call, contract.id, |contract, now| {
                            contract::void(contract, reason, sealed, now)
                        })
                        .await?;
                }
                Step::Confirm => {
                    self.peers.confirm(call, contract).await?;
                    known.is_confirmed = true;
                }
                Step::ReleaseMoney => {
                    self.peers.release_money(call, contract, None).await?;
                    known.is_money_released = true;
                }
                Step::ReleaseWork => {
                    self.peers.release_work(call, contract).await?;
                    known.is_work_released = true;
                }
                Step::Done => return self.done(call, contract).await,
            }
        }
    }

    /// Asks for the work and for the money together. What was taken is known also when the other question has no answer
    /// and is asked again.
    async fn reserve_and_hold(
        &self,
        call: &Call,
        contract: &Contract,
        known: &mut Known,
    ) -> Result<(), Error> {
        let (work, money) = tokio::join!(
            self.peers.reserve(call, contract),
            self.peers.hold(call, contract, tier_of(contract, known))
        );
        known.is_reserved = matches!(work, Ok(None));
        known.is_held = matches!(money, Ok(None));
        // What the work forbids is said first, as when the money is asked for after it.
        known.refusal = match work? {
            None => money?,
            refusal => refusal,
        };
        Ok(())
    }

    /// Writes a decision about a proposed contract, unless another one has decided meanwhile; answers what holds.
    async fn decide(
        &self,
        call: &mut Call,
        id: ContractId,
        decide: impl Fn(&Contract, Timestamp) -> Result<Vec<Event>, Refusal> + Copy + Send + Sync,
    ) -> Result<Contract, Error> {
        self.store
            .work(call, async |tx| {
                let contract = held(tx, id).await?;
                match decide(&contract, tx.now()) {
                    Err(_) => Ok(contract),
                    Ok(events) => worker::record(tx, contract, &events).await,
                }
            })
            .await
    }

    /// Takes the job back; after a void award the exchange may try the next bid.
    async fn done(&self, call: &mut Call, contract: &Contract) -> Result<(), Error> {
        let is_next = match contract.void_reason() {
            None => false,
            Some(reason) if contract.terms.attempt.is_some() => reason.is_of_the_bid(),
            Some(_) => contract.terms.work_auto_award,
        };
        let (id, work) = (contract.id, contract.terms.work_id);
        self.store
            .work(call, async |tx| {
                tx.unschedule(worker::AWARD, id.uuid());
                if is_next {
                    let now = tx.now();
                    tx.schedule(worker::AUTO, work.uuid(), now);
                }
                Ok(())
            })
            .await
    }

    /// Carries an award for a caller who waits: answers the contract that stands, or the refusal that made it void. What
    /// cannot be decided in the caller's time goes on in a worker.
    pub(crate) async fn carry_out(&self, call: &mut Call, mut saga: Saga) -> Result<Contract, Error> {
        let mut pause = BACK_OFF.0;
        loop {
            let id = saga.contract.id;
            let Err(error) = self.kept(id, self.carry(call, &mut saga)).await else {
                return verdict(saga.contract);
            };
            let stands = saga.contract.status.is_known_to_provider();
            if stands || call.time_left() <= RESERVE + pause {
                tracing::info!(contract = %saga.contract.id, %error, "an award goes on in a worker");
                self.hand_over(call, saga.contract.id).await?;
                return if stands {
                    Ok(saga.contract)
                } else {
                    Err(Error::AwardInProgress(saga.contract.id))
                };
            }
            self.store.runtime().pause(pause).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// A worker goes on, from now.
    pub(crate) async fn hand_over(&self, call: &mut Call, id: ContractId) -> Result<(), Error> {
        self.store
            .work(call, async |tx| {
                let now = tx.now();
                tx.schedule(worker::AWARD, id.uuid(), now);
                Ok(())
            })
            .await
    }

    /// Waits for an award that somebody else carries.
    pub(crate) async fn wait_for(&self, call: &mut Call, id: ContractId) -> Result<Contract, Error> {
        let watched = self.store.watched(id.uuid(), 0);
        let mut signal = watched.signal();
        loop {
            let contract = self
                .store
                .read_one(call, async |tx| {
                    contracts::find(tx, id).await?.ok_or(Error::ContractNotFound(id))
                })
                .await?;
            if contract.status != Status::Proposed {
                return verdict(contract);
            }
            if call.time_left() <= RESERVE {
                return Err(Error::AwardInProgress(id));
            }
            signal.wait_at_most(LOOK).await;
        }
    }
}

/// One contract, held until the commit.
pub(crate) async fn held(tx: &mut Tx<'_>, id: ContractId) -> Result<Contract, Error> {
    contracts::lock(tx, id).await?.ok_or(Error::ContractNotFound(id))
}

fn verdict(contract: Contract) -> Result<Contract, Error> {
    match contract.void_reason() {
        Some(reason) => Err(Error::of_void(&contract, reason)),
        None => Ok(contract),
    }
}
