//! Every no of the books, each with its reason and without an effect.

use aex_settlement_ledger::*;
use aex_types::{Money, Tier};

use crate::world::*;

#[test]
fn a_currency_without_limits_cannot_be_deposited() {
    let money = Money {
        currency: "EUR".parse().unwrap(),
        amount: micros(10_000),
    };
    let refusal = World::new().refused(request(1, money));
    assert_eq!(
        refusal,
        Refusal::CurrencyNotSupported {
            currency: money.currency
        }
    );
}

#[test]
fn a_deposit_is_at_least_a_cent_and_at_most_a_hundred_thousand_dollars() {
    let mut world = World::new();
    for outside in [0, 9_999, 100_000_000_001] {
        assert!(matches!(
            world.refused(request(1, usd(outside))),
            Refusal::DepositOutOfRange { .. }
        ));
    }
    for (number, inside) in [(1, 10_000), (2, 100_000_000_000)] {
        world.done(request(number, usd(inside)));
    }
}

#[test]
fn a_deposit_that_nobody_asked_for_is_not_found() {
    let mut world = World::new();
    let deposit = id(1);
    assert_eq!(
        world.refused(confirm(1, "r", usd(10_000))),
        Refusal::DepositNotFound { deposit }
    );
    assert_eq!(
        world.refused(reject(1, "r", "no")),
        Refusal::DepositNotFound { deposit }
    );
}

#[test]
fn a_deposit_is_decided_once() {
    let mut world = World::new();
    let deposit = id(1);
    world.done(request(1, usd(10_000)));
    world.done(confirm(1, "r1", usd(10_000)));
    let state = "CONFIRMED";
    assert_eq!(
        world.refused(reject(1, "r1", "no")),
        Refusal::DepositDecided { deposit, state }
    );
    assert_eq!(
        world.refused(confirm(1, "r2", usd(10_000))),
        Refusal::DepositDecided { deposit, state }
    );

    let deposit = id(2);
    world.done(request(2, usd(10_000)));
    world.done(reject(2, "r2", "no"));
    let state = "REJECTED";
    assert_eq!(
        world.refused(confirm(2, "r2", usd(10_000))),
        Refusal::DepositDecided { deposit, state }
    );
    assert_eq!(
        world.refused(reject(2, "r3", "no")),
        Refusal::DepositDecided { deposit, state }
    );
}

#[test]
fn a_payment_pays_one_deposit() {
    let mut world = World::new();
    world.done(request(1, usd(10_000)));
    world.done(request(2, usd(10_000)));
    world.done(confirm(1, "r1", usd(10_000)));
    let Refusal::PaymentTaken { deposit, .. } = world.refused(confirm(2, "r1", usd(10_000))) else {
        panic!()
    };
    assert_eq!(deposit, id(1));
    // Another event of the same payment is no other payment.
    let command = ConfirmDeposit {
        deposit: id(2),
        event: rail_event("r1", 2),
        money: usd(10_000),
    };
    assert!(matches!(
        world.refused(Command::ConfirmDeposit(command)),
        Refusal::PaymentTaken { .. }
    ));
    assert_eq!(world.available(1), 10_000);
}

#[test]
fn a_payment_pays_one_deposit_within_a_batch_too() {
    let mut world = World::new();
    world.done(request(1, usd(10_000)));
    world.done(request(2, usd(10_000)));
    let items = [confirm(1, "r1", usd(10_000)), confirm(2, "r1", usd(10_000))].map(|command| {
        (
            Item {
                command,
                journal: world.next_journal(),
            },
            world.now,
        )
    });
    let answers = world.batch(&items);
    assert!(matches!(
        answers[..],
        [Ok(Outcome::Applied(_)), Err(Refusal::PaymentTaken { .. })]
    ));
}

#[test]
fn a_deposit_arrives_by_its_rail_and_in_full() {
    let mut world = World::new();
    world.done(request(1, usd(10_000)));
    assert!(matches!(
        world.refused(confirm(1, "r1", usd(9_999))),
        Refusal::MoneyDiffers { .. }
    ));
    let payment = Payment {
        rail: "card".parse().unwrap(),
        reference: "r1".parse().unwrap(),
    };
    let event = RailEvent { payment, number: 1 };
    let (deposit, money) = (id(1), usd(10_000));
    let confirmed = ConfirmDeposit {
        deposit,
        event: event.clone(),
        money,
    };
    assert!(matches!(
        world.refused(Command::ConfirmDeposit(confirmed)),
        Refusal::RailDiffers { .. }
    ));
    let rejected = RejectDeposit {
        deposit,
        event,
        reason: "no".parse().unwrap(),
    };
    assert!(matches!(
        world.refused(Command::RejectDeposit(rejected)),
        Refusal::RailDiffers { .. }
    ));
}

#[test]
fn an_award_needs_its_whole_escrow_available() {
    let mut world = World::new();
    world.done(request(1, usd(139_999)));
    world.done(confirm(1, "r1", usd(139_999)));
    world.done(request(2, usd(10_000)));
    world.done(confirm(2, "r2", usd(10_000)));
    let (available, needed) = (usd(149_999), usd(150_000));
    assert_eq!(
        world.refused(place(1)),
        Refusal::InsufficientFunds {
            tenant: tenant(1),
            available,
            needed
        }
    );
    // To the last micro it is enough, and once.
    world.done(place_on(
        1,
        Terms {
            escrow: micros(149_999),
            ..terms()
        },
    ));
    assert_eq!(world.available(1), 0);
    assert!(matches!(
        world.refused(place(2)),
        Refusal::InsufficientFunds { .. }
    ));
}

#[test]
fn money_of_another_currency_does_not_help() {
    let mut world = World::funded();
    let terms = Terms {
        currency: "AEX".parse().unwrap(),
        ..terms()
    };
    assert!(matches!(
        world.refused(place_on(1, terms)),
        Refusal::InsufficientFunds { .. }
    ));
}

#[test]
fn who_owes_something_gets_no_new_hold() {
    let mut world = World::funded();
    world.owes(tenant(1), USD, micros(1));
    let owed = usd(1);
    assert_eq!(
        world.refused(place(1)),
        Refusal::DebtOutstanding {
            tenant: tenant(1),
            owed
        }
    );
    // What the provider owes does not matter, and a repaid debt does not either.
    world.owes(tenant(2), USD, micros(1));
    world.done(request(2, usd(10_000)));
    world.done(confirm(2, "r2", usd(10_000)));
    world.done(place(1));
}

#[test]
fn nobody_trades_with_itself_but_the_internal_tier() {
    let mut world = World::funded();
    let own = Parties {
        payee: tenant(1),
        ..parties()
    };
    for tier in Tier::ALL.into_iter().filter(|tier| *tier != Tier::Internal) {
        let terms = Terms { tier, ..terms() };
        let command = PlaceHold {
            contract: contract(1),
            parties: own,
            terms,
        };
        assert_eq!(
            world.refused(Command::PlaceHold(command)),
            Refusal::SameTenant { tenant: tenant(1) }
        );
    }
}

#[test]
fn an_escrow_covers_a_price_that_is_more_than_nothing() {
    let mut world = World::funded();
    for (base, escrow) in [(0, 0), (0, 150_000), (80_000, 79_999)] {
        let terms = Terms {
            base: micros(base),
            escrow: micros(escrow),
            ..terms()
        };
        assert!(matches!(
            world.refused(place_on(1, terms)),
            Refusal::EscrowTooSmall { .. }
        ));
    }
}

#[test]
fn a_dispute_window_is_within_the_policy() {
    let bounded = Policy {
        dispute_window_min: HOUR,
        ..policy()
    };
    let mut world = World::under(bounded).with_deposit();
    for dispute_window in [std::time::Duration::ZERO, 8 * DAY] {
        let terms = Terms {
            dispute_window,
            ..terms()
        };
        assert!(matches!(
            world.refused(place_on(1, terms)),
            Refusal::WindowOutOfRange { .. }
        ));
    }
    world.done(place_on(
        1,
        Terms {
            dispute_window: HOUR,
            ..terms()
        },
    ));
    world.done(place_on(
        2,
        Terms {
            dispute_window: 7 * DAY,
            ..terms()
        },
    ));
}

#[test]
fn a_contract_without_a_hold_cannot_be_settled() {
    let contract = contract(1);
    assert_eq!(
        World::new().refused(settle(1, 1)),
        Refusal::HoldNotFound { contract }
    );
    assert_eq!(
        World::new().refused(elapse(1, Timer::Overdue)),
        Refusal::HoldNotFound { contract }
    );
}

#[test]
fn a_contract_never_costs_more_than_its_escrow() {
    let mut world = World::funded();
    world.done(place(1));
    assert!(matches!(
        world.refused(settle(1, 150_001)),
        Refusal::GrossAboveEscrow { .. }
    ));
}

#[test]
fn what_is_settled_cannot_be_released_and_what_is_released_cannot_be_settled() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    assert_eq!(
        world.refused(release(1)),
        Refusal::HoldCaptured {
            contract: contract(1)
        }
    );
    world.done(place(2));
    world.done(release(2));
    assert_eq!(
        world.refused(settle(2, 80_000)),
        Refusal::HoldReleased {
            contract: contract(2)
        }
    );
}

#[test]
fn what_is_going_back_cannot_be_settled() {
    let mut world = World::funded();
    world.done(place(1));
    let not_before = world.now.saturating_add(DAY);
    world.done(release_at(1, not_before));
    let contract = contract(1);
    assert_eq!(
        world.refused(settle(1, 80_000)),
        Refusal::HoldReleasing { contract, not_before }
    );
}

#[test]
fn a_tombstone_refuses_a_later_hold() {
    let mut world = World::funded();
    let released = world.done(release(1));
    assert_eq!(
        (released.name(), released.journal.as_ref()),
        ("hold.released", None)
    );
    assert!(released.visible_to().is_empty());
    assert_eq!(
        world.refused(place(1)),
        Refusal::HoldReleased {
            contract: contract(1)
        }
    );
    assert_eq!(
        world.refused(settle(1, 80_000)),
        Refusal::HoldReleased {
            contract: contract(1)
        }
    );
}
