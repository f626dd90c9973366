//! A work and what may happen to it, from publication to its end.

use std::{fmt, str::FromStr, time::Duration};

use aex_types::{BidId, ContractId, EvaluationId, Money, TenantId, Timestamp, WorkId};

use super::terms::{Terms, UnknownWord};

/// Why a work is cancelled.
pub const CONSUMER_REQUESTED: &str = "consumer_requested";
/// Why a work without a valid bid fails.
pub const NO_VALID_BIDS: &str = "no_valid_bids";
/// Why a work that nobody awarded in time fails.
pub const NOT_AWARDED: &str = "not_awarded";

/// What a consumer wants done, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Its id.
    pub id: WorkId,
    /// The tenant that wants it.
    pub consumer_id: TenantId,
    /// The consumer belongs to the exchange's own house.
    pub internal: bool,
    /// What it asks for.
    pub terms: Terms,
    /// Where it stands.
    pub status: Status,
    /// Why it failed or was cancelled; empty otherwise.
    pub status_reason: String,
    /// How many providers it was offered to.
    pub providers_notified: u32,
    /// How many live bids it has.
    pub bids_received: u32,
    /// How many bids were found valid, once they are evaluated.
    pub valid_bids: Option<u32>,
    /// The contract that holds it.
    pub contract_id: Option<ContractId>,
    /// The version of its last event.
    pub version: u64,
    /// When it was published.
    pub create_time: Timestamp,
    /// When bidding ends.
    pub close_time: Timestamp,
    /// Until when it is to be awarded, once bidding is over.
    pub award_deadline: Option<Timestamp>,
    /// When it was awarded.
    pub award_time: Option<Timestamp>,
    /// When it was completed, failed or cancelled.
    pub end_time: Option<Timestamp>,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// Where a work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Takes bids.
    Open,
    /// Bidding is over.
    Evaluating,
    /// A contract is being made.
    Awarding,
    /// A contract stands.
    Awarded,
    /// It is being done.
    Executing,
    /// Done, and accepted.
    Completed,
    /// Not done.
    Failed,
    /// Withdrawn.
    Cancelled,
}

impl Status {
    const ALL: [Self; 8] = [
        Self::Open,
        Self::Evaluating,
        Self::Awarding,
        Self::Awarded,
        Self::Executing,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Is it over?
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Can a contract still take it?
    const fn is_free(self) -> bool {
        matches!(self, Self::Open | Self::Evaluating)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "OPEN",
            Self::Evaluating => "EVALUATING",
            Self::Awarding => "AWARDING",
            Self::Awarded => "AWARDED",
            Self::Executing => "EXECUTING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        })
    }
}

impl FromStr for Status {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL
            .into_iter()
            .find(|status| status.to_string() == word)
            .ok_or(UnknownWord)
    }
}

/// One thing that happened to a work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which work.
    pub work_id: WorkId,
    /// Whose.
    pub consumer_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a work.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/work_publisher/v1/event.proto"
)]
pub enum Change {
    Submitted {
        terms: Box<Terms>,
        internal: bool,
        close_time: Timestamp,
    },
    Offered {
        providers_notified: u32,
    },
    BidReceived {
        bid_id: BidId,
        price: Money,
        bids_received: u32,
    },
    BidWithdrawn {
        bid_id: BidId,
        bids_received: u32,
    },
    WindowClosed {
        bid_count: u32,
        close_time: Timestamp,
        auto_award: bool,
        award_deadline: Timestamp,
    },
    Evaluated {
        evaluation_id: EvaluationId,
        winning_bid_id: Option<BidId>,
        valid_bids: u32,
    },
    AwardReserved {
        contract_id: ContractId,
    },
    AwardReleased {
        contract_id: ContractId,
        reason: String,
        status: Status,
    },
    Awarded {
        contract_id: ContractId,
    },
    Executing {
        contract_id: ContractId,
    },
    Completed {
        contract_id: ContractId,
    },
    Failed {
        contract_id: Option<ContractId>,
        reason: String,
    },
    Cancelled {
        reason: String,
        max_price: Money,
        internal: bool,
        close_time: Timestamp,
    },
}

/// Gives a work back.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Release {
    pub work_id: WorkId,
    pub contract_id: ContractId,
    pub reason: String,
    pub is_final: bool,
    pub is_sealed: bool,
}

/// What an evaluation found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the event of the evaluator")]
pub struct Ranking {
    pub evaluation_id: EvaluationId,
    pub winning_bid_id: Option<BidId>,
    pub valid_bids: u32,
}

/// What became of the contract of a work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is being done.
    Executing,
    /// It is done, and accepted.
    Completed,
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Why something may not happen to a work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("work {work_id} is {status} and can no longer be cancelled")]
    NotCancellable { work_id: WorkId, status: Status },
    #[error("work {work_id} is {status}, or held by another contract, and cannot be awarded")]
    NotAwardable { work_id: WorkId, status: Status },
}

/// A work begins open, and its window ends when its terms say so.
pub fn submit(id: WorkId, consumer_id: TenantId, internal: bool, terms: Terms, now: Timestamp) -> Event {
    let close_time = now.saturating_add(terms.bid_window);
    Event {
        work_id: id,
        consumer_id,
        version: 1,
        time: now,
        change: Change::Submitted {
            terms: Box::new(terms),
            internal,
            close_time,
        },
    }
}

/// Bidding ends at the announced moment, however late somebody looks. Work that is not open has nothing to close.
pub fn close(work: &Work, award_time: Duration, now: Timestamp) -> Vec<Event> {
    if work.status != Status::Open || now < work.close_time {
        return Vec::new();
    }
    work.all(vec![work.closed(award_time, now)], now)
}

/// Work that nobody awarded in time fails.
pub fn give_up(work: &Work, now: Timestamp) -> Vec<Event> {
    let is_late = work.award_deadline.is_some_and(|deadline| deadline <= now);
    if work.status == Status::Evaluating && is_late {
        work.all(vec![failed(None, NOT_AWARDED)], now)
    } else {
        Vec::new()
    }
}

/// Work can be withdrawn until a contract takes it.
pub fn cancel(work: &Work, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if !work.status.is_free() {
        return Err(Refusal::NotCancellable {
            work_id: work.id,
            status: work.status,
        });
    }
    let change = Change::Cancelled {
        reason: CONSUMER_REQUESTED.to_owned(),
        max_price: work.terms.max_price,
        internal: work.internal,
        close_time: work.close_time,
    };
    Ok(work.all(vec![change], now))
}

/// One contract at a time takes a work; the one that has it may ask again.
pub fn reserve(work: &Work, contract_id: ContractId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if work.status.is_free() {
        Ok(work.all(vec![Change::AwardReserved { contract_id }], now))
    } else if work.is_held_by(contract_id) {
        Ok(Vec::new())
    } else {
        Err(work.not_awardable())
    }
}

/// The contract that has the work stands. Late, when the work is further already, it changes nothing.
pub fn confirm(work: &Work, contract_id: ContractId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match work.status {
        Status::Awarding if work.contract_id == Some(contract_id) => {
            Ok(work.all(vec![Change::Awarded { contract_id }], now))
        }
        _ if work.is_held_by(contract_id) => Ok(Vec::new()),
        _ => Err(work.not_awardable()),
    }
}

/// A contract that came to nothing gives its work back: open again while bids can still come, else to be evaluated
/// with the deadline that it had; for good when the reason is final or there is no valid bid.
pub fn release(work: &Work, command: &Release, award_time: Duration, now: Timestamp) -> Vec<Event> {
    if work.status != Status::Awarding || work.contract_id != Some(command.contract_id) {
        return Vec::new();
    }
    if command.is_final {
        return work.all(vec![failed(None, &command.reason)], now);
    }
    if work.valid_bids == Some(0) {
        return work.all(vec![failed(None, NO_VALID_BIDS)], now);
    }
    let takes_bids = work.award_deadline.is_none() && !command.is_sealed && now < work.close_time;
    let released = |status| Change::AwardReleased {
        contract_id: command.contract_id,
        reason: command.reason.clone(),
        status,
    };
    let changes = if takes_bids {
        vec![released(Status::Open)]
    } else if work.award_deadline.is_none() {
        // Its window ended while the contract had it; whoever waits for that hears of it now.
        vec![released(Status::Evaluating), work.closed(award_time, now)]
    } else {
        vec![released(Status::Evaluating)]
    };
    work.all(changes, now)
}

/// The registry showed the work to providers.
pub fn offered(work: &Work, providers_notified: u32, now: Timestamp) -> Vec<Event> {
    if work.status.is_over() || work.providers_notified == providers_notified {
        return Vec::new();
    }
    work.all(vec![Change::Offered { providers_notified }], now)
}

/// A bid came; one that replaces another does not add to the count.
pub fn bid_received(work: &Work, bid_id: BidId, price: Money, replaces: bool, now: Timestamp) -> Vec<Event> {
    if work.status.is_over() {
        return Vec::new();
    }
    let bids_received = work.bids_received.saturating_add(u32::from(!replaces));
    let change = Change::BidReceived {
        bid_id,
        price,
        bids_received,
    };
    work.all(vec![change], now)
}

/// A bid went.
pub fn bid_withdrawn(work: &Work, bid_id: BidId, now: Timestamp) -> Vec<Event> {
    if work.status.is_over() {
        return Vec::new();
    }
    let bids_received = work.bids_received.saturating_sub(1);
    work.all(
        vec![Change::BidWithdrawn {
            bid_id,
            bids_received,
        }],
        now,
    )
}

/// The bids are ranked, once. Without a valid bid the work fails, unless a contract has it: then when that gives it back.
pub fn evaluated(work: &Work, ranking: Ranking, now: Timestamp) -> Vec<Event> {
    if work.status.is_over() || work.valid_bids.is_some() {
        return Vec::new();
    }
    let mut changes = vec![Change::Evaluated {
        evaluation_id: ranking.evaluation_id,
        winning_bid_id: ranking.winning_bid_id,
        valid_bids: ranking.valid_bids,
    }];
    if ranking.valid_bids == 0 && work.status.is_free() {
        changes.push(failed(None, NO_VALID_BIDS));
    }
    work.all(changes, now)
}

/// What became of the contract. A work only moves forward and may skip; another contract's news is not its own.
pub fn follow(work: &Work, contract_id: ContractId, outcome: &Outcome, now: Timestamp) -> Vec<Event> {
    if !work.is_held_by(contract_id) || work.status.is_over() {
        return Vec::new();
    }
    let change = match outcome {
        Outcome::Executing if work.status == Status::Executing => return Vec::new(),
        Outcome::Executing => Change::Executing { contract_id },
        Outcome::Completed => Change::Completed { contract_id },
        Outcome::Failed { reason } => failed(Some(contract_id), reason),
    };
    work.all(vec![change], now)
}

/// What happened elsewhere, as far as it concerns a work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The registry showed it to so many providers.
    Offered(u32),
    /// A bid came.
    BidReceived {
        /// Which.
        bid_id: BidId,
        /// At which price.
        price: Money,
        /// It took the place of an earlier one.
        replaces: bool,
    },
    /// A bid went.
    BidWithdrawn(BidId),
    /// The bids are ranked.
    Evaluated(Ranking),
    /// Its contract went on.
    Contract(ContractId, Outcome),
}

/// What follows for the work from what happened elsewhere.
pub fn hear(work: &Work, news: &News, now: Timestamp) -> Vec<Event> {
    match news {
        News::Offered(providers) => offered(work, *providers, now),
        News::BidReceived {
            bid_id,
            price,
            replaces,
        } => bid_received(work, *bid_id, *price, *replaces, now),
        News::BidWithdrawn(bid_id) => bid_withdrawn(work, *bid_id, now),
        News::Evaluated(ranking) => evaluated(work, *ranking, now),
        News::Contract(contract_id, outcome) => follow(work, *contract_id, outcome, now),
    }
}

fn failed(contract_id: Option<ContractId>, reason: &str) -> Change {
    Change::Failed {
        contract_id,
        reason: reason.to_owned(),
    }
}

impl Work {
    fn is_held_by(&self, contract_id: ContractId) -> bool {
        !self.status.is_free() && self.contract_id == Some(contract_id)
    }

    const fn not_awardable(&self) -> Refusal {
        Refusal::NotAwardable {
            work_id: self.id,
            status: self.status,
        }
    }

    fn closed(&self, award_time: Duration, now: Timestamp) -> Change {
        Change::WindowClosed {
            bid_count: self.bids_received,
            close_time: self.close_time,
            auto_award: self.terms.auto_award,
            award_deadline: now.max(self.update_time).saturating_add(award_time),
        }
    }

    /// The next events: one version on each, and never earlier than the one before.
    fn all(&self, changes: Vec<Change>, now: Timestamp) -> Vec<Event> {
        let versions = self.version + 1..;
        let event = |(version, change)| Event {
            work_id: self.id,
            consumer_id: self.consumer_id,
            version,
            time: now.max(self.update_time),
            change,
        };
        versions.zip(changes).map(event).collect()
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let Some(before) = before else {
            return Self::begun(event);
        };
        if event.version != before.version + 1 || event.work_id != before.id || before.status.is_over() {
            return None;
        }
        let holds = |contract: &ContractId| before.is_held_by(*contract);
        let mut after = Self {
            version: event.version,
            update_time: event.time,
            ..before.clone()
        };
        match event.change.clone() {
            Change::Offered { providers_notified } => after.providers_notified = providers_notified,
            Change::BidReceived { bids_received, .. } | Change::BidWithdrawn { bids_received, .. } => {
                after.bids_received = bids_received;
            }
            Change::WindowClosed { award_deadline, .. } if before.status.is_free() => {
                after.status = Status::Evaluating;
                after.award_deadline = Some(award_deadline);
            }
            Change::Evaluated { valid_bids, .. } => after.valid_bids = Some(valid_bids),
            Change::AwardReserved { contract_id } if before.status.is_free() => {
                after.status = Status::Awarding;
                after.contract_id = Some(contract_id);
            }
            Change::AwardReleased {
                contract_id, status, ..
            } if holds(&contract_id) && before.status == Status::Awarding && status.is_free() => {
                after.status = status;
                after.contract_id = None;
            }
            Change::Awarded { contract_id } if holds(&contract_id) && before.status == Status::Awarding => {
                after.goes_on(Status::Awarded, event.time);
            }
            Change::Executing { contract_id } if holds(&contract_id) => {
                after.goes_on(Status::Executing, event.time);
            }
            Change::Completed { contract_id } if holds(&contract_id) => {
                after.goes_on(Status::Completed, event.time);
                after.end_time = Some(event.time);
            }
            Change::Failed { contract_id, reason } => {
                match contract_id {
                    Some(contract_id) if holds(&contract_id) => after.goes_on(Status::Failed, event.time),
                    Some(_) => return None,
                    None => (after.status, after.contract_id) = (Status::Failed, None),
                }
                after.status_reason = reason;
                after.end_time = Some(event.time);
            }
            Change::Cancelled { reason, .. } if before.status.is_free() => {
                after.status = Status::Cancelled;
                after.status_reason = reason;
                after.end_time = Some(event.time);
            }
            _ => return None,
        }
        Some(after)
    }

    /// On with the contract: whatever was skipped, it is awarded since now at the latest.
    fn goes_on(&mut self, status: Status, time: Timestamp) {
        self.status = status;
        self.award_time.get_or_insert(time);
    }

    fn begun(event: &Event) -> Option<Self> {
        let Change::Submitted {
            terms,
            internal,
            close_time,
        } = event.change.clone()
        else {
            return None;
        };
        (event.version == 1).then_some(Self {
            id: event.work_id,
            consumer_id: event.consumer_id,
            internal,
            terms: *terms,
            status: Status::Open,
            status_reason: String::new(),
            providers_notified: 0,
            bids_received: 0,
            valid_bids: None,
            contract_id: None,
            version: event.version,
            create_time: event.time,
            close_time,
            award_deadline: None,
            award_time: None,
            end_time: None,
            update_time: event.time,
        })
    }
}

#[cfg(test)]
mod tests {
    use aex_types::{Amount, Currency};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::terms::{Constraints, Strategy, Verification};

    const AWARD: Duration = Duration::from_secs(100);

    fn terms() -> Terms {
        Terms {
            category: "vision".parse().unwrap(),
            description: "Tell the digit.".parse().unwrap(),
            max_price: Money {
                currency: Currency::USD,
                amount: Amount::from_micros(1).unwrap(),
            },
            bid_strategy: Strategy::Balanced,
            constraints: Constraints::default(),
            payload: None,
            payload_preview: String::new(),
            auto_award: false,
            verification: Verification::None,
            review_time: AWARD,
            dispute_window: AWARD,
            contract_duration: AWARD,
            bid_window: Duration::from_secs(30),
        }
    }

    fn work() -> Work {
        let event = submit(
            Uuid::from_u128(1).into(),
            Uuid::from_u128(2).into(),
            false,
            terms(),
            Timestamp::EPOCH,
        );
        Work::after(None, &event).unwrap()
    }

    fn contract(number: u8) -> ContractId {
        Uuid::from_u128(u128::from(number)).into()
    }

    fn attempt(work: &Work, step: u8, which: u8, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let (contract_id, bid_id) = (contract(which), Uuid::from_u128(u128::from(which)).into());
        let release_with = |is_final, is_sealed| Release {
            work_id: work.id,
            contract_id,
            reason: "bid_changed".to_owned(),
            is_final,
            is_sealed,
        };
        let ranking = |valid_bids| Ranking {
            evaluation_id: Uuid::from_u128(9).into(),
            winning_bid_id: (valid_bids > 0).then_some(bid_id),
            valid_bids,
        };
        let failure = Outcome::Failed {
            reason: "expired".to_owned(),
        };
        Ok(match step {
            0 => return cancel(work, now),
            1..=3 => return reserve(work, contract_id, now),
            4 => return confirm(work, contract_id, now),
            5 => release(work, &release_with(false, false), AWARD, now),
            6 => release(work, &release_with(false, true), AWARD, now),
            7 => release(work, &release_with(which == 0, false), AWARD, now),
            8 => close(work, AWARD, now),
            9 => give_up(work, now),
            10 => hear(work, &News::Evaluated(ranking(which.into())), now),
            11 => follow(work, contract_id, &Outcome::Executing, now),
            12 => follow(work, contract_id, &Outcome::Completed, now),
            13 => follow(work, contract_id, &failure, now),
            14 => bid_received(work, bid_id, work.terms.max_price, which == 0, now),
            15 => bid_withdrawn(work, bid_id, now),
            _ => offered(work, which.into(), now),
        })
    }

    fn rank(status: Status) -> u8 {
        match status {
            Status::Open => 0,
            Status::Evaluating => 1,
            Status::Awarding => 2,
            Status::Awarded => 3,
            Status::Executing => 4,
            Status::Completed | Status::Failed | Status::Cancelled => 5,
        }
    }

    proptest! {
        /// Every way through the states: what is over stays as it is, a contract that stands is never lost to another,
        /// work only goes back when its contract gives it back, never to open once its window is closed; whoever asks
        /// for what the work already is gets no event; and folding all events again gives the same work.
        #[test]
        fn a_work_reaches_no_illegal_state(
            steps in prop::collection::vec((0..17_u8, 0..3_u8, 0..20_u64), 0..60)
        ) {
            let mut live = work();
            let first = live.clone();
            let mut events = Vec::new();
            let mut now = Timestamp::EPOCH;
            for (step, which, seconds) in steps {
                now = now.saturating_add(Duration::from_secs(seconds));
                let before = live.clone();
                let Ok(decided) = attempt(&live, step, which, now) else {
                    continue;
                };
                prop_assert!(decided.is_empty() || !before.status.is_over());
                for event in decided {
                    prop_assert_eq!(event.version, live.version + 1);
                    prop_assert!(event.time >= live.update_time);
                    live = Work::after(Some(live), &event).unwrap();
                    events.push(event);
                }
                if rank(live.status) < rank(before.status) {
                    prop_assert_eq!(before.status, Status::Awarding);
                    prop_assert!((5..=7).contains(&step));
                    prop_assert_eq!(before.contract_id, Some(contract(which)));
                    prop_assert_eq!(live.contract_id, None);
                }
                if before.award_deadline.is_some() {
                    prop_assert!(live.status != Status::Open);
                    prop_assert_eq!(live.award_deadline, before.award_deadline);
                }
                if before.award_time.is_some() {
                    prop_assert_eq!(live.contract_id, before.contract_id);
                }
                let holds = matches!(
                    live.status,
                    Status::Awarding | Status::Awarded | Status::Executing | Status::Completed
                );
                prop_assert!(!holds || live.contract_id.is_some());
                prop_assert!(live.status != Status::Evaluating || live.award_deadline.is_some());
                prop_assert_eq!(live.end_time.is_some(), live.status.is_over());
            }
            let replayed = events.iter().try_fold(first, |before, event| Work::after(Some(before), event));
            prop_assert_eq!(replayed, Some(live));
        }
    }

    #[test]
    fn an_event_that_skips_a_version_or_a_state_does_not_fold() {
        let work = work();
        let mut skips = cancel(&work, Timestamp::EPOCH).unwrap().remove(0);
        skips.version += 1;
        assert_eq!(Work::after(Some(work.clone()), &skips), None);
        let awarded = Event {
            version: 2,
            change: Change::Awarded {
                contract_id: contract(1),
            },
            ..skips
        };
        assert_eq!(Work::after(Some(work), &awarded), None);
    }
}
