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

mod decide;
mod words;

use std::time::Duration;

use aex_types::{AgentId, BidId, ContractId, Money, ProviderId, TenantId, Tier, Timestamp, WorkId};

pub use self::{
    decide::{
        Refusal, accept, award, deliver, expire, fail, paid, propose, reject, report, review_ended, start,
        void,
    },
    words::{FailReason, Party, Status, Unknown, VoidReason},
};

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

impl Contract {
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
