//! Lives of trust records: decisions and fold together.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{
    assessment::assess,
    decide::{self, Refusal, Register, SetVerification, record_outcome},
    fixtures::{self, OWNER, at, outcome, provider},
    modifier::Charges,
};
use super::*;

fn fold(before: TrustRecord, events: &[Event]) -> TrustRecord {
    events.iter().fold(before, |before, event| {
        TrustRecord::after(Some(before), event).unwrap()
    })
}

fn registered(is_internal: bool) -> TrustRecord {
    let unknown = TrustRecord::unknown(provider());
    let command = Register {
        provider_id: provider(),
        owner_id: fixtures::tenant(OWNER),
        registered_at: at(0),
        is_internal,
    };
    let events = decide::register(&unknown, &command, at(0));
    fold(unknown, &events)
}

fn verified(record: TrustRecord, checks: &[Check]) -> TrustRecord {
    checks.iter().fold(record, |record, &check| {
        let command = SetVerification {
            provider_id: provider(),
            check,
            is_passed: true,
            note: None,
        };
        let events = decide::set_verification(&record, &command, at(0));
        fold(record, &events)
    })
}

/// A record after so many successes, each of another consumer.
fn after_successes(record: TrustRecord, ids: std::ops::Range<u128>) -> TrustRecord {
    ids.fold(record, |record, id| {
        let command = fixtures::record_outcome(outcome(id, id, Kind::Success));
        let events = record_outcome(&record, None, &command, at(0)).unwrap();
        fold(record, &events)
    })
}

fn types(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(|event| event.change.event_type()).collect()
}

#[test]
fn nothing_is_written_of_an_unknown_provider() {
    let record = TrustRecord::unknown(provider());
    assert_eq!(
        (record.score, record.tier, record.version),
        (Score::clamped(0.3), Tier::Unverified, 0)
    );
    assert_eq!(decide::refresh(&record, at(0)), []);
    let found = assess(&record, Charges::NONE, at(u64::from(u32::MAX)));
    assert_eq!((found.score, found.tier), (record.score, record.tier));
}

#[test]
fn a_newcomer_registers_once_and_its_score_stays() {
    let record = registered(false);
    assert_eq!(
        (record.score, record.tier, record.version),
        (Score::clamped(0.3), Tier::Unverified, 1)
    );
    let again = Register {
        provider_id: provider(),
        owner_id: fixtures::tenant(OWNER),
        registered_at: at(9),
        is_internal: true,
    };
    assert_eq!(decide::register(&record, &again, at(9)), []);
}

#[test]
fn a_provider_of_the_house_starts_at_the_top_and_stays_there() {
    let record = registered(true);
    assert_eq!(
        (record.score, record.tier, record.version),
        (Score::ONE, Tier::Internal, 3)
    );
    let failed = (1..=20).fold(record, |record, id| {
        let command = fixtures::record_outcome(outcome(id, id, Kind::FailureProvider));
        let events = record_outcome(&record, None, &command, at(0)).unwrap();
        fold(record, &events)
    });
    assert_eq!(failed.tier, Tier::Internal);
    assert!(failed.score < Score::clamped(0.3));
}

#[test]
fn an_outcome_moves_score_and_tier_with_events_of_their_own() {
    let record = after_successes(verified(registered(false), &[Check::Identity]), 1..5);
    assert_eq!(record.tier, Tier::Unverified, "four contracts are not five");
    let fifth = fixtures::record_outcome(outcome(5, 5, Kind::Success));
    let events = record_outcome(&record, None, &fifth, at(7)).unwrap();
    assert_eq!(
        types(&events),
        [
            "trust.outcome_recorded",
            "trust.score_updated",
            "trust.tier_changed"
        ]
    );
    let after = fold(record.clone(), &events);
    assert_eq!((after.score, after.tier), (Score::clamped(0.7), Tier::Verified));
    assert_eq!(
        events[1].change,
        Change::ScoreUpdated {
            previous_score: record.score,
            score: after.score,
            cause: Cause::Outcome(fifth.contract_id)
        }
    );
    assert!(events.iter().all(|event| event.time == at(7)));
}

#[test]
fn the_tier_is_lost_with_the_check() {
    let record = after_successes(verified(registered(false), &[Check::Identity]), 1..11);
    assert_eq!(record.tier, Tier::Verified);
    let note = Some("papers were forged".parse().unwrap());
    let command = SetVerification {
        provider_id: provider(),
        check: Check::Identity,
        is_passed: false,
        note,
    };
    let events = decide::set_verification(&record, &command, at(1));
    assert_eq!(
        types(&events),
        [
            "trust.verification_changed",
            "trust.score_updated",
            "trust.tier_changed"
        ]
    );
    let after = fold(record, &events);
    assert_eq!(after.tier, Tier::Unverified);
    assert_eq!(
        decide::set_verification(&after, &command, at(2)),
        [],
        "it is as it is said to be"
    );
}

#[test]
fn a_contract_has_one_outcome() {
    let record = registered(false);
    let stands = outcome(1, 2, Kind::Success);
    let told = |kind| {
        let command = fixtures::record_outcome(Outcome { kind, ..stands });
        record_outcome(&record, Some(&stands), &command, at(0))
    };
    assert_eq!(told(Kind::Success), Ok(vec![]));
    let refused = Refusal::OutcomeDiffers {
        contract_id: stands.contract_id,
        recorded: Kind::Success,
        offered: Kind::Expired,
    };
    assert_eq!(told(Kind::Expired), Err(refused));
}

#[test]
fn whoever_trades_with_itself_gains_nothing() {
    let own = fixtures::record_outcome(outcome(1, OWNER, Kind::Success));
    let record = registered(false);
    let events = record_outcome(&record, None, &own, at(0)).unwrap();
    assert_eq!(types(&events), ["trust.outcome_recorded"]);
    let after = fold(record.clone(), &events);
    assert_eq!(
        (after.score, after.counts.contracts, after.counts.excluded),
        (record.score, 0, 1)
    );

    let house = registered(true);
    let events = record_outcome(&house, None, &own, at(0)).unwrap();
    assert_eq!(fold(house, &events).counts.contracts, 1, "except in the house");
}

#[test]
fn counts_follow_the_kinds() {
    let record = (1..)
        .zip(Kind::ALL)
        .fold(registered(false), |record, (id, kind)| {
            let command = fixtures::record_outcome(outcome(id, id, kind));
            let events = record_outcome(&record, None, &command, at(0)).unwrap();
            fold(record, &events)
        });
    let expected = Counts {
        contracts: 8,
        successful: 2,
        failed: 2,
        disputed: 2,
        disputes_won: 1,
        disputes_lost: 1,
        excluded: 0,
    };
    assert_eq!(record.counts, expected);
}

#[test]
fn an_outcome_may_come_before_the_registration() {
    let early = after_successes(TrustRecord::unknown(provider()), 1..4);
    assert_eq!(early.registered_at, None);
    let command = Register {
        provider_id: provider(),
        owner_id: fixtures::tenant(OWNER),
        registered_at: at(0),
        is_internal: false,
    };
    let late = fold(early.clone(), &decide::register(&early, &command, at(0)));
    let other = after_successes(registered(false), 1..4);
    assert_eq!(
        (late.score, late.counts, &late.window),
        (other.score, other.counts, &other.window)
    );
}

#[test]
fn tenure_grows_by_itself_and_is_made_an_event_when_asked() {
    let record = after_successes(registered(false), 1..2);
    let step = record.next_tenure_step(at(0)).unwrap();
    assert_eq!(step, at(0).saturating_add(MONTH));
    let just_before = step.saturating_sub(Duration::from_micros(1));
    assert_eq!(decide::refresh(&record, just_before), []);
    let events = decide::refresh(&record, step);
    assert_eq!(types(&events), ["trust.score_updated"]);
    assert!(matches!(
        events[0].change,
        Change::ScoreUpdated {
            cause: Cause::Tenure,
            ..
        }
    ));
    let after = fold(record.clone(), &events);
    assert_eq!(
        after.score,
        assess(&record, Charges::NONE, step).score,
        "the question did not wait for the event"
    );
    assert_eq!(after.score, Score::clamped(131.0 / 300.0));
    assert_eq!(decide::refresh(&after, step), []);

    let end = at(0).saturating_add(MONTH.saturating_mul(5));
    let before_end = end.saturating_sub(Duration::from_secs(1));
    assert_eq!(
        [before_end, end].map(|now| after.next_tenure_step(now)),
        [Some(end), None]
    );
    assert_eq!(TrustRecord::unknown(provider()).next_tenure_step(end), None);
}

#[test]
fn time_never_goes_back_on_a_record() {
    let record = after_successes(registered(false), 1..2);
    let late = record_outcome(
        &record,
        None,
        &fixtures::record_outcome(outcome(2, 2, Kind::Success)),
        at(100),
    );
    let record = fold(record, &late.unwrap());
    let early = record_outcome(
        &record,
        None,
        &fixtures::record_outcome(outcome(3, 3, Kind::Success)),
        at(50),
    );
    assert!(early.unwrap().iter().all(|event| event.time == at(100)));
}

#[test]
fn an_event_that_does_not_follow_does_not_fold() {
    let record = registered(false);
    let command = fixtures::record_outcome(outcome(1, 1, Kind::Success));
    let event = record_outcome(&record, None, &command, at(5)).unwrap().remove(0);
    let skips = Event {
        version: event.version + 1,
        ..event.clone()
    };
    let foreign = Event {
        provider_id: ProviderId::from(uuid::Uuid::from_u128(9)),
        ..event.clone()
    };
    let change = Change::Registered {
        owner_id: fixtures::tenant(OWNER),
        registered_at: at(0),
        is_internal: false,
    };
    let again = Event {
        change,
        ..event.clone()
    };
    for wrong in [skips, foreign, again] {
        assert_eq!(TrustRecord::after(Some(record.clone()), &wrong), None);
    }
    assert_eq!(TrustRecord::after(None, &event), None, "version 2 begins nothing");
    let after = TrustRecord::after(Some(record), &event).unwrap();
    let earlier = Event {
        version: event.version + 1,
        time: at(4),
        ..event
    };
    assert_eq!(TrustRecord::after(Some(after), &earlier), None);
}

proptest! {
    #[test]
    fn folding_the_events_gives_the_live_record(steps in fixtures::any_steps(120)) {
        let (live, events) = fixtures::lived(&steps);
        let folded = events.iter().try_fold(None, |before, event| TrustRecord::after(before, event).map(Some));
        let folded = folded.unwrap().unwrap_or_else(|| TrustRecord::unknown(provider()));
        prop_assert_eq!(folded.score.get().to_bits(), live.score.get().to_bits());
        prop_assert_eq!(folded, live);
    }

    #[test]
    fn the_stored_score_is_the_score_at_the_last_event(steps in fixtures::any_steps(120)) {
        let (live, events) = fixtures::lived(&steps);
        let found = assess(&live, Charges::NONE, live.update_time.unwrap_or(Timestamp::EPOCH));
        prop_assert_eq!((found.score, found.tier), (live.score, live.tier));
        for event in &events {
            if let Change::ScoreUpdated { previous_score, score, .. } = event.change {
                prop_assert!(previous_score != score && (0.0..=1.0).contains(&score.get()));
            }
        }
    }

    #[test]
    fn scores_and_tiers_chain_and_no_event_says_nothing(steps in fixtures::any_steps(120)) {
        let (_, events) = fixtures::lived(&steps);
        let (mut score, mut tier) = (Score::clamped(0.3), Tier::Unverified);
        for event in &events {
            match event.change {
                Change::ScoreUpdated { previous_score, score: next, .. } => {
                    prop_assert_eq!(std::mem::replace(&mut score, next), previous_score);
                }
                Change::TierChanged { previous_tier, tier: next } => {
                    prop_assert!(previous_tier != next && previous_tier != Tier::Internal);
                    prop_assert_eq!(std::mem::replace(&mut tier, next), previous_tier);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_order_of_outcomes_does_not_matter(outcomes in fixtures::any_outcomes(250), seed: u64) {
        let live = |outcomes: &[Outcome]| outcomes.iter().fold(registered(false), |record, outcome| {
            let events = record_outcome(&record, None, &fixtures::record_outcome(*outcome), at(400)).unwrap();
            fold(record, &events)
        });
        let [one, other] = [live(&outcomes), live(&fixtures::shuffled(&outcomes, seed))];
        prop_assert_eq!(one.score.get().to_bits(), other.score.get().to_bits());
        prop_assert_eq!((one.tier, one.counts, one.window), (other.tier, other.counts, other.window));
    }

    #[test]
    fn one_more_success_never_lowers_the_score(
        outcomes in fixtures::any_outcomes(300),
        consumer in 0..50_u128,
        second in 0..300_u64,
    ) {
        let mut record = registered(false);
        record.window = outcomes.into_iter().collect();
        let before = assess(&record, Charges::NONE, at(400)).score;
        record.window.insert(Outcome { completed_at: at(second), ..outcome(1000, consumer, Kind::Success) });
        let after = assess(&record, Charges::NONE, at(400)).score;
        prop_assert!(after >= before, "{before} {after}");
    }

    #[test]
    fn time_alone_never_lowers_the_score(
        steps in fixtures::any_steps(60),
        days in 0..1600_u64,
        more in 0..400_u64,
    ) {
        let (live, _) = fixtures::lived(&steps);
        let [early, late] = [days, days + more].map(|days| {
            assess(&live, Charges::NONE, at(days * 24 * 60 * 60))
        });
        prop_assert!(late.score >= early.score && late.tier >= early.tier);
    }
}
