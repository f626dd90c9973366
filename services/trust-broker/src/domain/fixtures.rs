//! Outcomes and whole lives of providers, for tests.

use std::time::Duration;

use aex_types::{Amount, ContractId, Currency, Money, ProviderId, TenantId, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    decide::{self, RecordOutcome, Register, SetVerification},
    ladder::Check,
    outcome::{Kind, Outcome},
    record::{Event, TrustRecord},
};

pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds))
}

pub(super) fn provider() -> ProviderId {
    ProviderId::from(Uuid::from_u128(1))
}

pub(super) fn tenant(id: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(id))
}

/// The tenant that owns the provider.
pub(super) const OWNER: u128 = 0xFFFF;

/// An outcome of a contract, that ended as many seconds in as its id says.
pub(super) fn outcome(id: u128, consumer: u128, kind: Kind) -> Outcome {
    Outcome {
        contract_id: ContractId::from(Uuid::from_u128(id)),
        consumer_id: tenant(consumer),
        price: Money {
            currency: Currency::USD,
            amount: Amount::ZERO,
        },
        kind,
        completed_at: at(u64::try_from(id).unwrap()),
    }
}

pub(super) fn record_outcome(outcome: Outcome) -> RecordOutcome {
    let Outcome {
        contract_id,
        consumer_id,
        price,
        kind,
        completed_at,
    } = outcome;
    RecordOutcome {
        provider_id: provider(),
        owner_id: tenant(OWNER),
        consumer_id,
        contract_id,
        price,
        kind,
        completed_at,
    }
}

pub(super) fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![2 => Just(Kind::Success), 1 => prop::sample::select(Kind::ALL.to_vec())]
}

/// Outcomes of different contracts, of few consumers and at few moments.
pub(super) fn any_outcomes(most: usize) -> impl Strategy<Value = Vec<Outcome>> {
    (
        1..40_u128,
        prop::collection::vec((any::<u8>(), any_kind(), 0..300_u64), 0..most),
    )
        .prop_map(|(consumers, outcomes)| {
            let numbered = (1..).zip(outcomes);
            let made = numbered.map(|(id, (consumer, kind, second))| Outcome {
                completed_at: at(second),
                ..outcome(id, u128::from(consumer) % consumers, kind)
            });
            made.collect()
        })
}

/// The same outcomes in another order.
pub(super) fn shuffled(outcomes: &[Outcome], seed: u64) -> Vec<Outcome> {
    let mut shuffled = outcomes.to_vec();
    shuffled.sort_by_key(|outcome| {
        let id = u64::try_from(outcome.contract_id.uuid().as_u128()).unwrap();
        (id ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    });
    shuffled
}

/// Something that happens to a provider.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Register {
        is_internal: bool,
    },
    Outcome {
        contract: u8,
        consumer: u8,
        kind: Kind,
        late: u32,
    },
    Verify {
        check: Check,
        is_passed: bool,
    },
    Refresh,
}

/// Things that happen to a provider, each some hours from the one before, now and then on a clock that goes
/// back.
pub(super) fn any_steps(most: usize) -> impl Strategy<Value = Vec<(Step, i32)>> {
    let step = prop_oneof![
        1 => prop::bool::weighted(0.1).prop_map(|is_internal| Step::Register { is_internal }),
        12 => (any::<u8>(), 0..12_u8, any_kind(), 0..100_000_u32)
            .prop_map(|(contract, consumer, kind, late)| Step::Outcome { contract, consumer, kind, late }),
        2 => (prop::sample::select(Check::ALL.to_vec()), prop::bool::weighted(0.8))
            .prop_map(|(check, is_passed)| Step::Verify { check, is_passed }),
        1 => Just(Step::Refresh),
    ];
    prop::collection::vec((step, -2_000_000..3_000_000_i32), 0..most)
}

/// A provider after all of that, and its events. The clock starts three years in.
pub(super) fn lived(steps: &[(Step, i32)]) -> (TrustRecord, Vec<Event>) {
    let mut live = TrustRecord::unknown(provider());
    let mut all: Vec<Event> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    let mut now = at(3 * 365 * 24 * 60 * 60);
    for &(step, seconds) in steps {
        let span = Duration::from_secs(u64::from(seconds.unsigned_abs()));
        now = if seconds < 0 {
            now.saturating_sub(span)
        } else {
            now.saturating_add(span)
        };
        let provider_id = provider();
        let events = match step {
            Step::Register { is_internal } => decide::register(
                &live,
                &Register {
                    provider_id,
                    owner_id: tenant(OWNER),
                    registered_at: now,
                    is_internal,
                },
                now,
            ),
            Step::Outcome {
                contract,
                consumer,
                kind,
                late,
            } => {
                let consumer = if consumer == 0 {
                    OWNER
                } else {
                    u128::from(consumer)
                };
                let completed_at = now.saturating_sub(Duration::from_secs(u64::from(late)));
                let outcome = Outcome {
                    completed_at,
                    ..outcome(u128::from(contract), consumer, kind)
                };
                let stands = known.get(&contract).copied();
                let events = decide::record_outcome(&live, stands.as_ref(), &record_outcome(outcome), now);
                known.entry(contract).or_insert(outcome);
                events.unwrap_or_default()
            }
            Step::Verify { check, is_passed } => {
                let command = SetVerification {
                    provider_id,
                    check,
                    is_passed,
                    note: None,
                };
                decide::set_verification(&live, &command, now)
            }
            Step::Refresh => decide::refresh(&live, now),
        };
        for event in events {
            live = TrustRecord::after(Some(live), &event).unwrap();
            all.push(event);
        }
    }
    (live, all)
}
