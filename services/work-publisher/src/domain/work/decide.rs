//! What its consumer, its contract and time may do to a work: each function answers the events of one step, or refuses
//! it.

use std::time::Duration;

use aex_types::{ContractId, TenantId, Timestamp, WorkId};

use super::{CONSUMER_REQUESTED, Change, Event, NO_VALID_BIDS, NOT_AWARDED, Status, Terms, Work, failed};

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

/// One contract at a time takes a work; the one that has it may ask again. One that was released asks too late: it came to
/// nothing, and nobody would give the work back a second time.
pub fn reserve(work: &Work, contract_id: ContractId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if work.released.contains(&contract_id) {
        Err(work.not_awardable())
    } else if work.status.is_free() {
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
/// with the deadline that it had; for good when the reason is final or there is no valid bid. Whether it has the work at all
/// it need not know: where it does not, its question for it may still be on its way, and must not take it then.
pub fn release(work: &Work, command: &Release, award_time: Duration, now: Timestamp) -> Vec<Event> {
    if work.status != Status::Awarding || work.contract_id != Some(command.contract_id) {
        return bar(work, command, now);
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

/// What never goes back, or is over, needs no bar: nobody takes it any more.
fn bar(work: &Work, command: &Release, now: Timestamp) -> Vec<Event> {
    if !work.status.may_be_taken() || work.released.contains(&command.contract_id) {
        return Vec::new();
    }
    let barred = Change::AwardBarred {
        contract_id: command.contract_id,
        reason: command.reason.clone(),
    };
    work.all(vec![barred], now)
}

impl Work {
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
}
