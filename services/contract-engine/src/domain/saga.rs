//! What an award does next.
//!
//! The award of a work goes through other services, so it is made of steps that can each be done twice. [`next`] decides
//! the next one from the contract as it is stored and from what is known since; who comes back after a crash knows
//! nothing and begins again, which is harmless. Only a definite refusal makes an award come to nothing: a service that
//! is away, slow or broken is asked again.

use aex_types::{BidId, Money, ProviderId, Tier, Timestamp};

use super::contract::{Contract, Status, Terms, VoidReason};

/// The most bids that an automatic award tries.
pub const ATTEMPTS: usize = 3;

/// A bid in the ranking, as far as an award needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedBid {
    /// The bid.
    pub bid_id: BidId,
    /// Its provider.
    pub provider_id: ProviderId,
    /// The revision that was ranked.
    pub revision: u32,
    /// Its price.
    pub price: Money,
    /// The tier of its provider at the evaluation.
    pub tier: Tier,
}

/// What the evaluation says, as far as an award needs it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranking {
    /// The valid bids, best first.
    pub ranked: Vec<RankedBid>,
    /// The bids that are not valid, with their providers.
    pub disqualified: Vec<(BidId, ProviderId)>,
}

/// What is known of an award beside the contract: what the others answered since it was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each step is taken or not, in no fixed order"
)]
pub struct Known {
    /// The work is held for this contract.
    pub is_reserved: bool,
    /// The ranking.
    pub ranking: Option<Ranking>,
    /// The money is in escrow.
    pub is_held: bool,
    /// The work knows that the contract stands.
    pub is_confirmed: bool,
    /// The money is given back, or can never be held.
    pub is_money_released: bool,
    /// The work is given back.
    pub is_work_released: bool,
    /// A definite refusal.
    pub refusal: Option<VoidReason>,
}

/// One step of an award.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Take the work.
    Reserve,
    /// Take the work and hold the money, asked together: the ranking is at hand, so neither waits for the other.
    ReserveAndHold,
    /// Ask for the ranking.
    Rank,
    /// Hold the money.
    Hold,
    /// Write that the contract stands.
    Award {
        /// The provider's tier at the evaluation.
        tier: Tier,
    },
    /// Tell the work that the contract stands.
    Confirm,
    /// Write that it came to nothing.
    Void {
        /// Why.
        reason: VoidReason,
        /// The book is sealed.
        sealed: bool,
    },
    /// Give the money back, and refuse a hold that comes later.
    ReleaseMoney,
    /// Give the work back.
    ReleaseWork,
    /// Nothing is left to do.
    Done,
}

/// The next step.
pub fn next(contract: &Contract, known: &Known, now: Timestamp) -> Step {
    match contract.status {
        Status::Proposed => propose(contract, known, now),
        Status::Void if !known.is_money_released => Step::ReleaseMoney,
        Status::Void if !known.is_work_released => Step::ReleaseWork,
        Status::Void => Step::Done,
        // The contract may be further already; the work is told all the same.
        _ if !known.is_confirmed => Step::Confirm,
        _ => Step::Done,
    }
}

fn propose(contract: &Contract, known: &Known, now: Timestamp) -> Step {
    let sealed = known.ranking.is_some();
    let void = |reason| Step::Void { reason, sealed };
    if let Some(reason) = known.refusal {
        return void(reason);
    }
    if now >= contract.terms.expire_time {
        return void(VoidReason::TooLate);
    }
    let tier = known.ranking.as_ref().map(|all| all.tier_of(&contract.terms));
    match (known.is_reserved, tier) {
        (false, Some(Ok(_))) if !known.is_held => Step::ReserveAndHold,
        (false, _) => Step::Reserve,
        (true, None) => Step::Rank,
        (true, Some(Err(reason))) => void(reason),
        (true, Some(Ok(_))) if !known.is_held => Step::Hold,
        (true, Some(Ok(tier))) => Step::Award { tier },
    }
}

/// May an automatic award try a bid, after these contracts on the work? Not when an award stands or is under way, nor
/// when one failed for another reason than its bid.
pub fn may_be_tried(before: &[Contract]) -> bool {
    !before.iter().any(|contract| match contract.void_reason() {
        None => true,
        Some(reason) => contract.terms.attempt.is_some() && !reason.is_of_the_bid(),
    })
}

impl Ranking {
    /// The tier of the bid's provider, if the bid is ranked and is the one that was seen.
    pub fn tier_of(&self, terms: &Terms) -> Result<Tier, VoidReason> {
        if let Some(bid) = self.ranked.iter().find(|bid| bid.bid_id == terms.bid_id) {
            let is_same = bid.revision == terms.bid_revision && bid.price == terms.price;
            return if is_same {
                Ok(bid.tier)
            } else {
                Err(VoidReason::BidChanged)
            };
        }
        let bids = self.ranked.iter().map(|bid| (bid.bid_id, bid.provider_id));
        let mut others = bids.chain(self.disqualified.iter().copied());
        let is_replaced = others.any(|(bid, provider)| provider == terms.provider_id && bid != terms.bid_id);
        Err(if is_replaced {
            VoidReason::BidChanged
        } else {
            VoidReason::BidNotRanked
        })
    }

    /// The bids that an automatic award may still try, in order, each with its place from 1: the best few without those
    /// that were tried. None at all when nothing [may be tried](may_be_tried) any more.
    pub fn left_to_try(&self, before: &[Contract]) -> Vec<(u32, RankedBid)> {
        if !may_be_tried(before) {
            return Vec::new();
        }
        let places = (1..).zip(self.ranked.iter().cloned()).take(ATTEMPTS);
        let is_new = |bid: BidId| {
            !before
                .iter()
                .any(|contract| contract.terms.attempt.is_some() && contract.terms.bid_id == bid)
        };
        places.filter(|(_, bid)| is_new(bid.bid_id)).collect()
    }
}

#[cfg(test)]
mod tests;
