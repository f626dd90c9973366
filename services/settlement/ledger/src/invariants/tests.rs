//! The assertions against rules that are wrong: what no command can bring about, made by hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aex_types::{Amount, BasisPoints, Currency, Id, Tier, Timestamp, id::Named};
use uuid::Uuid;

use super::*;
use crate::{
    Balance, Books, BusinessKey, Command, Elapse, Item, Line, Outcome, Parties, PayoutHolds, PlaceHold,
    Policy, Reason, Refusal, Rows, Settle, Terms, Timer, Touched, books::Slot,
};

fn id<T: Named>(number: u128) -> Id<T> {
    Uuid::from_u128(number).into()
}

fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

/// A trade of 80 000 with an escrow of 150 000, and the consumer's account.
fn books() -> (Books, Vec<Command>, Account) {
    let policy = Policy {
        version: 1,
        fee: BasisPoints::new(1500).unwrap(),
        payout_holds: PayoutHolds::NONE,
        dispute_window_min: Duration::ZERO,
        dispute_window_max: Duration::ZERO,
        deposits: BTreeMap::new(),
    };
    let (contract, consumer) = (id(1), id(1));
    let parties = Parties {
        consumer,
        provider: id(1),
        payee: id(2),
    };
    let terms = Terms {
        currency: Currency::USD,
        base: micros(80_000),
        escrow: micros(150_000),
        tier: Tier::Verified,
        dispute_window: Duration::ZERO,
        deadline: Timestamp::EPOCH,
    };
    let commands = vec![
        Command::PlaceHold(PlaceHold {
            contract,
            parties,
            terms,
        }),
        Command::Settle(Settle {
            contract,
            currency: Currency::USD,
            gross: micros(80_000),
        }),
        Command::Elapse(Elapse {
            contract,
            timer: Timer::ClosePayout,
        }),
    ];
    let mut books = Books::open(Arc::new(policy), &Touched::by(&commands), Rows::default());
    let accounts: BTreeSet<_> = books.accounts(&commands);
    let purse = Account::available(consumer, Currency::USD);
    let funds = Balance::ZERO.after(Side::Credit, micros(200_000)).unwrap();
    books.load(&accounts, [(purse, funds)]);
    (books, commands, purse)
}

fn apply(books: &mut Books, command: &Command) -> Event {
    let item = Item {
        command: command.clone(),
        journal: id(1),
    };
    let Ok(Outcome::Applied(event)) = books.apply(&item, Timestamp::EPOCH) else {
        panic!()
    };
    *event
}

/// What the assertions say about the last of some commands, after something was done to its event.
fn judge(count: usize, tamper: impl FnOnce(&mut Event)) -> Result<(), Violation> {
    let (mut books, commands, _) = books();
    let mut event = commands
        .iter()
        .take(count)
        .map(|command| apply(&mut books, command))
        .last()
        .unwrap();
    tamper(&mut event);
    let hold = books.holds().next().copied().unwrap();
    let after = After {
        moved: &BTreeMap::new(),
        loaded: &books.accounts,
    };
    of_contract(&event, &hold, &after)
}

fn lines(event: &mut Event) -> &mut Vec<Line> {
    &mut event.journal.as_mut().unwrap().lines
}

#[test]
fn what_the_rules_make_passes() {
    for count in 1..=3 {
        assert_eq!(judge(count, |_| {}), Ok(()));
    }
}

#[test]
fn a_journal_that_does_not_balance_breaks_l1() {
    let unbalanced = |found| matches!(found, Err(Violation::Unbalanced { .. }));
    assert!(unbalanced(
        judge(1, |event| lines(event)[0].amount = micros(150_001))
    ));
    assert!(unbalanced(judge(2, |event| lines(event).truncate(2))));
    // A line of nothing.
    assert!(unbalanced(judge(1, |event| {
        let nothing = Line {
            amount: Amount::ZERO,
            ..lines(event)[0]
        };
        lines(event).push(nothing);
    })));
    assert!(unbalanced(judge(1, |event| lines(event)[0].amount = Amount::ZERO)));
    assert!(unbalanced(judge(1, |event| {
        event.journal.as_mut().unwrap().currency = "AEX".parse().unwrap();
    })));
}

#[test]
fn a_journal_of_other_figures_or_accounts_breaks_l6() {
    let wrong = |found| matches!(found, Err(Violation::Figures { .. }));
    // Half of it, balanced.
    assert!(wrong(judge(1, |event| lines(event)
        .iter_mut()
        .for_each(|line| line.amount = micros(75_000)))));
    // All of it, to somewhere else.
    assert!(wrong(judge(1, |event| {
        lines(event)[1].account = Account::pending(id(1), Currency::USD);
    })));
    // All of it, and something besides.
    assert!(wrong(judge(1, |event| {
        let other = Account::available(id(3), Currency::USD);
        for side in [Side::Debit, Side::Credit] {
            let (amount, reason) = (micros(1), Reason::Principal);
            lines(event).push(Line {
                account: other,
                side,
                amount,
                reason,
                entry: None,
            });
        }
    })));
    // Nothing at all.
    assert!(wrong(judge(1, |event| event.journal = None)));
}

#[test]
fn a_fee_that_is_not_the_rate_of_the_gross_amount_breaks_l6() {
    for fee in [11_999, 12_001] {
        let found = judge(2, |event| {
            let Change::ContractSettled(settlement) = &mut event.change else {
                panic!()
            };
            (settlement.fee, settlement.payout) = (micros(fee), micros(80_000 - fee));
            let lines = lines(event);
            (lines[1].amount, lines[2].amount) = (micros(80_000 - fee), micros(fee));
        });
        assert!(matches!(found, Err(Violation::Figures { .. })), "{found:?}");
    }
}

#[test]
fn a_credit_that_passes_by_a_debt_is_seen() {
    let (mut books, commands, _) = books();
    let event = commands
        .iter()
        .map(|command| apply(&mut books, command))
        .last()
        .unwrap();
    let hold = books.holds().next().copied().unwrap();
    let receivable = Account::receivable(id(2), Currency::USD);
    let row = books.accounts.get_mut(&receivable).unwrap();
    row.balance = row.balance.after(Side::Debit, micros(1)).unwrap();
    let after = After {
        moved: &BTreeMap::new(),
        loaded: &books.accounts,
    };
    let account = Account::available(id(2), Currency::USD);
    assert_eq!(
        of_contract(&event, &hold, &after),
        Err(Violation::DebtNotRepaid { account })
    );
    // An account that nobody looked at is as good as a debt.
    let after = After {
        moved: &BTreeMap::new(),
        loaded: &BTreeMap::new(),
    };
    assert_eq!(
        of_contract(&event, &hold, &after),
        Err(Violation::DebtNotRepaid { account })
    );
}

#[test]
fn a_key_that_was_posted_in_this_batch_breaks_l8() {
    let (mut books, commands, purse) = books();
    let (Some(place), Some(contract)) = (commands.first(), commands[0].contract()) else {
        panic!()
    };
    apply(&mut books, place);
    // As if the hold had been forgotten and the money put back.
    books.holds.insert(contract, Slot::ABSENT);
    let row = books.accounts.get_mut(&purse).unwrap();
    row.balance = row.balance.after(Side::Credit, micros(150_000)).unwrap();
    let item = Item {
        command: place.clone(),
        journal: id(2),
    };
    let key = BusinessKey::Hold(contract);
    assert_eq!(
        books.apply(&item, Timestamp::EPOCH),
        Err(Refusal::Unsound(Violation::PostedTwice { key }))
    );
}
