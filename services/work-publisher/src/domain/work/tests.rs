use std::{collections::HashSet, time::Duration};

use aex_types::{Amount, Currency};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::terms::{Constraints, Strategy, Verification};

const AWARD: Duration = Duration::from_secs(100);

fn terms() -> Terms {
    Terms {
        category: "vision".parse().unwrap(),
        description: "Tell the digit.".parse().unwrap(),
        max_price: Money {
            currency: Currency::USD,
            amount: Amount::from_micros(1).unwrap(),
        },
        bid_strategy: Strategy::Balanced,
        constraints: Constraints::default(),
        payload: None,
        payload_preview: String::new(),
        auto_award: false,
        verification: Verification::None,
        review_time: AWARD,
        dispute_window: AWARD,
        contract_duration: AWARD,
        bid_window: Duration::from_secs(30),
    }
}

fn work() -> Work {
    let event = submit(
        Uuid::from_u128(1).into(),
        Uuid::from_u128(2).into(),
        false,
        terms(),
        Timestamp::EPOCH,
    );
    Work::after(None, &event).unwrap()
}

fn contract(number: u8) -> ContractId {
    Uuid::from_u128(u128::from(number)).into()
}

fn attempt(work: &Work, step: u8, which: u8, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let (contract_id, bid_id) = (contract(which), Uuid::from_u128(u128::from(which)).into());
    let release_with = |is_final, is_sealed| Release {
        work_id: work.id,
        contract_id,
        reason: "bid_changed".to_owned(),
        is_final,
        is_sealed,
    };
    let ranking = |valid_bids| Ranking {
        evaluation_id: Uuid::from_u128(9).into(),
        winning_bid_id: (valid_bids > 0).then_some(bid_id),
        valid_bids,
    };
    let failure = Outcome::Failed {
        reason: "expired".to_owned(),
    };
    Ok(match step {
        0 => return cancel(work, now),
        1..=3 => return reserve(work, contract_id, now),
        4 => return confirm(work, contract_id, now),
        5 => release(work, &release_with(false, false), AWARD, now),
        6 => release(work, &release_with(false, true), AWARD, now),
        7 => release(work, &release_with(which == 0, false), AWARD, now),
        8 => close(work, AWARD, now),
        9 => give_up(work, now),
        10 => hear(work, &News::Evaluated(ranking(which.into())), now),
        11 => follow(work, contract_id, &Outcome::Executing, now),
        12 => follow(work, contract_id, &Outcome::Completed, now),
        13 => follow(work, contract_id, &failure, now),
        14 => bid_received(work, bid_id, work.terms.max_price, which == 0, now),
        15 => bid_withdrawn(work, bid_id, now),
        _ => offered(work, which.into(), now),
    })
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Open => 0,
        Status::Evaluating => 1,
        Status::Awarding => 2,
        Status::Awarded => 3,
        Status::Executing => 4,
        Status::Completed | Status::Failed | Status::Cancelled => 5,
    }
}

proptest! {
    /// Every way through the states: what is over stays as it is, a contract that stands is never lost to another,
    /// work only goes back when its contract gives it back, never to open once its window is closed; a contract that was
    /// released, before it had the work or after, never has it again; whoever asks
    /// for what the work already is gets no event; and folding all events again gives the same work.
    #[test]
    fn a_work_reaches_no_illegal_state(
        steps in prop::collection::vec((0..17_u8, 0..4_u8, 0..20_u64), 0..60)
    ) {
        let mut live = work();
        let first = live.clone();
        let mut events = Vec::new();
        let mut now = Timestamp::EPOCH;
        let mut void = HashSet::new();
        for (step, which, seconds) in steps {
            now = now.saturating_add(Duration::from_secs(seconds));
            let before = live.clone();
            // A contract that stands is not released; should it be, it stands.
            if (5..=7).contains(&step) && before.award_time.is_none() {
                void.insert(contract(which));
            }
            let Ok(decided) = attempt(&live, step, which, now) else {
                continue;
            };
            prop_assert!(decided.is_empty() || !before.status.is_over());
            for event in decided {
                prop_assert_eq!(event.version, live.version + 1);
                prop_assert!(event.time >= live.update_time);
                live = Work::after(Some(live), &event).unwrap();
                events.push(event);
            }
            if rank(live.status) < rank(before.status) {
                prop_assert_eq!(before.status, Status::Awarding);
                prop_assert!((5..=7).contains(&step));
                prop_assert_eq!(before.contract_id, Some(contract(which)));
                prop_assert_eq!(live.contract_id, None);
            }
            if before.award_deadline.is_some() {
                prop_assert!(live.status != Status::Open);
                prop_assert_eq!(live.award_deadline, before.award_deadline);
            }
            if before.award_time.is_some() {
                prop_assert_eq!(live.contract_id, before.contract_id);
            }
            prop_assert!(live.contract_id.is_none_or(|holder| !void.contains(&holder)));
            let holds = matches!(
                live.status,
                Status::Awarding | Status::Awarded | Status::Executing | Status::Completed
            );
            prop_assert!(!holds || live.contract_id.is_some());
            prop_assert!(live.status != Status::Evaluating || live.award_deadline.is_some());
            prop_assert_eq!(live.end_time.is_some(), live.status.is_over());
        }
        let replayed = events.iter().try_fold(first, |before, event| Work::after(Some(before), event));
        prop_assert_eq!(replayed, Some(live));
    }
}

#[test]
fn a_contract_that_was_released_before_it_asked_does_not_take_the_work() {
    let released = Release {
        work_id: work().id,
        contract_id: contract(1),
        reason: "insufficient_funds".to_owned(),
        is_final: true,
        is_sealed: true,
    };
    let now = Timestamp::EPOCH;
    let fold = |work, events: Vec<Event>| {
        let all = events
            .iter()
            .try_fold(work, |work, event| Work::after(Some(work), event));
        all.unwrap()
    };
    for taken in [false, true] {
        let mut work = work();
        if taken {
            let events = reserve(&work, contract(2), now).unwrap();
            work = fold(work, events);
        }
        let status = work.status;
        let events = release(&work, &released, AWARD, now);
        assert_eq!(events.len(), 1);
        work = fold(work, events);
        assert_eq!((work.status, &work.released), (status, &vec![contract(1)]));
        assert_eq!(release(&work, &released, AWARD, now), []);
        assert!(reserve(&work, contract(1), now).is_err());
        // The next one is not minded.
        assert!(reserve(&work, contract(2), now).is_ok());
    }
}

#[test]
fn a_work_remembers_so_many_contracts_that_came_to_nothing_and_no_more() {
    let mut work = work();
    for number in 0..=u8::try_from(REMEMBERED).unwrap() {
        let command = Release {
            work_id: work.id,
            contract_id: contract(number),
            reason: "bid_changed".to_owned(),
            is_final: false,
            is_sealed: false,
        };
        let event = release(&work, &command, AWARD, Timestamp::EPOCH).remove(0);
        work = Work::after(Some(work), &event).unwrap();
    }
    assert_eq!(work.released.len(), REMEMBERED);
    assert!(!work.released.contains(&contract(0)));
}

#[test]
fn an_event_that_skips_a_version_or_a_state_does_not_fold() {
    let work = work();
    let mut skips = cancel(&work, Timestamp::EPOCH).unwrap().remove(0);
    skips.version += 1;
    assert_eq!(Work::after(Some(work.clone()), &skips), None);
    let awarded = Event {
        version: 2,
        change: Change::Awarded {
            contract_id: contract(1),
        },
        ..skips
    };
    assert_eq!(Work::after(Some(work), &awarded), None);
}
