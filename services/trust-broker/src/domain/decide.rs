//! What may happen to a trust record.
//!
//! Each decision makes its own event first and then, at the time of that event, assesses the record anew: if
//! the score is another one, `trust.score_updated` follows, and if the tier is, `trust.tier_changed`. A
//! decision takes the record of a provider or, when there is none, [`TrustRecord::unknown`].

use aex_types::{ContractId, Money, ProviderId, TenantId, Text, Timestamp};

use super::{
    assessment::assess,
    ladder::Check,
    modifier::Charges,
    outcome::{Kind, Outcome},
    record::{Cause, Change, Event, NOTE_LIMIT, TrustRecord},
};

/// A provider was registered.
#[derive(Debug, Clone, Copy)]
pub struct Register {
    /// Which.
    pub provider_id: ProviderId,
    /// The tenant that owns it.
    pub owner_id: TenantId,
    /// When; tenure starts here.
    pub registered_at: Timestamp,
    /// It belongs to the exchange's own house.
    pub is_internal: bool,
}

/// A contract of a provider ended.
#[derive(Debug, Clone, Copy)]
pub struct RecordOutcome {
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that owns the provider.
    pub owner_id: TenantId,
    /// The tenant that paid.
    pub consumer_id: TenantId,
    /// The contract.
    pub contract_id: ContractId,
    /// The price agreed.
    pub price: Money,
    /// How it ended.
    pub kind: Kind,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// An operator says whether a provider passes a check.
#[derive(Debug, Clone)]
pub struct SetVerification {
    /// The provider.
    pub provider_id: ProviderId,
    /// Which check.
    pub check: Check,
    /// Whether it is passed.
    pub is_passed: bool,
    /// Why.
    pub note: Option<Text<NOTE_LIMIT>>,
}

/// Why something may not happen to a trust record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The contract has an outcome, and it is another one.
    #[error("{contract_id} ended as {recorded}, it cannot end as {offered} too")]
    OutcomeDiffers {
        /// The contract.
        contract_id: ContractId,
        /// How it ended.
        recorded: Kind,
        /// How it is said to have ended.
        offered: Kind,
    },
}

/// A provider is registered once; told again, nothing happens.
pub fn register(record: &TrustRecord, command: &Register, now: Timestamp) -> Vec<Event> {
    if record.registered_at.is_some() {
        return Vec::new();
    }
    let Register {
        owner_id,
        registered_at,
        is_internal,
        ..
    } = *command;
    decided(
        record,
        Some(Change::Registered {
            owner_id,
            registered_at,
            is_internal,
        }),
        Cause::Registration,
        now,
    )
}

/// A contract has one outcome. `known` is the outcome that is stored for this contract, if there is one: told
/// the same again, nothing happens; told another, it is refused with the one that stands.
///
/// When the owner of the provider is the consumer, the outcome is recorded and does not count, except in the
/// exchange's own house.
pub fn record_outcome(
    record: &TrustRecord,
    known: Option<&Outcome>,
    command: &RecordOutcome,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let RecordOutcome {
        contract_id,
        consumer_id,
        price,
        kind,
        completed_at,
        ..
    } = *command;
    match known {
        Some(known) if known.kind == kind => Ok(Vec::new()),
        Some(known) => Err(Refusal::OutcomeDiffers {
            contract_id,
            recorded: known.kind,
            offered: kind,
        }),
        None => {
            let outcome = Outcome {
                contract_id,
                consumer_id,
                price,
                kind,
                completed_at,
            };
            let is_counted = record.is_internal || command.owner_id != consumer_id;
            let change = Change::OutcomeRecorded { outcome, is_counted };
            Ok(decided(record, Some(change), Cause::Outcome(contract_id), now))
        }
    }
}

/// A check that is as it is said to be needs no event.
pub fn set_verification(record: &TrustRecord, command: &SetVerification, now: Timestamp) -> Vec<Event> {
    let SetVerification {
        check,
        is_passed,
        ref note,
        ..
    } = *command;
    if record.passed.has(check) == is_passed {
        return Vec::new();
    }
    let change = Change::VerificationChanged {
        check,
        is_passed,
        note: note.clone(),
    };
    decided(record, Some(change), Cause::Verification(check), now)
}

/// Makes events of what time has changed: a month more of tenure. Nothing happens to a provider that nothing
/// is known of.
pub fn refresh(record: &TrustRecord, now: Timestamp) -> Vec<Event> {
    if record.version == 0 {
        Vec::new()
    } else {
        decided(record, None, Cause::Tenure, now)
    }
}

/// A change, and what follows from it for score and tier.
fn decided(record: &TrustRecord, change: Option<Change>, cause: Cause, now: Timestamp) -> Vec<Event> {
    let mut record = record.clone();
    let mut events = Vec::new();
    let mut happen = |record: &mut TrustRecord, change: Change| {
        let event = record.next(change, now);
        record.apply(&event);
        events.push(event);
    };
    if let Some(change) = change {
        happen(&mut record, change);
    }
    let found = assess(&record, Charges::NONE, record.time(now));
    if found.score != record.score {
        let (previous_score, score) = (record.score, found.score);
        happen(
            &mut record,
            Change::ScoreUpdated {
                previous_score,
                score,
                cause,
            },
        );
    }
    if found.tier != record.tier {
        let (previous_tier, tier) = (record.tier, found.tier);
        happen(&mut record, Change::TierChanged { previous_tier, tier });
    }
    events
}
