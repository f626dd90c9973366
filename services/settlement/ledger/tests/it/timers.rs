//! What runs out, when, and what it does.

use std::time::Duration;

use aex_settlement_ledger::*;
use aex_types::Tier;

use crate::world::*;

#[test]
fn a_payout_waits_as_its_tier_says() {
    let holds = PayoutHolds::STANDARD;
    let rows = [
        (Tier::Unverified, HOUR, 72 * HOUR),
        (Tier::Unverified, 100 * HOUR, 100 * HOUR),
        (Tier::Verified, 24 * HOUR, 24 * HOUR),
        (Tier::Trusted, 24 * HOUR, 24 * HOUR),
        (Tier::Preferred, 24 * HOUR, HOUR),
        (Tier::Preferred, HOUR / 2, HOUR / 2),
        (Tier::Internal, 24 * HOUR, Duration::ZERO),
    ];
    for (tier, window, wait) in rows {
        assert_eq!(holds.of(tier).with(window), wait, "{tier} with {window:?}");
        let mut world = World::funded();
        world.done(place_on(
            1,
            Terms {
                tier,
                dispute_window: window,
                ..terms()
            },
        ));
        world.done(settle(1, 80_000));
        let hold = &world.holds[&contract(1)];
        let due = |span| Some(world.now.saturating_add(span));
        assert_eq!(hold.due(Timer::CloseResidual), due(window));
        assert_eq!(hold.due(Timer::ClosePayout), due(wait));
    }
    for tier in Tier::ALL {
        assert_eq!(PayoutHolds::NONE.of(tier).with(Duration::ZERO), Duration::ZERO);
    }
}

#[test]
fn a_hold_has_exactly_the_timers_of_its_state() {
    let timers = |world: &World, number| -> Vec<_> { world.holds[&contract(number)].timers().collect() };
    let mut world = World::funded();
    world.done(place(1));
    assert_eq!(timers(&world, 1), [(Timer::Overdue, terms().deadline)]);
    let closes = world.now.saturating_add(DAY);
    world.done(settle(1, 80_000));
    assert_eq!(
        timers(&world, 1),
        [(Timer::CloseResidual, closes), (Timer::ClosePayout, closes)]
    );
    world.wait(DAY);
    world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(timers(&world, 1), [(Timer::ClosePayout, closes)]);
    world.done(elapse(1, Timer::ClosePayout));
    assert_eq!(timers(&world, 1), []);

    world.done(place(2));
    let not_before = world.now.saturating_add(DAY);
    world.done(release_at(2, not_before));
    assert_eq!(timers(&world, 2), [(Timer::Release, not_before)]);
    world.wait(DAY);
    world.done(elapse(2, Timer::Release));
    assert_eq!(timers(&world, 2), []);
    world.done(release(3));
    assert_eq!(timers(&world, 3), []);
}

#[test]
fn a_timer_does_nothing_before_its_time() {
    let mut world = World::funded();
    let due = terms().deadline;
    world.done(place(1));
    let early = Refusal::NotDue {
        contract: contract(1),
        timer: Timer::Overdue,
        due,
    };
    assert_eq!(world.refused(elapse(1, Timer::Overdue)), early);
    world.done(settle(1, 80_000));
    for timer in [Timer::CloseResidual, Timer::ClosePayout] {
        assert!(matches!(world.refused(elapse(1, timer)), Refusal::NotDue { .. }));
    }
}

#[test]
fn a_timer_of_another_state_has_nothing_to_do() {
    let mut world = World::funded();
    world.done(place(1));
    world.wait(3 * DAY);
    for timer in [Timer::Release, Timer::CloseResidual, Timer::ClosePayout] {
        assert_eq!(
            world.refused(elapse(1, timer)),
            Refusal::NothingDue {
                contract: contract(1),
                timer
            }
        );
    }
    world.done(release(1));
    for timer in [
        Timer::Overdue,
        Timer::Release,
        Timer::CloseResidual,
        Timer::ClosePayout,
    ] {
        assert_eq!(
            world.refused(elapse(1, timer)),
            Refusal::NothingDue {
                contract: contract(1),
                timer
            }
        );
    }
}

#[test]
fn an_overdue_hold_is_told_of_and_keeps_its_money() {
    let mut world = World::funded();
    world.done(place(1));
    world.now = terms().deadline;
    let overdue = world.done(elapse(1, Timer::Overdue));
    assert_eq!((overdue.name(), overdue.journal), ("hold.overdue", None));
    assert_eq!((world.escrow(1), world.available(1)), (150_000, 9_850_000));
    assert_eq!(world.holds[&contract(1)].timers().count(), 0);
    world.done(settle(1, 80_000));
    assert_eq!(world.pending(1), 68_000);
}

#[test]
fn a_scheduled_release_ends_the_wait_for_the_deadline() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(release_at(1, terms().deadline.saturating_add(DAY)));
    world.now = terms().deadline;
    assert!(matches!(
        world.refused(elapse(1, Timer::Overdue)),
        Refusal::NothingDue { .. }
    ));
}

#[test]
fn a_late_timer_takes_effect_at_its_deadline() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    let due = world.now.saturating_add(DAY);
    world.wait(30 * DAY);
    for timer in [Timer::CloseResidual, Timer::ClosePayout] {
        let journal = world.done(elapse(1, timer)).journal.unwrap();
        assert_eq!((journal.post_time, journal.effective_time), (world.now, due));
    }
}
