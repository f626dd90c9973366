//! A work and what may happen to it, from publication to its end.

mod decide;
mod news;

use std::{fmt, str::FromStr};

use aex_types::{BidId, ContractId, EvaluationId, Money, TenantId, Timestamp, WorkId};

use super::terms::{Terms, UnknownWord};

pub use self::{
    decide::{Refusal, Release, cancel, close, confirm, give_up, release, reserve, submit},
    news::{News, Outcome, Ranking, bid_received, bid_withdrawn, evaluated, follow, hear, offered},
};

/// Why a work is cancelled.
pub const CONSUMER_REQUESTED: &str = "consumer_requested";
/// Why a work without a valid bid fails.
pub const NO_VALID_BIDS: &str = "no_valid_bids";
/// Why a work that nobody awarded in time fails.
pub const NOT_AWARDED: &str = "not_awarded";

/// How many contracts that came to nothing a work remembers. A question is on its way for seconds, and of the contracts
/// of a work one after the other is made and undone, through several services: not so many of them meanwhile.
pub const REMEMBERED: usize = 64;

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
    /// The contracts that gave it back, or came to nothing before they had it, the last [`REMEMBERED`] of them: what they
    /// still ask for came late.
    pub released: Vec<ContractId>,
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

    /// Can a contract still take it, or will it when another one gives it back?
    const fn may_be_taken(self) -> bool {
        matches!(self, Self::Open | Self::Evaluating | Self::Awarding)
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
    AwardBarred {
        contract_id: ContractId,
        reason: String,
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
                after.remember(contract_id);
            }
            Change::AwardBarred { contract_id, .. }
                if !holds(&contract_id) && before.status.may_be_taken() =>
            {
                after.remember(contract_id);
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

    /// This contract came to nothing.
    fn remember(&mut self, contract_id: ContractId) {
        self.released.insert(0, contract_id);
        self.released.truncate(REMEMBERED);
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
            released: Vec::new(),
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
mod tests;
