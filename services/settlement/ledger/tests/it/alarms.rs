//! Books that are wrong refuse the item that finds out, and nothing else.

use aex_settlement_ledger::*;

use crate::world::*;

/// Puts a wrong balance on an account, then asks.
fn with_wrong(account: Account, debit: u64, credit: u64, command: Command) -> Refusal {
    let mut world = World::funded();
    world.done(place(1));
    world.done(place(2));
    world.done(settle(2, 80_000));
    world.wait(DAY);
    let wrong = Balance::ZERO.after(Side::Debit, micros(debit)).unwrap();
    world
        .accounts
        .insert(account, wrong.after(Side::Credit, micros(credit)).unwrap());
    let refusal = world.refused(command);
    assert!(refusal.is_alarm(), "{refusal}");
    // The rest of the books goes on.
    world.done(request(9, usd(10_000)));
    refusal
}

#[test]
fn an_account_that_would_be_overdrawn_is_an_alarm() {
    let escrow = Account::escrow(contract(1), USD);
    let overdrawn = Refusal::Unsound(Violation::Overdrawn { account: escrow });
    assert_eq!(with_wrong(escrow, 0, 79_999, settle(1, 80_000)), overdrawn);
    assert_eq!(with_wrong(escrow, 1, 0, release(1)), overdrawn);
    let available = Account::available(tenant(1), USD);
    let overdrawn = Refusal::Unsound(Violation::Overdrawn { account: available });
    assert_eq!(with_wrong(available, 1, 0, place(3)), overdrawn);
}

#[test]
fn an_account_that_is_not_what_its_contract_says_is_an_alarm() {
    for (account, command) in [
        (Account::escrow(contract(1), USD), settle(1, 80_000)),
        (Account::escrow(contract(1), USD), release(1)),
        (Account::escrow(contract(2), USD), elapse(2, Timer::CloseResidual)),
        (Account::pending(contract(2), USD), elapse(2, Timer::ClosePayout)),
        (Account::pending(contract(1), USD), settle(1, 80_000)),
        (Account::escrow(contract(3), USD), place(3)),
    ] {
        let found = with_wrong(account, 0, 1_000_000, command);
        assert_eq!(found, Refusal::Unsound(Violation::ContractAccount { account }));
    }
}

#[test]
fn a_total_that_does_not_fit_its_column_is_an_alarm() {
    let mut world = World::funded();
    let account = Account::available(tenant(1), USD);
    let full = Balance {
        debit_total: Total::MAX,
        credit_total: Total::MAX,
        lines: 9,
    };
    world.accounts.insert(account, full);
    world.done(request(2, usd(10_000)));
    let refusal = world.refused(confirm(2, "r2", usd(10_000)));
    assert_eq!(refusal, Refusal::Unsound(Violation::Overflow { account }));
    assert_eq!(Total::MAX.to_string(), "999999999999999999.999999");
}

#[test]
fn figures_that_are_not_those_of_the_terms_are_an_alarm() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 80_000));
    world.wait(DAY);
    let hold = world.holds.get_mut(&contract(1)).unwrap();
    let State::Captured(captured) = &mut hold.state else {
        panic!()
    };
    captured.settlement.residual = micros(69_999);
    let refusal = world.refused(elapse(1, Timer::CloseResidual));
    assert!(
        matches!(refusal, Refusal::Unsound(Violation::Figures { .. })),
        "{refusal}"
    );
    let hold = world.holds.get_mut(&contract(1)).unwrap();
    let State::Captured(captured) = &mut hold.state else {
        panic!()
    };
    captured.settlement.payout = micros(67_999);
    let refusal = world.refused(elapse(1, Timer::ClosePayout));
    assert!(
        matches!(refusal, Refusal::Unsound(Violation::Figures { .. })),
        "{refusal}"
    );
}

#[test]
fn what_was_not_loaded_is_not_taken_for_nothing() {
    let world = World::funded();
    let item = |command| Item {
        command,
        journal: id(99),
    };
    let asked = |books: &mut Books, command| books.apply(&item(command), world.now);

    let mut books = world.open(&[]);
    let missing = Missing::Contract(contract(1));
    assert_eq!(asked(&mut books, place(1)), Err(Refusal::NotLoaded(missing)));
    let missing = Missing::Deposit(id(1));
    assert_eq!(
        asked(&mut books, request(1, usd(10_000))),
        Err(Refusal::NotLoaded(missing))
    );

    let touched = Touched::by(&[place(1)]);
    let mut books = Books::open(world.policy.clone(), &touched, Rows::default());
    let refusal = asked(&mut books, place(1)).unwrap_err();
    assert!(matches!(refusal, Refusal::NotLoaded(Missing::Account(_))) && refusal.is_alarm());
}

#[test]
fn a_history_that_cannot_be_is_not_folded() {
    let mut world = World::funded();
    let placed = world.done(place(1));
    let settled = world.done(settle(1, 80_000));
    let held = Hold::after(None, &placed).unwrap();
    assert!(
        Hold::after(None, &settled).is_err(),
        "a settlement before the hold"
    );
    assert!(Hold::after(Some(held), &placed).is_err(), "a hold twice");
    let gap = Event {
        version: 3,
        ..settled.clone()
    };
    assert!(Hold::after(Some(held), &gap).is_err(), "an event is missing");
    world.done(place(2));
    let other = world.done(settle(2, 80_000));
    assert!(Hold::after(Some(held), &other).is_err(), "of another contract");
    assert!(Deposit::after(None, &placed).is_err(), "of no deposit");
    assert!(Hold::after(None, &world.events[0]).is_err(), "of no contract");
    assert!(Hold::after(Some(held), &settled).is_ok());
}

#[test]
fn what_is_over_or_promised_is_not_folded_again() {
    let mut world = World::funded();
    let folded = |world: &World, number: u64, change: &Event| {
        let hold = world.holds[&contract(number)];
        let (version, journal) = (hold.version + 1, None);
        Hold::after(
            Some(hold),
            &Event {
                version,
                journal,
                ..change.clone()
            },
        )
        .is_ok()
    };
    world.done(place(1));
    let settled = world.done(settle(1, 80_000));
    world.wait(DAY);
    let residual = world.done(elapse(1, Timer::CloseResidual));
    let payout = world.done(elapse(1, Timer::ClosePayout));
    assert!(!folded(&world, 1, &settled) && !folded(&world, 1, &residual) && !folded(&world, 1, &payout));

    world.done(place(2));
    let not_before = world.now.saturating_add(2 * DAY);
    let scheduled = world.done(release_at(2, not_before));
    world.done(place(3));
    world.wait(2 * DAY);
    let overdue = world.done(elapse(3, Timer::Overdue));
    assert!(!folded(&world, 3, &overdue), "twice");
    let about = |subject, event: &Event| Event {
        subject,
        ..event.clone()
    };
    assert!(
        !folded(&world, 2, &about(scheduled.subject, &settled)),
        "it is going back"
    );
    assert!(
        !folded(&world, 2, &about(scheduled.subject, &overdue)),
        "it is going back"
    );
    assert!(!folded(&world, 2, &scheduled), "twice");
    let released = world.done(elapse(2, Timer::Release));
    assert!(!folded(&world, 2, &released), "twice");

    let confirmed = world.events[1].clone();
    let deposit = world.deposits.values().next().cloned();
    assert!(
        Deposit::after(
            deposit,
            &Event {
                version: 3,
                ..confirmed
            }
        )
        .is_err(),
        "twice"
    );
}
