//! Why a bid stands where it stands, in numbers and in words.
//!
//! Nothing is stored for this: an explanation is made of the terms, facts and scores that the evaluation
//! keeps, and so it says the same whenever it is asked.
//!
//! Who may read what is not decided here. [`Behind`] tells of the winner what the loser of a sealed auction
//! does not know otherwise: from the difference of the price parts and the budget anybody computes the
//! winning price.

use std::time::Duration;

use aex_types::BidId;

use super::{
    bid::Facts,
    evaluation::{Disqualified, Verdict},
    filter::Reason,
    rank::{self, Decider, Ranked},
    score::{self, Component, SAMPLE_BASE, SAMPLE_SHARE, SLA_UNASKED, Score},
    strategy::Strategy,
    terms::Terms,
};

/// Why a bid stands where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The bid, as it was judged.
    pub bid: Facts,
    /// What mattered most to the consumer.
    pub strategy: Strategy,
    /// Where it stands.
    pub place: Place,
}

/// Where a bid stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// Among the bids that are fit.
    Ranked(Box<Ranking>),
    /// Not among them.
    Disqualified {
        /// Why.
        reason: Reason,
        /// Why, in words and numbers.
        words: String,
    },
}

/// How a bid that is fit came to its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Its place, from 1.
    pub rank: u32,
    /// How many bids are fit.
    pub of: usize,
    /// Its total score: the sum of the contributions, to the nearest 10^-9.
    pub score: Score,
    /// What the total is made of, in the order in which it is summed.
    pub parts: [Part; 5],
    /// How far it is behind the winner; `None` for the winner.
    pub behind: Option<Behind>,
}

/// One part of a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which.
    pub component: Component,
    /// How good the bid is in it.
    pub value: Score,
    /// How much it counts, in percent.
    pub percent: u8,
    /// What it adds to the total: `percent * value / 100`.
    pub contribution: f64,
    /// How the value was made, in words and numbers.
    pub words: String,
}

/// How far a bid is behind the winner.
#[derive(Debug, Clone, PartialEq)]
pub struct Behind {
    /// The best bid.
    pub winner: BidId,
    /// The winner's total less this bid's, from 0 to 1.
    pub score: f64,
    /// By part, the winner's contribution less this bid's, from -1 to 1: below zero where this bid is the
    /// better one.
    pub parts: [(Component, f64); 5],
    /// What put the winner before this bid.
    pub decided_by: Decider,
    /// The same in words.
    pub words: String,
}

/// Explains a bid of an evaluation; `None` when the evaluation has no such bid.
pub fn explain(result: &Verdict, bid_id: BidId) -> Option<Explanation> {
    let strategy = result.terms.strategy;
    if let Some(ranked) = result.ranked.iter().find(|one| one.bid.bid_id == bid_id) {
        let place = Place::Ranked(Box::new(ranking(result, ranked)));
        return Some(Explanation {
            bid: ranked.bid,
            strategy,
            place,
        });
    }
    let Disqualified { bid, reason } = *result.disqualified.iter().find(|one| one.bid.bid_id == bid_id)?;
    let place = Place::Disqualified {
        reason,
        words: why_unfit(result, &bid, reason),
    };
    Some(Explanation { bid, strategy, place })
}

fn ranking(result: &Verdict, ranked: &Ranked) -> Ranking {
    let weights = result.terms.strategy.weights();
    let parts = Component::ALL.map(|component| {
        let value = ranked.components.get(component);
        Part {
            component,
            value,
            percent: weights.percent(component),
            contribution: weights.contribution(component, value),
            words: how(component, &result.terms, &ranked.bid, value),
        }
    });
    let ahead = result
        .winner()
        .filter(|winner| winner.bid.bid_id != ranked.bid.bid_id);
    let behind = ahead.map(|winner| behind(result.terms.strategy, winner, ranked));
    Ranking {
        rank: ranked.rank,
        of: result.ranked.len(),
        score: ranked.score,
        parts,
        behind,
    }
}

fn behind(strategy: Strategy, winner: &Ranked, loser: &Ranked) -> Behind {
    let weights = strategy.weights();
    let parts = Component::ALL.map(|one| {
        let contribution = |ranked: &Ranked| weights.contribution(one, ranked.components.get(one));
        (one, contribution(winner) - contribution(loser))
    });
    let score = winner.score.get() - loser.score.get();
    let decided_by = rank::decider(winner, loser);
    let words = match decided_by {
        Decider::Score => {
            let each: Vec<_> = parts
                .iter()
                .map(|(one, gap)| format!("{one} {}", signed(*gap)))
                .collect();
            format!("the best bid scores {} more: {}", number(score), each.join(", "))
        }
        Decider::Price => "the best bid scores the same and costs less".to_owned(),
        Decider::Received => "the best bid scores the same, costs the same, and came earlier".to_owned(),
        Decider::BidId => {
            "the best bid scores the same, costs the same, came at the same moment, and has the smaller id"
                .to_owned()
        }
    };
    Behind {
        winner: winner.bid.bid_id,
        score,
        parts,
        decided_by,
        words,
    }
}

/// How the value of a part was made.
fn how(component: Component, terms: &Terms, bid: &Facts, value: Score) -> String {
    match component {
        Component::Price => {
            let (price, most) = (bid.price.amount, terms.max_price.amount);
            format!("what the price leaves of the budget: 1 - {price} / {most} = {value}")
        }
        Component::Trust => format!(
            "the provider's trust score at the evaluation, of tier {}: {value}",
            bid.tier
        ),
        Component::Confidence => format!("the bid's own confidence: {value}"),
        Component::Sample => how_sample(terms, bid, value),
        Component::Sla => how_sla(terms, bid, value),
    }
}

fn how_sample(terms: &Terms, bid: &Facts, value: Score) -> String {
    let Some(sample) = bid.sample else {
        return format!("no sample was sent: {value}");
    };
    let latency = match score::sample_limit(terms, bid) {
        None => "0 (no latency was asked or estimated)".to_owned(),
        Some(_) if sample.latency.is_zero() => "0 (its latency was not told)".to_owned(),
        Some(limit) => format!("min(1, {} / {})", millis(limit), millis(sample.latency)),
    };
    let fields = match sample.required {
        0 => "0 (no field is required)".to_owned(),
        required => format!("{} / {required} required fields", sample.covered),
    };
    format!(
        "what the sample shows: {SAMPLE_BASE} + {SAMPLE_SHARE} * {latency} + {SAMPLE_SHARE} * {fields} = {value}"
    )
}

fn how_sla(terms: &Terms, bid: &Facts, value: Score) -> String {
    let Some(limit) = terms.latency_limit() else {
        return format!("latency does not matter to this work, every promise is worth {SLA_UNASKED}");
    };
    match bid.promised_latency {
        None => format!(
            "no latency was promised, of {} that are asked: {value}",
            millis(limit)
        ),
        Some(promised) if promised <= limit => {
            format!(
                "{} are promised, within the limit of {}: {value}",
                millis(promised),
                millis(limit)
            )
        }
        Some(promised) => {
            let (promised, limit) = (millis(promised), millis(limit));
            format!(
                "the promise exceeds the limit: 1 - ({promised} - {limit}) / {limit}, at least 0 = {value}"
            )
        }
    }
}

fn why_unfit(result: &Verdict, bid: &Facts, reason: Reason) -> String {
    let terms = &result.terms;
    match reason {
        Reason::CurrencyDiffers => format!("the price is {}, the budget {}", bid.price, terms.max_price),
        Reason::PriceExceedsBudget => format!(
            "the price of {} exceeds the budget of {}",
            bid.price, terms.max_price
        ),
        Reason::BidExpired => {
            format!(
                "the bid stood until {}, the book was sealed at {}",
                bid.expires_at, result.sealed_at
            )
        }
        Reason::LatencyNotMet => {
            let shown = |span: Option<Duration>| span.map_or_else(|| "none".to_owned(), millis);
            let (promised, limit) = (shown(bid.promised_latency), shown(terms.latency_limit()));
            format!("a latency of {promised} is promised, at most {limit} is asked")
        }
        Reason::TierBelowMinimum => {
            let least = terms.min_trust_tier.unwrap_or_default();
            format!("the provider is {}, the work asks at least {least}", bid.tier)
        }
        Reason::ProviderNotInternal => format!(
            "the provider is {}, the work is for the exchange's own house",
            bid.tier
        ),
        Reason::ConfidenceBelowFloor => {
            let floor = terms.rules.confidence_floor.unwrap_or_default();
            format!("a confidence of {} is below the floor of {floor}", bid.confidence)
        }
        Reason::RegionNotCovered => {
            let regions: Vec<_> = terms.regions.iter().map(String::as_str).collect();
            format!("the bid covers none of the regions {}", regions.join(", "))
        }
        Reason::SampleRequired => "a sample is asked and none was sent".to_owned(),
    }
}

/// A span in milliseconds, to the microsecond.
fn millis(span: Duration) -> String {
    let (whole, rest) = (span.as_millis(), span.subsec_micros() % 1000);
    match rest {
        0 => format!("{whole} ms"),
        rest => format!("{} ms", format!("{whole}.{rest:03}").trim_end_matches('0')),
    }
}

/// A difference of scores, to the nearest 10^-9 and with its sign.
fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { '-' } else { '+' };
    format!("{sign}{}", number(difference))
}

/// The size of a difference of scores, to the nearest 10^-9.
fn number(difference: f64) -> Score {
    Score::clamped(difference.abs())
}

#[cfg(test)]
mod tests;
