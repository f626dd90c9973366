//! What a provider's record amounts to at one moment.
//!
//! `score = clamp(base + identity + endpoint + tenure - disputes - violations, 0, 1)`, and the tier that this
//! score, the counts and the checks open.

use aex_types::{Tier, Timestamp};

use super::{
    evidence::{Evidence, Prior},
    ladder::{self, Case, Check},
    modifier::{Charges, Modifiers, months_between},
    record::TrustRecord,
    score::Score,
};

/// What a provider's record amounts to at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assessment {
    /// The moment.
    pub at: Timestamp,
    /// What the outcomes that count say.
    pub evidence: Evidence,
    /// What is believed before any outcome.
    pub prior: Prior,
    /// The weighted mean of the outcomes and the prior.
    pub base: Score,
    /// What is known besides.
    pub modifiers: Modifiers,
    /// The score.
    pub score: Score,
    /// What the ladder looks at.
    pub case: Case,
    /// The tier.
    pub tier: Tier,
}

/// Assesses a record, with what stands against the provider, at a moment.
pub fn assess(record: &TrustRecord, charges: Charges, at: Timestamp) -> Assessment {
    let evidence = record.window.evidence();
    let prior = if record.is_internal {
        Prior::HOUSE
    } else {
        Prior::STRANGER
    };
    let modifiers = Modifiers {
        identity_verified: record.passed.has(Check::Identity),
        endpoint_verified: record.passed.has(Check::Endpoint),
        months: record
            .registered_at
            .map_or(0, |registered_at| months_between(registered_at, at)),
        charges,
    };
    let base = evidence.base(prior);
    let score = base.plus_hundredths(i64::from(modifiers.sum())).score();
    let case = Case {
        score,
        contracts: record.counts.contracts,
        successful: record.counts.successful,
        failed: record.counts.failed,
        passed: record.passed,
        is_internal: record.is_internal,
    };
    Assessment {
        at,
        evidence,
        prior,
        base: base.score(),
        modifiers,
        score,
        case,
        tier: ladder::tier(&case),
    }
}
