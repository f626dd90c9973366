//! The evaluation of a work's bids: made once, from the sealed book, and never changed.

use std::collections::BTreeMap;

use aex_types::{BidId, EvaluationId, ProviderId, TenantId, Timestamp, WorkId};

use super::{
    bid::{Bid, Facts, Standing},
    filter::{self, Reason},
    rank::{self, Ranked},
    terms::Terms,
};

/// The most bids that one evaluation takes: as many as a book holds live.
pub const MOST_BIDS: usize = 1000;

/// The evaluation of a work's bids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Its id.
    pub id: EvaluationId,
    /// Of which work.
    pub work_id: WorkId,
    /// The work's consumer.
    pub consumer_id: TenantId,
    /// Bids that the book ever received.
    pub total_bids: u32,
    /// What came of it.
    pub result: Verdict,
    /// The version of its last event: 1.
    pub version: u64,
    /// When it was made.
    pub create_time: Timestamp,
}

/// What came of an evaluation, with all that is needed to explain and to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the work asked.
    pub terms: Terms,
    /// When the book was sealed. Whether a bid had expired is judged at this moment, whenever the evaluation
    /// is made.
    pub sealed_at: Timestamp,
    /// The best bid is to be awarded without asking the consumer.
    pub auto_award: bool,
    /// The bids that are fit, the best first.
    pub ranked: Vec<Ranked>,
    /// The bids that are not, by the time when they came and then by id.
    pub disqualified: Vec<Disqualified>,
}

/// A bid that is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disqualified {
    /// The bid.
    pub bid: Facts,
    /// Why.
    pub reason: Reason,
}

/// Did an evaluation find a bid?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// At least one bid is fit.
    Evaluated,
    /// There is no bid, or none is fit.
    NoBids,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Evaluated => "EVALUATED",
            Self::NoBids => "NO_BIDS",
        })
    }
}

impl Verdict {
    /// Did it find a bid?
    pub fn status(&self) -> Status {
        if self.ranked.is_empty() {
            Status::NoBids
        } else {
            Status::Evaluated
        }
    }

    /// The best bid.
    pub fn winner(&self) -> Option<&Ranked> {
        self.ranked.first()
    }

    /// Do the stored ranks and scores follow, bit by bit, from the stored facts? An auditor asks this.
    pub fn is_reproducible(&self) -> bool {
        rank::rank(&self.terms, self.ranked.iter().map(|one| one.bid)) == self.ranked
    }
}

/// One thing that happened to an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which evaluation.
    pub evaluation_id: EvaluationId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It was made.
    Evaluated {
        /// Of which work.
        work_id: WorkId,
        /// The work's consumer.
        consumer_id: TenantId,
        /// Bids that the book ever received.
        total_bids: u32,
        /// What came of it.
        result: Verdict,
    },
}

impl Change {
    /// The type of the event, as it is published.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Evaluated { .. } => "bids.evaluated",
        }
    }
}

/// Evaluates the bids of a work.
#[derive(Debug, Clone)]
pub struct Evaluate {
    /// The id of the evaluation, should one be made.
    pub evaluation_id: EvaluationId,
    /// Of which work.
    pub work_id: WorkId,
    /// The work's consumer.
    pub consumer_id: TenantId,
    /// Bids that the book ever received, superseded and withdrawn ones included.
    pub total_bids: u32,
    /// What the work asks.
    pub terms: Terms,
    /// The best bid is to be awarded without asking the consumer.
    pub auto_award: bool,
    /// The final set of live bids, in any order.
    pub bids: Vec<Bid>,
    /// How each bidding provider stands.
    pub standings: BTreeMap<ProviderId, Standing>,
    /// When the book was sealed.
    pub sealed_at: Timestamp,
}

/// Why bids may not be evaluated. Each of them is a fault of the services that were asked, none of the
/// bidders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The book holds more than it may.
    #[error("the book of {work_id} holds {bids} bids and may hold {MOST_BIDS}")]
    TooManyBids {
        /// Of which work.
        work_id: WorkId,
        /// How many it holds.
        bids: usize,
    },
    /// The book names a bid twice.
    #[error("the book of {work_id} names {bid_id} twice")]
    BidTwice {
        /// Of which work.
        work_id: WorkId,
        /// The bid, the one with the smallest id.
        bid_id: BidId,
    },
    /// Nobody said how a bidding provider stands. No score is made up for it: whoever asked for the
    /// evaluation asks again when trust-broker answers.
    #[error("nobody said how {provider_id} stands")]
    StandingMissing {
        /// The provider, the one with the smallest id.
        provider_id: ProviderId,
    },
}

/// Evaluates the bids of a work, once: when the work has an evaluation already, nothing happens.
///
/// The result depends on `command` alone and not on the order of its bids; `now` is only written on the
/// event. Refused when the book holds more than [`MOST_BIDS`], names a bid twice, or when a bidding
/// provider's standing is missing.
pub fn evaluate(
    before: Option<&Evaluation>,
    command: &Evaluate,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    if before.is_some() {
        return Ok(Vec::new());
    }
    let result = judge(command)?;
    Ok(vec![Event {
        evaluation_id: command.evaluation_id,
        version: 1,
        time: now.max(command.sealed_at),
        change: Change::Evaluated {
            work_id: command.work_id,
            consumer_id: command.consumer_id,
            total_bids: command.total_bids,
            result,
        },
    }])
}

fn judge(command: &Evaluate) -> Result<Verdict, Refusal> {
    check_book(command)?;
    let Evaluate {
        terms,
        standings,
        sealed_at,
        auto_award,
        ..
    } = command;
    let mut fit = Vec::with_capacity(command.bids.len());
    let mut disqualified = Vec::new();
    for bid in &command.bids {
        let standing = standings
            .get(&bid.provider_id)
            .ok_or_else(|| missing(command, bid))?;
        let facts = Facts::of(terms, bid, standing);
        match filter::disqualify(terms, bid, standing, *sealed_at) {
            None => fit.push(facts),
            Some(reason) => disqualified.push(Disqualified { bid: facts, reason }),
        }
    }
    disqualified.sort_unstable_by_key(|one| (one.bid.received_at, one.bid.bid_id));
    let ranked = rank::rank(terms, fit);
    Ok(Verdict {
        terms: terms.clone(),
        sealed_at: *sealed_at,
        auto_award: *auto_award,
        ranked,
        disqualified,
    })
}

/// Does the book hold no more bids than it may, and each once?
fn check_book(command: &Evaluate) -> Result<(), Refusal> {
    let (work_id, bids) = (command.work_id, command.bids.len());
    if bids > MOST_BIDS {
        return Err(Refusal::TooManyBids { work_id, bids });
    }
    let mut ids: Vec<_> = command.bids.iter().map(|bid| bid.id).collect();
    ids.sort_unstable();
    match ids.iter().zip(ids.iter().skip(1)).find(|(id, next)| id == next) {
        Some((&bid_id, _)) => Err(Refusal::BidTwice { work_id, bid_id }),
        None => Ok(()),
    }
}

/// Of all bidders whose standing is missing, the one with the smallest id: it does not depend on the order of
/// the bids.
fn missing(command: &Evaluate, found: &Bid) -> Refusal {
    let bidders = command.bids.iter().map(|bid| bid.provider_id);
    let least = bidders
        .filter(|bidder| !command.standings.contains_key(bidder))
        .min();
    Refusal::StandingMissing {
        provider_id: least.unwrap_or(found.provider_id),
    }
}

impl Evaluation {
    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event.version, event.change.clone()) {
            (
                None,
                1,
                Change::Evaluated {
                    work_id,
                    consumer_id,
                    total_bids,
                    result,
                },
            ) => Some(Self {
                id: event.evaluation_id,
                work_id,
                consumer_id,
                total_bids,
                result,
                version: event.version,
                create_time: event.time,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
