//! Why a provider has the score and the tier that it has, in numbers and in words, and what is missing for
//! more.
//!
//! Nothing is stored for this: it is made of the record, of what stands against the provider, and of the
//! moment of the question.

use aex_types::{ProviderId, Tier, Timestamp};

use super::{
    assessment::{Assessment, assess},
    ladder::{self, Case, Check, Need},
    modifier::{Charges, MOST_DISPUTES, MOST_MONTHS, MOST_VIOLATIONS, Modifier},
    record::{Counts, TrustRecord},
    score::Score,
};

/// Why a provider has the score and the tier that it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The provider.
    pub provider_id: ProviderId,
    /// The moment of the question.
    pub at: Timestamp,
    /// Its score: the base and the modifiers, clamped to [0, 1].
    pub score: Score,
    /// Its tier.
    pub tier: Tier,
    /// What its outcomes are worth, with the prior.
    pub base: Score,
    /// What its outcomes are worth without the prior: `Σ w s / Σ w`, and 0.3 without any.
    pub raw_base: Score,
    /// How the base was made, in words and numbers.
    pub base_words: String,
    /// The modifiers, each with what it adds.
    pub modifiers: [Line; 5],
    /// What the parts add up to, in words and numbers.
    pub words: String,
    /// What was counted over its life.
    pub counts: Counts,
    /// `successful / (successful + failed)`; `None` when there is neither.
    pub success_rate: Option<Score>,
    /// What the next tier asks for; `None` when there is none that can be earned.
    pub next: Option<NextTier>,
}

/// What one modifier adds to a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which.
    pub modifier: Modifier,
    /// What it adds, from -0.4 to 0.1.
    pub points: f64,
    /// Why, in words and numbers.
    pub words: String,
}

/// What the next tier asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTier {
    /// The tier.
    pub tier: Tier,
    /// Its gates. It is given when all are open.
    pub gates: Vec<Gate>,
}

impl NextTier {
    /// The gates that are shut.
    pub fn missing(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| !gate.is_open)
    }
}

/// Something that a tier asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// What.
    pub need: Need,
    /// It is met.
    pub is_open: bool,
    /// What is asked and what is there, in words and numbers.
    pub words: String,
}

/// Explains a record at a moment.
pub fn explain(record: &TrustRecord, charges: Charges, at: Timestamp) -> Explanation {
    let found = assess(record, charges, at);
    let next = ladder::next(found.tier).map(|tier| NextTier {
        tier,
        gates: ladder::needs(tier)
            .iter()
            .map(|need| gate(*need, &found.case))
            .collect(),
    });
    Explanation {
        provider_id: record.provider_id,
        at,
        score: found.score,
        tier: found.tier,
        base: found.base,
        raw_base: found.evidence.raw_base(),
        base_words: base_words(&found),
        modifiers: lines(&found),
        words: sum_words(&found),
        counts: record.counts,
        success_rate: found.case.success_rate(),
        next,
    }
}

fn base_words(found: &Assessment) -> String {
    let (prior, worth) = (found.prior.outcomes, found.prior.worth());
    let (weight, points) = (found.evidence.weight(), found.evidence.points());
    let count = found.evidence.outcomes();
    format!(
        "{count} outcomes count, of weight {weight} and worth {points}, beside a prior of {prior} outcomes \
         worth {worth} each: ({prior} * {worth} + {points}) / ({prior} + {weight}) = {}",
        found.base
    )
}

fn lines(found: &Assessment) -> [Line; 5] {
    let modifiers = &found.modifiers;
    let verified = |is_set: bool| {
        if is_set {
            "verified: 0.05"
        } else {
            "not verified: 0, and 0.05 when it is"
        }
    };
    let words = |modifier| match modifier {
        Modifier::Identity => format!("the identity is {}", verified(modifiers.identity_verified)),
        Modifier::Endpoint => format!("the endpoint is {}", verified(modifiers.endpoint_verified)),
        Modifier::Tenure => format!(
            "{} whole months of 30 days since the registration, of which at most {MOST_MONTHS} count, at 0.02",
            modifiers.months
        ),
        Modifier::Disputes => format!(
            "{} disputes of consumers under investigation, of which at most {MOST_DISPUTES} count, at -0.1",
            modifiers.charges.open_disputes
        ),
        Modifier::Violations => format!(
            "{} open violations, of which at most {MOST_VIOLATIONS} count, at -0.2",
            modifiers.charges.open_violations
        ),
    };
    Modifier::ALL.map(|modifier| Line {
        modifier,
        points: modifiers.points(modifier),
        words: words(modifier),
    })
}

fn sum_words(found: &Assessment) -> String {
    let signed = |modifier| {
        let hundredths = found.modifiers.hundredths(modifier);
        let sign = if hundredths < 0 { '-' } else { '+' };
        format!(" {sign} {}", f64::from(hundredths.unsigned_abs()) / 100.0)
    };
    let modifiers: String = Modifier::ALL.into_iter().map(signed).collect();
    format!("{}{modifiers}, clamped to [0, 1] = {}", found.base, found.score)
}

fn gate(need: Need, case: &Case) -> Gate {
    let words = match need {
        Need::Score(least) => format!("a score of at least {least}: it is {}", case.score),
        Need::Contracts(least) => format!("at least {least} contracts: there are {}", case.contracts),
        Need::SuccessRate(percent) => {
            let (successful, failed) = (case.successful, case.failed);
            format!("a success rate of at least {percent} %: {successful} succeeded and {failed} failed")
        }
        Need::Check(check) => {
            let what = match check {
                Check::Identity => "the identity verified",
                Check::Endpoint => "the endpoint verified",
                Check::Compliance => "compliance verified",
                Check::Review => "a review by a person passed",
            };
            format!(
                "{what}: {}",
                if case.passed.has(check) {
                    "it is"
                } else {
                    "it is not"
                }
            )
        }
    };
    Gate {
        need,
        is_open: need.is_met(case),
        words,
    }
}

#[cfg(test)]
mod tests;
