//! Every way through the states, against the table.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::fixtures::{at, proposed, terms};
use super::*;

/// Everything that may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Award,
    Void,
    Start,
    Report,
    Deliver,
    Accept,
    ReviewEnded,
    Reject,
    Fail(FailReason),
    Expire,
    Paid,
}

const ACTS: [Act; 14] = [
    Act::Award,
    Act::Void,
    Act::Start,
    Act::Report,
    Act::Deliver,
    Act::Accept,
    Act::ReviewEnded,
    Act::Reject,
    Act::Fail(FailReason::ProviderReportedFailure),
    Act::Fail(FailReason::FailedByProvider),
    Act::Fail(FailReason::FailedByConsumer),
    Act::Expire,
    Act::Paid,
    Act::Award,
];

fn attempt(contract: &Contract, act: Act, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match act {
        Act::Award => award(contract, Tier::Verified, now),
        Act::Void => void(contract, VoidReason::InsufficientFunds, true, now),
        Act::Start => start(contract, now),
        Act::Report => report(contract, 50, "half".to_owned(), now),
        Act::Deliver => deliver(contract, Delivery::default(), now),
        Act::Accept => accept(contract, now),
        Act::ReviewEnded => Ok(review_ended(contract, now)),
        Act::Reject => reject(contract, &"no".parse().unwrap(), Duration::from_hours(1), now),
        Act::Fail(reason) => fail(contract, reason, String::new(), now),
        Act::Expire => Ok(expire(contract, now)),
        Act::Paid => paid(contract, now),
    }
}

/// The table: where an act leads, `None` where it changes nothing.
fn table(from: Status, act: Act, confirm: bool, is_late: bool, is_reviewed: bool) -> Option<Status> {
    use Status::{
        Awarded, Completed, Executing, Expired, Failed, Proposed, Settled, VerificationPending, Void,
    };
    match (from, act) {
        (Proposed, Act::Award) => Some(Awarded),
        (Proposed, Act::Void) => Some(Void),
        (Awarded, Act::Start) | (Awarded | Executing, Act::Report) if !is_late => Some(Executing),
        (Awarded | Executing, Act::Deliver) if !is_late && confirm => Some(VerificationPending),
        (Awarded | Executing, Act::Deliver) if !is_late => Some(Completed),
        (Awarded | Executing, Act::Fail(_)) if !is_late => Some(Failed),
        (Awarded | Executing, Act::Expire) if is_late => Some(Expired),
        (VerificationPending, Act::Accept) => Some(Completed),
        (VerificationPending, Act::ReviewEnded) if is_reviewed => Some(Completed),
        (VerificationPending, Act::Reject) if !is_reviewed => Some(Failed),
        (Completed, Act::Paid) => Some(Settled),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is tried, in whatever order and at whatever time: a contract is only ever where the table leads it, a
    /// refusal changes nothing, versions are dense, time never goes back, and folding the events again gives the same.
    #[test]
    fn a_contract_is_only_ever_where_the_table_leads_it(
        confirm: bool,
        tries in prop::collection::vec((prop::sample::select(ACTS.to_vec()), 0..120_u64), 0..40),
    ) {
        let first = proposed(Terms { confirm_outcome: confirm, ..terms() });
        let (mut live, mut now, mut events) = (first.clone(), 0, Vec::new());
        for (act, seconds) in tries {
            now += seconds;
            let moment = at(now);
            let is_late = moment >= live.terms.expire_time;
            let is_reviewed = live.review_deadline.is_some_and(|deadline| deadline <= moment);
            let expected = table(live.status, act, confirm, is_late, is_reviewed);
            let decided = attempt(&live, act, moment).unwrap_or_default();
            prop_assert_eq!(decided.is_empty(), expected.is_none(), "{:?} of {}", act, live.status);
            for event in decided {
                prop_assert_eq!(event.version, live.version + 1);
                prop_assert!(event.time >= live.update_time);
                live = Contract::after(Some(live), &event).unwrap();
                events.push(event);
            }
            if let Some(expected) = expected {
                prop_assert_eq!(live.status, expected);
            }
            prop_assert_eq!(live.review_deadline.is_some(), live.deliver_time.is_some() && confirm);
        }
        let replayed = events.iter().try_fold(first, |before, event| Contract::after(Some(before), event));
        prop_assert_eq!(replayed, Some(live));
    }

    /// The fold refuses every event that the table does not know, whoever wrote it.
    #[test]
    fn an_event_that_does_not_follow_is_never_folded(acts in prop::collection::vec(prop::sample::select(ACTS.to_vec()), 0..8)) {
        let mut contract = proposed(terms());
        for act in acts {
            for event in attempt(&contract, act, at(1)).unwrap_or_default() {
                contract = Contract::after(Some(contract), &event).unwrap();
            }
        }
        let changes = [
            (Change::Awarded { tier: Tier::Verified }, vec![Status::Proposed]),
            (
                Change::Void { reason: VoidReason::TooLate, sealed: false, is_final: false },
                vec![Status::Proposed],
            ),
            (Change::Executing, vec![Status::Awarded]),
            (Change::Progress { percent: 1, message: String::new() }, vec![Status::Executing]),
            (Change::Expired, vec![Status::Awarded, Status::Executing]),
            (Change::Paid, vec![Status::Completed]),
            (Change::Completed { by: None, result: None }, vec![Status::VerificationPending]),
            (Change::Proposed(Box::new(terms())), vec![]),
        ];
        for (change, from) in changes {
            let event = Event {
                contract_id: contract.id,
                version: contract.version + 1,
                time: at(2),
                change,
            };
            let folded = Contract::after(Some(contract.clone()), &event);
            prop_assert_eq!(folded.is_some(), from.contains(&contract.status), "{:?} of {}", event.change, contract.status);
            let skipping = Event { version: contract.version + 2, ..event };
            prop_assert_eq!(Contract::after(Some(contract.clone()), &skipping), None);
        }
    }
}

#[test]
fn every_state_can_be_reached_and_what_is_final_stays() {
    let mut reached = BTreeSet::new();
    let mut open = vec![
        proposed(terms()),
        proposed(Terms {
            confirm_outcome: false,
            ..terms()
        }),
    ];
    let mut seen = BTreeSet::new();
    while let Some(contract) = open.pop() {
        reached.insert(contract.status);
        for (act, second) in ACTS.into_iter().flat_map(|act| [(act, 1), (act, 700)]) {
            let mut next = contract.clone();
            for event in attempt(&contract, act, at(second)).unwrap_or_default() {
                next = Contract::after(Some(next), &event).unwrap();
            }
            if next != contract {
                assert!(!contract.status.is_final(), "{act:?} of {}", contract.status);
                if seen.insert((
                    next.status,
                    next.update_time,
                    next.terms.confirm_outcome,
                    next.reason.clone(),
                )) {
                    open.push(next);
                }
            }
        }
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), Status::ALL);
}

#[test]
fn what_is_stored_is_read_again() {
    for status in Status::ALL {
        assert_eq!(status.to_string().parse(), Ok(status));
    }
    for reason in VoidReason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(reason));
    }
    for reason in FailReason::ALL {
        assert_eq!(reason.as_str().parse(), Ok(reason));
    }
}
