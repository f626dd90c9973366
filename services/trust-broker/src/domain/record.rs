//! The trust record of a provider, its events, and the fold.

use std::fmt;

use aex_types::{ContractId, ProviderId, TenantId, Text, Tier, Timestamp};

use super::{
    evidence::Prior,
    ladder::{Check, Passed},
    modifier::{MONTH, MOST_MONTHS, months_between},
    outcome::{Credit, Kind, Outcome},
    score::Score,
    window::Window,
};

/// Bytes of an operator's note.
pub const NOTE_LIMIT: usize = 200;

/// What is known of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRecord {
    /// Which provider.
    pub provider_id: ProviderId,
    /// The tenant that owns it; `None` until trust-broker has heard of it.
    pub owner_id: Option<TenantId>,
    /// When it was registered; `None` until trust-broker has heard of it. Tenure starts here.
    pub registered_at: Option<Timestamp>,
    /// It belongs to the exchange's own house. Once it does, it always does.
    pub is_internal: bool,
    /// The checks that it has passed.
    pub passed: Passed,
    /// What was counted over its life.
    pub counts: Counts,
    /// The outcomes that its score is made of.
    pub window: Window,
    /// Its score as of its last event. A query asks [`assess`](super::assessment::assess) instead.
    pub score: Score,
    /// Its tier as of its last event.
    pub tier: Tier,
    /// The version of its last event; 0 before the first.
    pub version: u64,
    /// When its last event was; `None` before the first.
    pub update_time: Option<Timestamp>,
}

/// What was counted over a provider's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Contracts with an outcome that counts.
    pub contracts: u64,
    /// Of these, successes of the provider.
    pub successful: u64,
    /// Of these, failures of the provider.
    pub failed: u64,
    /// Of these, decided by a dispute.
    pub disputed: u64,
    /// Of the disputed ones, decided for the provider.
    pub disputes_won: u64,
    /// Of the disputed ones, decided against the provider.
    pub disputes_lost: u64,
    /// Contracts with an outcome that does not count, because the owner traded with itself.
    pub excluded: u64,
}

impl Counts {
    /// Counts one more contract that ended so.
    pub(crate) fn add(&mut self, kind: Kind) {
        let add = |count: &mut u64| *count = count.saturating_add(1);
        add(&mut self.contracts);
        match kind.credit() {
            Credit::Success => add(&mut self.successful),
            Credit::Failure => add(&mut self.failed),
            Credit::Neither => {}
        }
        match kind {
            Kind::DisputeWon => {
                add(&mut self.disputed);
                add(&mut self.disputes_won);
            }
            Kind::DisputeLost => {
                add(&mut self.disputed);
                add(&mut self.disputes_lost);
            }
            _ => {}
        }
    }
}

/// One thing that happened to a trust record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Of which provider.
    pub provider_id: ProviderId,
    /// The record's version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a trust record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The provider was registered.
    Registered {
        /// The tenant that owns it.
        owner_id: TenantId,
        /// When; tenure starts here.
        registered_at: Timestamp,
        /// It belongs to the exchange's own house.
        is_internal: bool,
    },
    /// A contract of the provider ended.
    OutcomeRecorded {
        /// How.
        outcome: Outcome,
        /// It counts. It does not when the owner of the provider traded with itself.
        is_counted: bool,
    },
    /// An operator said whether the provider passes a check.
    VerificationChanged {
        /// Which check.
        check: Check,
        /// Whether it is passed.
        is_passed: bool,
        /// Why, if the operator said so.
        note: Option<Text<NOTE_LIMIT>>,
    },
    /// The score is another one.
    ScoreUpdated {
        /// What it was.
        previous_score: Score,
        /// What it is.
        score: Score,
        /// What brought it about.
        cause: Cause,
    },
    /// The tier is another one.
    TierChanged {
        /// What it was.
        previous_tier: Tier,
        /// What it is.
        tier: Tier,
    },
}

impl Change {
    /// The type of the event, as it is published.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "trust.provider_registered",
            Self::OutcomeRecorded { .. } => "trust.outcome_recorded",
            Self::VerificationChanged { .. } => "trust.verification_changed",
            Self::ScoreUpdated { .. } => "trust.score_updated",
            Self::TierChanged { .. } => "trust.tier_changed",
        }
    }
}

/// What brought about another score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The provider was registered.
    Registration,
    /// The outcome of a contract.
    Outcome(ContractId),
    /// A check was passed, or is no longer.
    Verification(Check),
    /// A month more.
    Tenure,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registration => f.write_str("registration"),
            Self::Outcome(contract_id) => write!(f, "outcome of {contract_id}"),
            Self::Verification(check) => write!(f, "verification of {check}"),
            Self::Tenure => f.write_str("tenure"),
        }
    }
}

impl TrustRecord {
    /// What is answered of a provider that nothing is known of: a score of 0.3, UNVERIFIED. It is not stored.
    pub fn unknown(provider_id: ProviderId) -> Self {
        Self {
            provider_id,
            owner_id: None,
            registered_at: None,
            is_internal: false,
            passed: Passed::NONE,
            counts: Counts::default(),
            window: Window::default(),
            score: Prior::STRANGER.worth(),
            tier: Tier::Unverified,
            version: 0,
            update_time: None,
        }
    }

    /// When tenure is next worth more, seen from a moment; `None` when it never is again, or has not begun.
    pub fn next_tenure_step(&self, now: Timestamp) -> Option<Timestamp> {
        let registered_at = self.registered_at?;
        let next = months_between(registered_at, now).saturating_add(1);
        (next <= MOST_MONTHS).then(|| registered_at.saturating_add(MONTH.saturating_mul(next)))
    }

    /// The next event: one version on, and never earlier than the one before.
    pub(super) fn next(&self, change: Change, now: Timestamp) -> Event {
        Event {
            provider_id: self.provider_id,
            version: self.version.saturating_add(1),
            time: self.time(now),
            change,
        }
    }

    /// The time of what happens to it now: never earlier than what happened before.
    pub(super) fn time(&self, now: Timestamp) -> Timestamp {
        self.update_time.map_or(now, |last| now.max(last))
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let mut record = before.unwrap_or_else(|| Self::unknown(event.provider_id));
        let follows = event.provider_id == record.provider_id
            && event.version == record.version.saturating_add(1)
            && record.update_time.is_none_or(|last| event.time >= last);
        let is_again = matches!(event.change, Change::Registered { .. }) && record.registered_at.is_some();
        if !follows || is_again {
            return None;
        }
        record.apply(event);
        Some(record)
    }

    /// Makes an event true that follows this state.
    pub(super) fn apply(&mut self, event: &Event) {
        self.version = event.version;
        self.update_time = Some(event.time);
        match event.change {
            Change::Registered {
                owner_id,
                registered_at,
                is_internal,
            } => {
                self.owner_id = Some(owner_id);
                self.registered_at = Some(registered_at);
                self.is_internal = self.is_internal || is_internal;
            }
            Change::OutcomeRecorded {
                outcome,
                is_counted: true,
            } => {
                self.counts.add(outcome.kind);
                self.window.insert(outcome);
            }
            Change::OutcomeRecorded {
                is_counted: false, ..
            } => {
                self.counts.excluded = self.counts.excluded.saturating_add(1);
            }
            Change::VerificationChanged { check, is_passed, .. } => {
                self.passed = self.passed.with(check, is_passed);
            }
            Change::ScoreUpdated { score, .. } => self.score = score,
            Change::TierChanged { tier, .. } => self.tier = tier,
        }
    }
}

#[cfg(test)]
mod tests;
