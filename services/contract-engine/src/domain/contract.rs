//! A contract and what may happen to it.
//!
//! | from | to | by |
//! |---|---|---|
//! | PROPOSED | AWARDED, VOID | the award |
//! | AWARDED | EXECUTING | provider |
//! | AWARDED, EXECUTING | VERIFICATION_PENDING | provider delivers, where the consumer confirms |
//! | AWARDED, EXECUTING | COMPLETED | provider delivers, where nobody confirms |
//! | AWARDED, EXECUTING | FAILED | either side |
//! | AWARDED, EXECUTING | EXPIRED | time |
//! | VERIFICATION_PENDING | COMPLETED | consumer accepts, or time |
//! | VERIFICATION_PENDING | FAILED | consumer rejects |
//! | COMPLETED | SETTLED | settlement has paid |

use std::{fmt, str::FromStr, time::Duration};

use aex_types::{AgentId, BidId, ContractId, Money, ProviderId, TenantId, Text, Tier, Timestamp, WorkId};

/// Bytes of a message about progress, of a reason that a party gives, and of a rejection.
pub const MESSAGE_LIMIT: usize = 500;

/// What a contract is made of; it never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The work.
    pub work_id: WorkId,
    /// The bid.
    pub bid_id: BidId,
    /// The revision of the bid that was seen.
    pub bid_revision: u32,
    /// Until when the bid stands.
    pub bid_expire_time: Timestamp,
    /// The tenant that buys.
    pub consumer_id: TenantId,
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that sells.
    pub provider_tenant_id: TenantId,
    /// The agent, when it is said.
    pub agent_id: Option<AgentId>,
    /// The category of the work.
    pub category: String,
    /// The price of the bid.
    pub price: Money,
    /// Where the agent is reached.
    pub endpoint: String,
    /// The consumer accepts or rejects the result; otherwise the provider's word is taken.
    pub confirm_outcome: bool,
    /// How long the consumer may take for that; silence accepts.
    pub review_time: Duration,
    /// How long the outcome may be disputed; `None` means settlement's default.
    pub dispute_window: Option<Duration>,
    /// Fields that a JSON result must have.
    pub required_fields: Vec<String>,
    /// Until when it is to be delivered.
    pub expire_time: Timestamp,
    /// Which of the best bids the exchange tries by itself, from 1; `None` when the consumer named the bid.
    pub attempt: Option<u32>,
    /// The work wants the best bid to win by itself.
    pub work_auto_award: bool,
}

/// Where a contract stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "as in aex/contract_engine/v1/contract.proto")]
pub enum Status {
    Proposed,
    Awarded,
    Void,
    Executing,
    VerificationPending,
    Completed,
    Settled,
    Failed,
    Expired,
}

/// A text that is no status, or no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not known")]
pub struct Unknown;

impl Status {
    /// Every status.
    pub const ALL: [Self; 9] = [
        Self::Proposed,
        Self::Awarded,
        Self::Void,
        Self::Executing,
        Self::VerificationPending,
        Self::Completed,
        Self::Settled,
        Self::Failed,
        Self::Expired,
    ];

    /// The name, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "PROPOSED",
            Self::Awarded => "AWARDED",
            Self::Void => "VOID",
            Self::Executing => "EXECUTING",
            Self::VerificationPending => "VERIFICATION_PENDING",
            Self::Completed => "COMPLETED",
            Self::Settled => "SETTLED",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }

    /// May the provider still deliver?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Awarded | Self::Executing)
    }

    /// Do the two parties still deal with each other?
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Awarded | Self::Executing | Self::VerificationPending)
    }

    /// Is there nothing that could still happen?
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Void | Self::Settled | Self::Failed | Self::Expired)
    }

    /// Does the provider know of it? Of an award that is not decided, or came to nothing, it does not.
    pub const fn is_known_to_provider(self) -> bool {
        !matches!(self, Self::Proposed | Self::Void)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}

/// Why an award came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VoidReason {
    /// There is no such work any more.
    WorkNotFound,
    /// The work is cancelled, over, or held by another contract.
    WorkNotAwardable,
    /// The bid is disqualified or withdrawn.
    BidNotRanked,
    /// The provider has replaced the bid.
    BidChanged,
    /// The consumer cannot pay.
    InsufficientFunds,
    /// So much time went by that the provider could not deliver any more.
    TooLate,
}

impl VoidReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::WorkNotFound,
        Self::WorkNotAwardable,
        Self::BidNotRanked,
        Self::BidChanged,
        Self::InsufficientFunds,
        Self::TooLate,
    ];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkNotFound => "work_not_found",
            Self::WorkNotAwardable => "work_not_awardable",
            Self::BidNotRanked => "bid_not_ranked",
            Self::BidChanged => "bid_changed",
            Self::InsufficientFunds => "insufficient_funds",
            Self::TooLate => "too_late",
        }
    }

    /// Is it because of the bid, so that another bid may do?
    pub const fn is_of_the_bid(self) -> bool {
        matches!(self, Self::BidNotRanked | Self::BidChanged)
    }
}

impl FromStr for VoidReason {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}

/// One side of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Party {
    /// The tenant that buys.
    Consumer,
    /// The tenant that sells.
    Provider,
}

/// Why a contract failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailReason {
    /// The consumer rejected what was delivered.
    RejectedByConsumer,
    /// The provider said that it could not do it.
    ProviderReportedFailure,
    /// The provider gave it up.
    FailedByProvider,
    /// The consumer gave it up.
    FailedByConsumer,
}

impl FailReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::RejectedByConsumer,
        Self::ProviderReportedFailure,
        Self::FailedByProvider,
        Self::FailedByConsumer,
    ];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RejectedByConsumer => "rejected_by_consumer",
            Self::ProviderReportedFailure => "provider_reported_failure",
            Self::FailedByProvider => "failed_by_provider",
            Self::FailedByConsumer => "failed_by_consumer",
        }
    }

    /// Who says so.
    pub const fn said_by(self) -> Party {
        match self {
            Self::RejectedByConsumer | Self::FailedByConsumer => Party::Consumer,
            Self::ProviderReportedFailure | Self::FailedByProvider => Party::Provider,
        }
    }

    /// Whose failure it is: a rejection counts as the provider's.
    pub const fn fault(self) -> Party {
        match self {
            Self::FailedByConsumer => Party::Consumer,
            Self::RejectedByConsumer | Self::ProviderReportedFailure | Self::FailedByProvider => {
                Party::Provider
            }
        }
    }
}

impl FromStr for FailReason {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or(Unknown)
    }
}

/// What was delivered, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// In words; empty when nothing is said.
    pub summary: String,
    /// What it is, when there is anything.
    pub content: Option<Content>,
}

/// What a result is, without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its media type; empty when it is not said.
    pub media_type: String,
    /// Its size.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// Where it is kept; `None` means here.
    pub location: Option<String>,
}

/// One provider does one work for one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// What it is made of.
    pub terms: Terms,
    /// Where it stands.
    pub status: Status,
    /// Why it is void or failed; empty otherwise.
    pub reason: String,
    /// What a party said about it last.
    pub message: String,
    /// The book was sealed when it came to nothing.
    pub sealed: bool,
    /// The work fails with it.
    pub is_final: bool,
    /// The provider's tier at the evaluation; known from the award on.
    pub tier: Option<Tier>,
    /// How far it is, from 0 to 100.
    pub progress: u32,
    /// What was delivered.
    pub result: Option<Delivery>,
    /// Until when it is to be accepted or rejected.
    pub review_deadline: Option<Timestamp>,
    /// Before this the money of a rejected contract stays in escrow.
    pub release_not_before: Option<Timestamp>,
    /// The version of its last event.
    pub version: u64,
    /// When it was proposed.
    pub create_time: Timestamp,
    /// When it was awarded.
    pub award_time: Option<Timestamp>,
    /// When it was started.
    pub start_time: Option<Timestamp>,
    /// When it was delivered.
    pub deliver_time: Option<Timestamp>,
    /// When it was completed, failed, expired or void.
    pub end_time: Option<Timestamp>,
    /// When it was paid.
    pub settle_time: Option<Timestamp>,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// One thing that happened to a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which contract.
    pub contract_id: ContractId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/contract_engine/v1/event.proto"
)]
pub enum Change {
    Proposed(Box<Terms>),
    Awarded {
        tier: Tier,
    },
    Void {
        reason: VoidReason,
        sealed: bool,
        is_final: bool,
    },
    Executing,
    Progress {
        percent: u32,
        message: String,
    },
    Delivered {
        result: Delivery,
        review_deadline: Timestamp,
    },
    /// `by` is `None` when time accepted; `result` stands only where it was not delivered before.
    Completed {
        by: Option<Party>,
        result: Option<Delivery>,
    },
    Paid,
    Failed {
        reason: FailReason,
        message: String,
        release_not_before: Option<Timestamp>,
    },
    Expired,
}

/// Why something may not happen to a contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("contract {contract_id} is {status}")]
    StatusInvalid { contract_id: ContractId, status: Status },
    #[error("the time of contract {contract_id} ran out at {time}")]
    Late {
        contract_id: ContractId,
        status: Status,
        time: Timestamp,
    },
}

/// A contract begins proposed.
pub fn propose(id: ContractId, terms: Terms, now: Timestamp) -> Event {
    Event {
        contract_id: id,
        version: 1,
        time: now,
        change: Change::Proposed(Box::new(terms)),
    }
}

/// A proposed contract is awarded when the money is held.
pub fn award(contract: &Contract, tier: Tier, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status == Status::Proposed)?;
    Ok(vec![contract.next(Change::Awarded { tier }, now)])
}

/// A proposed contract can come to nothing; a contract that stands cannot.
pub fn void(
    contract: &Contract,
    reason: VoidReason,
    sealed: bool,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status == Status::Proposed)?;
    // Where the exchange awards by itself there is nobody who would deposit and try again.
    let is_final = contract.terms.attempt.is_some() && reason == VoidReason::InsufficientFunds;
    Ok(vec![contract.next(
        Change::Void {
            reason,
            sealed,
            is_final,
        },
        now,
    )])
}

/// The provider begins.
pub fn start(contract: &Contract, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status == Status::Awarded)?;
    contract.in_time(now)?;
    Ok(vec![contract.next(Change::Executing, now)])
}

/// The provider says how far it is; the first report begins the work. `percent` is at most 100.
pub fn report(
    contract: &Contract,
    percent: u32,
    message: String,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status.is_open())?;
    contract.in_time(now)?;
    let percent = percent.min(100);
    let progress = Change::Progress { percent, message };
    if contract.status == Status::Executing {
        return Ok(vec![contract.next(progress, now)]);
    }
    let started = contract.next(Change::Executing, now);
    let reported = Event {
        version: started.version + 1,
        change: progress,
        ..started.clone()
    };
    Ok(vec![started, reported])
}

/// The provider delivers. The consumer reviews it, where the work asks for that.
pub fn deliver(contract: &Contract, result: Delivery, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status.is_open())?;
    contract.in_time(now)?;
    let change = if contract.terms.confirm_outcome {
        let now = now.max(contract.update_time);
        Change::Delivered {
            result,
            review_deadline: now.saturating_add(contract.terms.review_time),
        }
    } else {
        Change::Completed {
            by: Some(Party::Provider),
            result: Some(result),
        }
    };
    Ok(vec![contract.next(change, now)])
}

/// The consumer accepts. After the deadline too: silence would have done the same.
pub fn accept(contract: &Contract, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status == Status::VerificationPending)?;
    let by = Some(Party::Consumer);
    Ok(vec![contract.next(Change::Completed { by, result: None }, now)])
}

/// The review time is over: silence accepts. Nothing happens before that, or when it is decided already.
pub fn review_ended(contract: &Contract, now: Timestamp) -> Vec<Event> {
    let is_over = contract.review_deadline.is_some_and(|deadline| deadline <= now);
    if contract.status != Status::VerificationPending || !is_over {
        return Vec::new();
    }
    vec![contract.next(
        Change::Completed {
            by: None,
            result: None,
        },
        now,
    )]
}

/// The consumer rejects, until the deadline. The money stays in escrow for the dispute window, or for `default_window`.
pub fn reject(
    contract: &Contract,
    message: &Text<MESSAGE_LIMIT>,
    default_window: Duration,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let status = contract.status;
    contract.expect(status == Status::VerificationPending)?;
    if let Some(time) = contract.review_deadline.filter(|deadline| *deadline <= now) {
        return Err(Refusal::Late {
            contract_id: contract.id,
            status,
            time,
        });
    }
    let window = contract.terms.dispute_window.unwrap_or(default_window);
    let release_not_before = Some(now.max(contract.update_time).saturating_add(window));
    Ok(vec![contract.next(
        Change::Failed {
            reason: FailReason::RejectedByConsumer,
            message: message.to_string(),
            release_not_before,
        },
        now,
    )])
}

/// A contract that stands and is not delivered is given up.
pub fn fail(
    contract: &Contract,
    reason: FailReason,
    message: String,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status.is_open())?;
    contract.in_time(now)?;
    Ok(vec![contract.next(
        Change::Failed {
            reason,
            message,
            release_not_before: None,
        },
        now,
    )])
}

/// The time to deliver is over. Nothing happens before that, or when it was delivered or given up.
pub fn expire(contract: &Contract, now: Timestamp) -> Vec<Event> {
    if contract.status.is_open() && contract.terms.expire_time <= now {
        vec![contract.next(Change::Expired, now)]
    } else {
        Vec::new()
    }
}

/// Settlement has paid.
pub fn paid(contract: &Contract, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    contract.expect(contract.status == Status::Completed)?;
    Ok(vec![contract.next(Change::Paid, now)])
}

impl Contract {
    fn expect(&self, is_right: bool) -> Result<(), Refusal> {
        if is_right {
            return Ok(());
        }
        Err(Refusal::StatusInvalid {
            contract_id: self.id,
            status: self.status,
        })
    }

    /// The stored deadline decides, not the moment when its timer ran.
    fn in_time(&self, now: Timestamp) -> Result<(), Refusal> {
        if now < self.terms.expire_time {
            return Ok(());
        }
        Err(Refusal::Late {
            contract_id: self.id,
            status: self.status,
            time: self.terms.expire_time,
        })
    }

    /// Why the award came to nothing; `None` when it did not.
    pub fn void_reason(&self) -> Option<VoidReason> {
        (self.status == Status::Void)
            .then(|| self.reason.parse().ok())
            .flatten()
    }

    /// Until when the two parties may still deal with each other.
    pub fn live_until(&self) -> Timestamp {
        self.review_deadline.map_or(self.terms.expire_time, |review| {
            review.max(self.terms.expire_time)
        })
    }

    /// The next event: one version on, and never earlier than the one before.
    fn next(&self, change: Change, now: Timestamp) -> Event {
        Event {
            contract_id: self.id,
            version: self.version + 1,
            time: now.max(self.update_time),
            change,
        }
    }

    fn proposed(event: &Event, terms: Terms) -> Self {
        Self {
            id: event.contract_id,
            terms,
            status: Status::Proposed,
            reason: String::new(),
            message: String::new(),
            sealed: false,
            is_final: false,
            tier: None,
            progress: 0,
            result: None,
            review_deadline: None,
            release_not_before: None,
            version: event.version,
            create_time: event.time,
            award_time: None,
            start_time: None,
            deliver_time: None,
            end_time: None,
            settle_time: None,
            update_time: event.time,
        }
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let Some(before) = before else {
            return match (event.version, event.change.clone()) {
                (1, Change::Proposed(terms)) => Some(Self::proposed(event, *terms)),
                _ => None,
            };
        };
        if event.version != before.version + 1 || event.contract_id != before.id {
            return None;
        }
        let from = before.status;
        let mut after = Self {
            version: event.version,
            update_time: event.time,
            ..before
        };
        after.change(from, event).then_some(after)
    }

    /// Applies a change; `false` when it does not follow from the status.
    fn change(&mut self, from: Status, event: &Event) -> bool {
        let at = Some(event.time);
        match event.change.clone() {
            Change::Awarded { tier } if from == Status::Proposed => {
                self.status = Status::Awarded;
                (self.tier, self.award_time) = (Some(tier), at);
            }
            Change::Void {
                reason,
                sealed,
                is_final,
            } if from == Status::Proposed => {
                self.status = Status::Void;
                reason.as_str().clone_into(&mut self.reason);
                (self.sealed, self.is_final, self.end_time) = (sealed, is_final, at);
            }
            Change::Executing if from == Status::Awarded => {
                (self.status, self.start_time) = (Status::Executing, at);
            }
            Change::Progress { percent, message } if from == Status::Executing => {
                (self.progress, self.message) = (percent, message);
            }
            Change::Delivered {
                result,
                review_deadline,
            } if from.is_open() => {
                self.status = Status::VerificationPending;
                (self.result, self.review_deadline) = (Some(result), Some(review_deadline));
                self.deliver_time = at;
            }
            Change::Completed {
                result: Some(result), ..
            } if from.is_open() => {
                self.status = Status::Completed;
                (self.result, self.deliver_time, self.end_time) = (Some(result), at, at);
            }
            Change::Completed { result: None, .. } if from == Status::VerificationPending => {
                (self.status, self.end_time) = (Status::Completed, at);
            }
            Change::Paid if from == Status::Completed => {
                (self.status, self.settle_time) = (Status::Settled, at);
            }
            Change::Failed {
                reason,
                message,
                release_not_before,
            } if from.is_open()
                || (from == Status::VerificationPending && reason == FailReason::RejectedByConsumer) =>
            {
                self.status = Status::Failed;
                reason.as_str().clone_into(&mut self.reason);
                (self.message, self.release_not_before, self.end_time) = (message, release_not_before, at);
            }
            Change::Expired if from.is_open() => {
                (self.status, self.end_time) = (Status::Expired, at);
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests;
