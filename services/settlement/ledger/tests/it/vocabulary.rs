//! The names that are stored: each parses back to what it was printed from.

use std::{collections::BTreeSet, str::FromStr};

use aex_settlement_ledger::*;
use aex_types::Tier;
use proptest::prelude::*;

use crate::world::*;

fn names<T: Copy + PartialEq + FromStr>(all: &[T], print: impl Fn(T) -> &'static str) {
    let printed: BTreeSet<_> = all.iter().map(|&value| print(value)).collect();
    assert_eq!(printed.len(), all.len(), "{printed:?}");
    for &value in all {
        assert!(print(value).parse::<T>().is_ok_and(|parsed| parsed == value));
        assert!(format!("{} ", print(value)).parse::<T>().is_err());
    }
}

#[test]
fn every_name_is_read_back() {
    names(&JournalKind::ALL, JournalKind::as_str);
    names(&Reason::ALL, Reason::as_str);
    names(&Tier::ALL, Tier::as_str);
    names(&Timer::ALL, Timer::as_str);
    names(&EntryType::ALL, EntryType::as_str);
    names(&[Side::Debit, Side::Credit], Side::letter);
    assert!("FX_REJECT".parse::<JournalKind>().is_err());
}

#[test]
fn the_chart_is_numbered_in_the_order_of_the_locks() {
    let numbers = AccountCode::ALL.map(AccountCode::number);
    assert!(numbers.is_sorted() && AccountCode::ALL.is_sorted());
    for code in AccountCode::ALL {
        assert_eq!(AccountCode::try_from(code.number()), Ok(code));
    }
    assert!(AccountCode::try_from(1234).is_err());
    let append_only = AccountCode::ALL.into_iter().filter(|code| code.is_append_only());
    assert_eq!(
        append_only.map(AccountCode::number).collect::<Vec<_>>(),
        [1000, 1010, 4000, 5000]
    );
}

#[test]
fn an_account_has_an_owner_that_fits_its_code() {
    let owners = [
        Owner::Tenant(tenant(1)),
        Owner::Contract(contract(1)),
        Owner::Rail(Rail::TEST),
        Owner::Platform,
    ];
    for code in AccountCode::ALL {
        let fitting = owners
            .into_iter()
            .filter_map(|owner| Account::new(code, owner, USD))
            .count();
        assert_eq!(fitting, 1, "{code}");
    }
    let available = Account::available(tenant(1), USD);
    assert_eq!(
        Account::new(AccountCode::Available, Owner::Tenant(tenant(1)), USD),
        Some(available)
    );
}

#[test]
fn what_is_no_rail_reference_or_key_is_refused() {
    for wrong in ["", "Card", "1card", "card_x", "a-name-of-17-char", "cärd", "-"] {
        assert_eq!(wrong.parse::<Rail>(), Err(KeyError::Rail), "{wrong}");
    }
    assert_eq!("test".parse(), Ok(Rail::TEST));
    assert_eq!(
        "a-name-of-16-cha".parse::<Rail>().map(|rail| rail.to_string()),
        Ok("a-name-of-16-cha".to_owned())
    );
    for wrong in ["", "a b", "a\n", "ä", &"x".repeat(129)] {
        assert_eq!(wrong.parse::<Reference>(), Err(KeyError::Reference), "{wrong}");
    }
    let contract = contract(1);
    for wrong in [
        "",
        "hold",
        "hold:",
        "hold:tenant_01h455vb4pex5vsknk084sn02q",
        "deposit:test:r",
        "deposit:test:r:+1",
        "deposit:test:r:01",
        "deposit:Test:r:1",
        "deposit:test::1",
    ] {
        assert_eq!(
            wrong.parse::<BusinessKey>(),
            Err(KeyError::BusinessKey),
            "{wrong}"
        );
    }
    assert!(format!("adjust:{contract}").parse::<BusinessKey>().is_err());
}

proptest! {
    #[test]
    fn a_deposit_key_is_read_back_whatever_its_reference(reference in "[!-~]{1,128}", rail in "[a-z][a-z0-9-]{0,15}", number: u32) {
        let payment = Payment { rail: rail.parse().unwrap(), reference: reference.parse().unwrap() };
        let key = BusinessKey::Deposit(RailEvent { payment, number });
        prop_assert_eq!(key.to_string().parse::<BusinessKey>(), Ok(key));
    }

    #[test]
    fn a_contract_key_is_read_back(number: u64) {
        let contract = contract(number);
        for key in [BusinessKey::Hold(contract), BusinessKey::Release(contract), BusinessKey::Settle(contract), BusinessKey::CloseResidual(contract), BusinessKey::ClosePayout(contract)] {
            prop_assert_eq!(key.contract(), Some(contract));
            prop_assert_eq!(key.to_string().parse::<BusinessKey>(), Ok(key));
        }
    }
}
