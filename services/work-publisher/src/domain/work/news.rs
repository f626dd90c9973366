//! What follows for a work from what happened elsewhere: at the registry, in its book, at the evaluator, to its contract.

use aex_types::{BidId, ContractId, EvaluationId, Money, Timestamp};

use super::{Change, Event, NO_VALID_BIDS, Status, Work, failed};

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
