//! The rows of money page §4.7 and the vectors of §4.9, to the micro.

use aex_settlement_ledger::*;
use aex_types::{Tier, Timestamp};

use crate::world::*;

/// `(available of the consumer, escrow, pending, available of the provider, fees)`.
fn figures(world: &World) -> (u64, u64, u64, u64, u64) {
    (
        world.available(1),
        world.escrow(1),
        world.pending(1),
        world.available(2),
        world.fees(),
    )
}

#[test]
fn a_requested_deposit_moves_nothing_and_a_confirmed_one_credits_the_tenant() {
    let mut world = World::new();
    let requested = world.done(request(1, usd(10_000_000)));
    assert_eq!((requested.name(), requested.journal), ("deposit.requested", None));
    assert_eq!(world.available(1), 0);

    let confirmed = world.done(confirm(1, "ref-1", usd(10_000_000)));
    assert_eq!(confirmed.name(), "deposit.confirmed");
    assert_eq!(
        lines(&confirmed),
        [
            ("CASH", "D", "10".to_owned(), "PRINCIPAL"),
            ("AVAILABLE", "C", "10".to_owned(), "PRINCIPAL")
        ]
    );
    let journal = confirmed.journal.unwrap();
    assert_eq!(
        (journal.kind, journal.key.to_string().as_str()),
        (JournalKind::Deposit, "deposit:test:ref-1:1")
    );
    assert_eq!(world.available(1), 10_000_000);
    assert_eq!(world.standing(Account::client_cash(Rail::TEST, USD)), 10_000_000);
}

#[test]
fn a_rejected_deposit_moves_nothing() {
    let mut world = World::new();
    world.done(request(1, usd(10_000_000)));
    let rejected = world.done(reject(1, "ref-1", "card expired"));
    assert_eq!((rejected.name(), rejected.journal), ("deposit.rejected", None));
    assert!(world.accounts.is_empty());
}

#[test]
fn a_hold_moves_the_whole_escrow() {
    let mut world = World::funded();
    let placed = world.done(place(1));
    assert_eq!(placed.name(), "hold.placed");
    assert_eq!(
        lines(&placed),
        [
            ("AVAILABLE", "D", "0.15".to_owned(), "PRINCIPAL"),
            ("ESCROW", "C", "0.15".to_owned(), "PRINCIPAL")
        ]
    );
    let journal = placed.journal.unwrap();
    assert_eq!(
        (journal.kind, journal.key),
        (JournalKind::AwardHold, BusinessKey::Hold(contract(1)))
    );
    assert_eq!(figures(&world), (9_850_000, 150_000, 0, 0, 0));
}

#[test]
fn a_base_settlement_is_split_and_both_windows_close_on_their_own() {
    let mut world = World::funded();
    world.done(place(1));
    let settled = world.done(settle(1, 80_000));
    assert_eq!(settled.name(), "contract.settled");
    assert_eq!(
        lines(&settled),
        [
            ("ESCROW", "D", "0.08".to_owned(), "BASE"),
            ("PENDING", "C", "0.068".to_owned(), "BASE"),
            ("FEE_REVENUE", "C", "0.012".to_owned(), "FEE"),
        ]
    );
    assert_eq!(figures(&world), (9_850_000, 70_000, 68_000, 0, 12_000));

    world.wait(DAY);
    let residual = world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(residual.name(), "hold.residual_released");
    assert_eq!(
        lines(&residual),
        [
            ("ESCROW", "D", "0.07".to_owned(), "UNUSED_BONUS"),
            ("AVAILABLE", "C", "0.07".to_owned(), "UNUSED_BONUS")
        ]
    );
    assert_eq!(figures(&world), (9_920_000, 0, 68_000, 0, 12_000));

    let payout = world.done(elapse(1, Timer::ClosePayout));
    assert_eq!(payout.name(), "hold.payout_released");
    assert_eq!(
        lines(&payout),
        [
            ("PENDING", "D", "0.068".to_owned(), "PAYOUT"),
            ("AVAILABLE", "C", "0.068".to_owned(), "PAYOUT")
        ]
    );
    assert_eq!(figures(&world), (9_920_000, 0, 0, 68_000, 12_000));
    let kinds = [residual, payout].map(|event| event.journal.unwrap().kind);
    assert_eq!(kinds, [JournalKind::WindowClose; 2]);
}

/// The engine takes `G` as it is given; what bonus and penalty make of it comes with CPA.
#[test]
fn every_gross_amount_of_the_money_page_is_split_as_it_says() {
    let rows = [
        (80_000, 68_000, 12_000, 70_000),
        (130_000, 110_500, 19_500, 20_000),
        (150_000, 127_500, 22_500, 0),
        (64_000, 54_400, 9_600, 86_000),
        (84_000, 71_400, 12_600, 66_000),
    ];
    for (gross, payout, fee, residual) in rows {
        let mut world = World::funded();
        world.done(place(1));
        world.done(settle(1, gross));
        assert_eq!(
            figures(&world),
            (9_850_000, residual, payout, 0, fee),
            "settled at {gross}"
        );
        world.wait(DAY);
        world.done(elapse(1, Timer::CloseResidual));
        world.done(elapse(1, Timer::ClosePayout));
        assert_eq!(
            figures(&world),
            (10_000_000 - gross, 0, 0, payout, fee),
            "closed at {gross}"
        );
    }
}

#[test]
fn lines_say_what_is_base_bonus_and_penalty() {
    let mut world = World::funded();
    world.done(place(1));
    assert_eq!(
        lines(&world.done(settle(1, 130_000))),
        [
            ("ESCROW", "D", "0.08".to_owned(), "BASE"),
            ("ESCROW", "D", "0.05".to_owned(), "BONUS"),
            ("PENDING", "C", "0.068".to_owned(), "BASE"),
            ("PENDING", "C", "0.0425".to_owned(), "BONUS"),
            ("FEE_REVENUE", "C", "0.0195".to_owned(), "FEE"),
        ]
    );
    world.done(place(2));
    world.done(settle(2, 64_000));
    world.wait(DAY);
    assert_eq!(
        lines(&world.done(elapse(2, Timer::CloseResidual))),
        [
            ("ESCROW", "D", "0.016".to_owned(), "PENALTY_CREDIT"),
            ("ESCROW", "D", "0.07".to_owned(), "UNUSED_BONUS"),
            ("AVAILABLE", "C", "0.016".to_owned(), "PENALTY_CREDIT"),
            ("AVAILABLE", "C", "0.07".to_owned(), "UNUSED_BONUS"),
        ]
    );
}

/// Money page §4.9.
#[test]
fn the_fee_vectors_hold_through_hold_and_settlement() {
    let vectors = [
        (0, 0, 0),
        (1, 0, 1),
        (3, 0, 3),
        (4, 1, 3),
        (10, 2, 8),
        (11, 2, 9),
        (44_000, 6_600, 37_400),
        (64_000, 9_600, 54_400),
        (80_000, 12_000, 68_000),
        (84_000, 12_600, 71_400),
        (100_000, 15_000, 85_000),
        (120_000, 18_000, 102_000),
        (130_000, 19_500, 110_500),
        (150_000, 22_500, 127_500),
        (1_000_000, 150_000, 850_000),
        (99_990_000, 14_998_500, 84_991_500),
        (9_999_999_999, 1_500_000_000, 8_499_999_999),
    ];
    for (gross, fee, payout) in vectors {
        let mut world = World::new();
        world.done(request(1, usd(100_000_000_000)));
        world.done(confirm(1, "opening", usd(100_000_000_000)));
        let price = gross.max(1);
        world.done(place_on(
            1,
            Terms {
                base: micros(price),
                escrow: micros(price),
                ..terms()
            },
        ));
        let Change::ContractSettled(settlement) = world.done(settle(1, gross)).change else {
            panic!()
        };
        assert_eq!(
            (settlement.fee, settlement.payout),
            (micros(fee), micros(payout)),
            "{gross}"
        );
        assert_eq!(
            (world.fees(), world.pending(1), world.escrow(1)),
            (fee, payout, price - gross),
            "{gross}"
        );
    }
}

#[test]
fn a_failed_contract_costs_nothing() {
    let mut world = World::funded();
    world.done(place(1));
    let released = world.done(release(1));
    assert_eq!(released.name(), "hold.released");
    assert_eq!(
        lines(&released),
        [
            ("ESCROW", "D", "0.15".to_owned(), "PRINCIPAL"),
            ("AVAILABLE", "C", "0.15".to_owned(), "PRINCIPAL")
        ]
    );
    let journal = released.journal.unwrap();
    assert_eq!(
        (journal.kind, journal.key),
        (JournalKind::HoldRelease, BusinessKey::Release(contract(1)))
    );
    assert_eq!(figures(&world), (10_000_000, 0, 0, 0, 0));
}

#[test]
fn the_money_of_a_rejected_contract_waits_for_its_dispute_window() {
    let mut world = World::funded();
    world.done(place(1));
    let not_before = world.now.saturating_add(DAY);
    let scheduled = world.done(release_at(1, not_before));
    assert_eq!(
        (scheduled.name(), scheduled.journal),
        ("hold.release_scheduled", None)
    );
    assert_eq!(figures(&world), (9_850_000, 150_000, 0, 0, 0));

    world.wait(2 * DAY);
    let released = world.done(elapse(1, Timer::Release)).journal.unwrap();
    assert_eq!(
        (released.post_time, released.effective_time),
        (world.now, not_before)
    );
    assert_eq!(figures(&world), (10_000_000, 0, 0, 0, 0));
}

#[test]
fn a_release_whose_time_has_come_is_done_at_once() {
    let mut world = World::funded();
    world.done(place(1));
    let now = world.now;
    assert_eq!(world.done(release_at(1, now)).name(), "hold.released");
    assert_eq!(figures(&world), (10_000_000, 0, 0, 0, 0));
}

#[test]
fn a_debt_is_repaid_first_by_whatever_is_credited() {
    // By a deposit: 4 of 10 dollars.
    let mut world = World::new();
    world.owes(tenant(1), USD, micros(4_000_000));
    world.done(request(1, usd(10_000_000)));
    assert_eq!(
        lines(&world.done(confirm(1, "opening", usd(10_000_000)))),
        [
            ("CASH", "D", "10".to_owned(), "PRINCIPAL"),
            ("AVAILABLE", "C", "10".to_owned(), "PRINCIPAL"),
            ("AVAILABLE", "D", "4".to_owned(), "CLAWBACK"),
            ("RECEIVABLE", "C", "4".to_owned(), "CLAWBACK"),
        ]
    );
    assert_eq!(world.available(1), 6_000_000);

    // By a payout, as far as it goes: 0.068 of 0.1 dollars.
    world.done(place(1));
    world.done(settle(1, 80_000));
    world.owes(tenant(2), USD, micros(100_000));
    world.owes(tenant(1), USD, micros(10_000));
    world.wait(DAY);
    world.done(elapse(1, Timer::ClosePayout));
    assert_eq!(
        (
            world.available(2),
            world.standing(Account::receivable(tenant(2), USD))
        ),
        (0, 32_000)
    );

    // By a residual: 0.01 of 0.07 dollars.
    world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(world.available(1), 6_000_000 - 150_000 + 60_000);
    assert_eq!(world.standing(Account::receivable(tenant(1), USD)), 0);

    // By a release.
    world.done(place(2));
    world.owes(tenant(1), USD, micros(50_000));
    world.done(release(2));
    assert_eq!(world.available(1), 5_910_000 - 50_000);
}

#[test]
fn a_contract_that_ends_without_a_payout_has_no_empty_journal() {
    let mut world = World::funded();
    world.done(place(1));
    assert_eq!(world.done(settle(1, 0)).journal, None);
    world.wait(DAY);
    assert_eq!(world.done(elapse(1, Timer::ClosePayout)).journal, None);
    assert!(world.done(elapse(1, Timer::CloseResidual)).journal.is_some());
    assert_eq!(figures(&world), (10_000_000, 0, 0, 0, 0));
}

#[test]
fn a_contract_without_bonus_closes_its_residual_without_a_journal() {
    let mut world = World::funded();
    world.done(place_on(
        1,
        Terms {
            escrow: micros(80_000),
            ..terms()
        },
    ));
    world.done(settle(1, 80_000));
    world.wait(DAY);
    let closed = world.done(elapse(1, Timer::CloseResidual));
    assert_eq!((closed.name(), closed.journal), ("hold.residual_released", None));
}

#[test]
fn the_books_keep_the_rates_of_the_award_when_configuration_changes() {
    let mut world = World::funded();
    world.done(place(1));
    let dearer = Policy {
        version: 2,
        fee: aex_types::BasisPoints::new(3000).unwrap(),
        ..policy()
    };
    world.policy = std::sync::Arc::new(Policy {
        payout_holds: PayoutHolds::NONE,
        ..dearer
    });
    world.done(settle(1, 80_000));
    world.done(place(2));
    world.done(settle(2, 80_000));
    assert_eq!(
        (world.pending(1), world.pending(2), world.fees()),
        (68_000, 56_000, 12_000 + 24_000)
    );
    let due = |number| world.holds[&contract(number)].due(Timer::ClosePayout);
    assert_eq!(due(1), Some(world.now.saturating_add(DAY)));
    assert_eq!(due(2), Some(world.now));
}

#[test]
fn two_sides_of_one_internal_tenant_pay_only_the_fee() {
    let mut world = World::funded();
    let own = Parties {
        payee: tenant(1),
        ..parties()
    };
    let terms = Terms {
        tier: Tier::Internal,
        ..terms()
    };
    world.done(Command::PlaceHold(PlaceHold {
        contract: contract(1),
        parties: own,
        terms,
    }));
    world.done(settle(1, 80_000));
    world.done(elapse(1, Timer::ClosePayout));
    world.wait(DAY);
    world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(figures(&world), (10_000_000 - 12_000, 0, 0, 0, 12_000));
}

#[test]
fn time_never_goes_back_within_a_contract() {
    let mut world = World::funded();
    let placed = world.done(place(1)).time;
    world.now = Timestamp::EPOCH;
    let settled = world.done(settle(1, 80_000));
    assert_eq!(settled.time, placed);
    let Change::ContractSettled(settlement) = settled.change else {
        panic!()
    };
    assert_eq!(settlement.residual_release_at, placed.saturating_add(DAY));
}
