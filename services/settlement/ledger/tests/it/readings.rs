//! Where the market page and the money page read differently, the money page wins (decisions §3.1). Three vectors.

use aex_settlement_ledger::*;

use crate::world::*;

/// C28 would make the base available at once and hold back the bonus; M15 lets the whole payout wait for the window.
#[test]
fn m15_over_c28_nothing_is_available_to_the_provider_before_its_window_closes() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 130_000));
    assert_eq!(
        (world.pending(1), world.available(2)),
        (110_500, 0),
        "C28 would say (42_500, 68_000)"
    );
    world.wait(23 * HOUR);
    assert!(matches!(
        world.refused(elapse(1, Timer::ClosePayout)),
        Refusal::NotDue { .. }
    ));
    world.wait(HOUR);
    world.done(elapse(1, Timer::ClosePayout));
    assert_eq!((world.pending(1), world.available(2)), (0, 110_500));
}

/// An optional criterion with a penalty of 5 000 is unmet: C22 takes it off (G = 75 000), M3 only takes the rate off
/// when a required one is unmet (G = 80 000).
#[test]
fn m3_over_c22_an_unmet_optional_criterion_costs_the_provider_nothing() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    let found = (world.pending(1), world.fees(), world.escrow(1));
    assert_eq!(
        found,
        (68_000, 12_000, 70_000),
        "C22 would say (63_750, 11_250, 75_000)"
    );
    world.wait(DAY);
    let reasons = lines(&world.done(elapse(1, Timer::CloseResidual)));
    assert!(
        reasons.iter().all(|line| line.3 == "UNUSED_BONUS"),
        "no penalty credit: {reasons:?}"
    );
}

/// Verification timed out with a self-reported bonus of 50 000: C27 pays it (G = 130 000), M16 settles the base, keeps
/// the bonus in escrow, and gives it back to the consumer when the window is over.
#[test]
fn m16_over_c27_an_unverified_bonus_stays_in_escrow_and_goes_back() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    let found = (world.pending(1), world.fees(), world.escrow(1));
    assert_eq!(
        found,
        (68_000, 12_000, 70_000),
        "C27 would say (110_500, 19_500, 20_000)"
    );
    assert_eq!(
        world.available(1),
        9_850_000,
        "nothing goes back before the window is over"
    );
    world.wait(DAY);
    world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(world.available(1), 9_920_000, "C27 would say 9_870_000");
}
