//! Whatever is asked, in whatever order: the books stay right, batches and replay change nothing.

use std::collections::{BTreeMap, VecDeque};

use aex_settlement_ledger::*;
use aex_types::Timestamp;
use proptest::{prelude::*, sample::Index};

use crate::{
    case::{Case, case},
    checks::*,
    world::*,
};

/// Rebuilds the tables from events alone.
fn replay(case: &Case, events: &[Event]) -> World {
    let mut world = case.with_debts(World::new());
    for event in events {
        match event.subject {
            Subject::Contract { contract, .. } => {
                let after = Hold::after(world.holds.get(&contract).copied(), event).unwrap();
                world.holds.insert(contract, after);
            }
            Subject::Deposit { deposit, .. } => {
                let after = Deposit::after(world.deposits.get(&deposit).cloned(), event).unwrap();
                let payment = after.rail_event().map(|event| (event.payment.clone(), deposit));
                world.payments.extend(payment);
                world.deposits.insert(deposit, after);
            }
        }
    }
    for Delta { account, moved } in Delta::of(events).unwrap() {
        let balance = world.accounts.entry(account).or_default();
        *balance = plus(*balance, moved);
    }
    world.events = events.to_vec();
    world.roll_up(0);
    world
}

/// Another order of the same events, which keeps that of each contract and deposit.
fn reordered(events: &[Event], order: &[Index]) -> Vec<Event> {
    let mut queues: BTreeMap<String, VecDeque<&Event>> = BTreeMap::new();
    for event in events {
        queues
            .entry(event.subject.to_string())
            .or_default()
            .push_back(event);
    }
    let mut shuffled = Vec::with_capacity(events.len());
    for pick in order.iter().cycle() {
        let names: Vec<_> = queues.keys().cloned().collect();
        if names.is_empty() {
            break;
        }
        let name = pick.get(&names);
        let queue = queues.get_mut(name).unwrap();
        shuffled.extend(queue.pop_front().cloned());
        if queue.is_empty() {
            queues.remove(name);
        }
    }
    shuffled
}

/// The tables, without what only the test keeps.
fn assert_same_tables(found: &World, expected: &World) {
    assert_eq!(found.accounts, expected.accounts);
    assert_eq!(found.rolled_up, expected.rolled_up);
    assert_eq!(found.holds, expected.holds);
    assert_eq!(found.deposits, expected.deposits);
    assert_eq!(found.payments, expected.payments);
}

// 256 runs of 60 to 240 commands each; PROPTEST_CASES asks for more.
proptest! {
    #[test]
    fn the_books_stay_right_whatever_is_asked(case in case()) {
        let (world, asked, answers) = case.run();
        assert_contracts(&world);
        assert_journals(&world);
        assert_statements(&world);

        // A batch of n is n batches of one.
        let mut batched = case.world();
        let (mut rest, mut batched_answers) = (&asked[..], Vec::new());
        for size in case.sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, left) = rest.split_at((*size).min(rest.len()));
            batched_answers.extend(batched.batch(batch));
            rest = left;
        }
        prop_assert_eq!(&batched_answers, &answers);
        prop_assert_eq!(&batched.events, &world.events);
        assert_same_tables(&batched, &world);

        // Replay is the live run, in any order that keeps that of each contract and deposit.
        assert_same_tables(&replay(&case, &world.events), &world);
        assert_same_tables(&replay(&case, &reordered(&world.events, &case.order)), &world);
    }

    #[test]
    fn a_payout_and_its_fee_are_the_gross_amount(base in 1..=10_u64.pow(15), gross in 0..=10_u64.pow(15), points in 0..=10_000_u16) {
        let rates = Rates { policy: 1, fee: aex_types::BasisPoints::new(points).unwrap(), payout_hold: DAY };
        let escrow = micros(base.max(gross));
        let terms = Terms { base: micros(base), escrow, ..terms() };
        let placed = Posted { journal: None, time: Timestamp::EPOCH };
        let award = Award { parties: parties(), terms, rates, placed };
        let settlement = Settlement::of(&award, micros(gross), Timestamp::EPOCH).unwrap();
        let fee = (u128::from(gross) * u128::from(points) + 5000) / 10_000;
        prop_assert_eq!(settlement.fee, micros(u64::try_from(fee).unwrap()));
        prop_assert_eq!(settlement.payout.checked_add(settlement.fee), Some(settlement.gross));
        prop_assert_eq!(settlement.residual.checked_add(settlement.gross), Some(escrow));
    }
}

/// The random runs are worth something only if they get deep: every event and most refusals are met.
#[test]
fn the_random_runs_meet_every_kind_of_event_and_refusal() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let (mut runner, mut events, mut refusals, mut repaid) =
        (TestRunner::deterministic(), BTreeMap::new(), BTreeMap::new(), 0);
    for _ in 0..64 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let (world, _, answers) = case.run();
        for event in &world.events {
            *events.entry(event.name()).or_insert(0) += 1;
            let lines = event.journal.iter().flat_map(|journal| &journal.lines);
            repaid += lines.filter(|line| line.reason == Reason::Clawback).count();
        }
        for answer in answers {
            let name = match answer {
                Ok(Outcome::Applied(_)) => continue,
                Ok(Outcome::Already(_)) => "Already".to_owned(),
                Err(refusal) => format!("{refusal:?}")
                    .split([' ', '('])
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            };
            *refusals.entry(name).or_insert(0_u32) += 1;
        }
    }
    assert_eq!(events.len(), 10, "{events:?}");
    assert!(events.values().all(|&count| count >= 5), "{events:?}");
    assert!(repaid > 10, "{repaid}");
    for name in [
        "Already",
        "DebtOutstanding",
        "DepositDecided",
        "DepositNotFound",
        "GrossAboveEscrow",
        "HoldCaptured",
        "HoldNotFound",
        "HoldReleased",
        "HoldReleasing",
        "InsufficientFunds",
        "MoneyDiffers",
        "NotDue",
        "NothingDue",
        "OtherTerms",
        "PaymentTaken",
        "SameTenant",
    ] {
        assert!(
            refusals.get(name).is_some_and(|&count| count > 0),
            "{name} in {refusals:?}"
        );
    }
}
