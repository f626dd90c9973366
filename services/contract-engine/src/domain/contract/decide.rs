//! What may happen to a contract: each function answers the events of one step, or refuses it.

use std::time::Duration;

use aex_types::{ContractId, Text, Tier, Timestamp};

use super::{Change, Contract, Delivery, Event, FailReason, MESSAGE_LIMIT, Party, Status, Terms, VoidReason};

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
    // Where the exchange awards by itself there is nobody who would deposit, or do something else, and try again.
    let is_final = contract.terms.attempt.is_some() && reason.is_of_the_money();
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

    /// The next event: one version on, and never earlier than the one before.
    fn next(&self, change: Change, now: Timestamp) -> Event {
        Event {
            contract_id: self.id,
            version: self.version + 1,
            time: now.max(self.update_time),
            change,
        }
    }
}
