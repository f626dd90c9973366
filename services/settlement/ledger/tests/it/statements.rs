//! What a tenant reads, and what it does not get to see.

use aex_settlement_ledger::*;

use crate::world::*;

fn read(event: &Event, number: u64) -> Vec<(&'static str, &'static str, String, Option<String>)> {
    let Some(journal) = &event.journal else {
        return Vec::new();
    };
    let lines = statement(&event.subject, journal, tenant(number)).into_iter();
    let plain = lines.map(|line| {
        let balance = line.balance_after.map(|balance| balance.to_string());
        (
            line.entry_type.as_str(),
            line.direction.letter(),
            line.amount.to_string(),
            balance,
        )
    });
    plain.collect()
}

#[test]
fn each_party_reads_its_own_side_of_a_trade() {
    let mut world = World::new();
    world.done(request(1, usd(10_000_000)));
    let deposited = world.done(confirm(1, "r1", usd(10_000_000)));
    assert_eq!(
        read(&deposited, 1),
        [("deposit", "C", "10".to_owned(), Some("10".to_owned()))]
    );
    assert_eq!(read(&deposited, 2), []);

    let placed = world.done(place(1));
    assert_eq!(
        read(&placed, 1),
        [("escrow_hold", "D", "0.15".to_owned(), Some("9.85".to_owned()))]
    );
    assert_eq!(read(&placed, 2), []);

    let settled = world.done(settle(1, 130_000));
    assert_eq!(
        read(&settled, 1),
        [
            ("contract_base_charge", "D", "0.08".to_owned(), None),
            ("contract_bonus_charge", "D", "0.05".to_owned(), None)
        ]
    );
    assert_eq!(
        read(&settled, 2),
        [
            ("contract_base_earning", "C", "0.068".to_owned(), None),
            ("contract_bonus_earning", "C", "0.0425".to_owned(), None),
            ("platform_fee", "D", "0.0195".to_owned(), None),
        ]
    );

    world.wait(DAY);
    let residual = world.done(elapse(1, Timer::CloseResidual));
    assert_eq!(
        read(&residual, 1),
        [("escrow_release", "C", "0.02".to_owned(), Some("9.87".to_owned()))]
    );
    assert_eq!(read(&residual, 2), []);
    let payout = world.done(elapse(1, Timer::ClosePayout));
    assert_eq!(read(&payout, 1), []);
    assert_eq!(
        read(&payout, 2),
        [(
            "payout_release",
            "C",
            "0.1105".to_owned(),
            Some("0.1105".to_owned())
        )]
    );
}

#[test]
fn a_penalty_and_a_repaid_debt_are_named() {
    let mut world = World::funded();
    world.done(place(1));
    world.done(settle(1, 64_000));
    world.owes(tenant(1), USD, micros(50_000));
    world.wait(DAY);
    assert_eq!(
        read(&world.done(elapse(1, Timer::CloseResidual)), 1),
        [
            (
                "contract_penalty_credit",
                "C",
                "0.016".to_owned(),
                Some("9.866".to_owned())
            ),
            ("escrow_release", "C", "0.07".to_owned(), Some("9.936".to_owned())),
            ("debt_repayment", "D", "0.05".to_owned(), Some("9.886".to_owned())),
        ]
    );
}

#[test]
fn an_event_shows_to_those_alone_whose_accounts_it_moves() {
    let mut world = World::new();
    let (consumer, payee) = (tenant(1), tenant(2));
    assert_eq!(world.done(request(1, usd(10_000_000))).visible_to(), [consumer]);
    assert_eq!(
        world.done(confirm(1, "r1", usd(10_000_000))).visible_to(),
        [consumer]
    );
    assert_eq!(world.done(place(1)).visible_to(), [consumer]);
    assert_eq!(world.done(settle(1, 80_000)).visible_to(), [consumer, payee]);
    world.wait(DAY);
    assert_eq!(
        world.done(elapse(1, Timer::CloseResidual)).visible_to(),
        [consumer]
    );
    assert_eq!(world.done(elapse(1, Timer::ClosePayout)).visible_to(), [payee]);
    for event in &world.events {
        let journals = event.journal.iter().flat_map(|journal| &journal.lines);
        for line in journals.filter(|line| line.entry.is_some()) {
            if let Owner::Tenant(owner) = line.account.owner() {
                assert_eq!(
                    event.visible_to(),
                    [owner],
                    "{} shows the balance of another",
                    event.name()
                );
            }
        }
    }
}
