//! The same business twice: the answer is the first journal, and nothing happens again (L8). On other terms: no.

use aex_settlement_ledger::*;
use aex_types::{JournalId, Tier};

use crate::world::*;

/// Asks twice and looks for the first journal in the second answer.
fn twice(world: &mut World, command: Command) {
    let first: Option<JournalId> = world.done(command.clone()).journal.map(|journal| journal.id);
    let (accounts, events) = (world.accounts.clone(), world.events.len());
    for _ in 0..3 {
        world.wait(HOUR);
        assert_eq!(
            world.run(command.clone()),
            Ok(Outcome::Already(first)),
            "{command:?}"
        );
    }
    assert_eq!((&world.accounts, world.events.len()), (&accounts, events));
}

#[test]
fn the_second_request_for_the_same_business_answers_the_first_journal() {
    let mut world = World::new();
    twice(&mut world, request(1, usd(10_000_000)));
    twice(&mut world, confirm(1, "r1", usd(10_000_000)));
    twice(&mut world, request(2, usd(10_000_000)));
    twice(&mut world, reject(2, "r2", "no"));

    twice(&mut world, place(1));
    twice(&mut world, settle(1, 80_000));
    world.wait(DAY);
    twice(&mut world, elapse(1, Timer::CloseResidual));
    twice(&mut world, elapse(1, Timer::ClosePayout));

    twice(&mut world, place(2));
    let not_before = world.now.saturating_add(DAY);
    twice(&mut world, release_at(2, not_before));
    world.wait(DAY);
    twice(&mut world, elapse(2, Timer::Release));

    twice(&mut world, place(3));
    world.wait(2 * DAY);
    twice(&mut world, elapse(3, Timer::Overdue));
    twice(&mut world, release(3));
    twice(&mut world, release(4));
}

#[test]
fn a_hold_and_a_settlement_answer_their_journals_long_after() {
    let mut world = World::funded();
    let placed = world.done(place(1)).journal.map(|journal| journal.id);
    let settled = world.done(settle(1, 80_000)).journal.map(|journal| journal.id);
    world.wait(DAY);
    world.done(elapse(1, Timer::CloseResidual));
    world.done(elapse(1, Timer::ClosePayout));
    assert_eq!(world.run(place(1)), Ok(Outcome::Already(placed)));
    assert_eq!(world.run(settle(1, 80_000)), Ok(Outcome::Already(settled)));
}

#[test]
fn a_changed_policy_does_not_make_the_same_award_another_one() {
    let mut world = World::funded();
    let placed = world.done(place(1)).journal.map(|journal| journal.id);
    let other = Policy {
        version: 2,
        fee: aex_types::BasisPoints::new(1).unwrap(),
        ..policy()
    };
    world.policy = std::sync::Arc::new(other);
    assert_eq!(world.run(place(1)), Ok(Outcome::Already(placed)));
}

#[test]
fn a_released_hold_is_never_answered_as_held() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(release(1));
    assert_eq!(
        world.refused(place(1)),
        Refusal::HoldReleased {
            contract: contract(1)
        }
    );
}

#[test]
fn a_whole_trade_fits_into_one_batch() {
    let mut world = World::new();
    let open = policy();
    world.policy = std::sync::Arc::new(Policy {
        payout_holds: PayoutHolds::NONE,
        ..open
    });
    let at_once = Terms {
        dispute_window: std::time::Duration::ZERO,
        ..terms()
    };
    let commands = [
        request(1, usd(10_000_000)),
        confirm(1, "r1", usd(10_000_000)),
        place_on(1, at_once),
        settle(1, 80_000),
        elapse(1, Timer::CloseResidual),
        elapse(1, Timer::ClosePayout),
        place_on(1, at_once),
    ];
    let items = commands.map(|command| {
        (
            Item {
                command,
                journal: world.next_journal(),
            },
            world.now,
        )
    });
    let answers = world.batch(&items);
    assert!(
        answers[..6]
            .iter()
            .all(|answer| matches!(answer, Ok(Outcome::Applied(_)))),
        "{answers:?}"
    );
    assert!(matches!(answers[6], Ok(Outcome::Already(Some(_)))), "{answers:?}");
    assert_eq!(
        (world.available(1), world.available(2), world.fees()),
        (9_920_000, 68_000, 12_000)
    );
}

#[test]
fn an_award_on_other_terms_is_refused() {
    let mut world = World::funded();
    world.done(place(1));
    for terms in [
        Terms {
            base: micros(80_001),
            ..terms()
        },
        Terms {
            escrow: micros(150_001),
            ..terms()
        },
        Terms {
            tier: Tier::Trusted,
            ..terms()
        },
        Terms {
            dispute_window: HOUR,
            ..terms()
        },
        Terms {
            deadline: world.now,
            ..terms()
        },
        Terms {
            currency: "AEX".parse().unwrap(),
            ..terms()
        },
    ] {
        let key = BusinessKey::Hold(contract(1));
        assert_eq!(world.refused(place_on(1, terms)), Refusal::OtherTerms { key });
    }
    for parties in [
        Parties {
            payee: tenant(3),
            ..parties()
        },
        Parties {
            consumer: tenant(3),
            ..parties()
        },
        Parties {
            provider: id(2),
            ..parties()
        },
    ] {
        let command = PlaceHold {
            contract: contract(1),
            parties,
            terms: terms(),
        };
        let key = BusinessKey::Hold(contract(1));
        assert_eq!(
            world.refused(Command::PlaceHold(command)),
            Refusal::OtherTerms { key }
        );
    }
}

#[test]
fn a_settlement_at_another_amount_is_refused() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    let key = BusinessKey::Settle(contract(1));
    assert_eq!(world.refused(settle(1, 80_001)), Refusal::OtherTerms { key });
}

#[test]
fn a_release_at_another_time_is_refused() {
    let mut world = World::funded();
    world.done(place(2));
    let (now, later) = (world.now, world.now.saturating_add(DAY));
    world.done(release_at(2, later));
    let key = BusinessKey::Release(contract(2));
    assert_eq!(
        world.refused(release(2)),
        Refusal::OtherTerms { key: key.clone() }
    );
    assert_eq!(
        world.refused(release_at(2, now)),
        Refusal::OtherTerms { key: key.clone() }
    );
    world.wait(DAY);
    world.done(elapse(2, Timer::Release));
    assert_eq!(world.refused(release(2)), Refusal::OtherTerms { key });
}

#[test]
fn a_deposit_on_other_terms_is_refused() {
    let mut world = World::new();
    world.done(request(2, usd(10_000)));
    let deposit = id(2);
    assert_eq!(
        world.refused(request(2, usd(10_001))),
        Refusal::DepositDiffers { deposit }
    );
    let another = RequestDeposit {
        deposit,
        tenant: tenant(2),
        money: usd(10_000),
        rail: Rail::TEST,
    };
    assert_eq!(
        world.refused(Command::RequestDeposit(another)),
        Refusal::DepositDiffers { deposit }
    );
    world.done(confirm(2, "r2", usd(10_000)));
    let key = BusinessKey::Deposit(rail_event("r2", 1));
    assert_eq!(
        world.refused(confirm(2, "r2", usd(10_001))),
        Refusal::OtherTerms { key }
    );
    world.done(request(3, usd(10_000)));
    world.done(reject(3, "r3", "no"));
    let key = BusinessKey::Deposit(rail_event("r3", 1));
    assert_eq!(
        world.refused(reject(3, "r3", "never")),
        Refusal::OtherTerms { key }
    );
}
