//! Random runs: contracts and deposits, and what is asked about them.

use std::time::Duration;

use aex_settlement_ledger::*;
use aex_types::{Currency, Money, Tier, Timestamp};
use proptest::{prelude::*, sample::Index};

use crate::{checks::*, world::*};

/// One run: what the contracts and deposits are like, who owes something at the start, and what is asked.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub trades: Vec<Trade>,
    deposits: Vec<(u64, bool, u64)>,
    debts: Vec<(u64, bool, u64)>,
    steps: Vec<(Step, u32, u32)>,
    pub sizes: Vec<usize>,
    pub order: Vec<Index>,
}

#[derive(Debug, Clone)]
pub(crate) struct Trade {
    sides: (u64, u64),
    is_token: bool,
    base: u64,
    bonus: u64,
    tier: Tier,
    window_hours: u32,
    deadline_hours: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Request(Index),
    Confirm(Index, u64, u32),
    Reject(Index, u64),
    /// One in a few asks for other terms than the trade has.
    Place(Index, u8),
    /// In thousandths of the base price.
    Settle(Index, u64),
    Release(Index, Option<u32>),
    Elapse(Index, Timer),
    /// The n-th contract that is held: it ends, by settlement or release.
    End(Index, Result<u64, Option<u32>>),
    /// The n-th timer that runs anywhere.
    Work(Index),
    /// What was asked before.
    Again(Index),
}

pub(crate) fn currency(is_token: bool) -> Currency {
    if is_token { "AEX".parse().unwrap() } else { USD }
}

pub(crate) fn trade() -> impl Strategy<Value = Trade> {
    let base = prop_oneof![2 => 1..=20_u64, 6 => 1..=200_000_u64, 1 => 1..=9_999_999_999_u64];
    let bonus = prop_oneof![Just(0), 1..=400_000_u64];
    let tier = prop::sample::select(Tier::ALL.to_vec());
    // The same tenant on both sides is rare, and mostly allowed.
    let sides = prop_oneof![
        8 => (1..=4_u64, 1..=3_u64, tier).prop_map(|(consumer, step, tier)| ((consumer, (consumer + step - 1) % 4 + 1), tier)),
        1 => (1..=4_u64, prop::bool::weighted(0.2)).prop_map(|(tenant, is_refused)| {
            ((tenant, tenant), if is_refused { Tier::Verified } else { Tier::Internal })
        }),
    ];
    (
        sides,
        prop::bool::weighted(0.2),
        base,
        bonus,
        0..=96_u32,
        1..=200_u32,
    )
        .prop_map(
            |((sides, tier), is_token, base, bonus, window_hours, deadline_hours)| Trade {
                sides,
                is_token,
                base,
                bonus,
                tier,
                window_hours,
                deadline_hours,
            },
        )
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let timers = [
        Timer::Overdue,
        Timer::Release,
        Timer::CloseResidual,
        Timer::ClosePayout,
    ];
    let thousandths = || prop_oneof![3 => Just(1000_u64), 1 => 0..=1500_u64];
    let wait = || prop::option::of(0..=48_u32);
    prop_oneof![
        8 => any::<Index>().prop_map(Step::Request),
        10 => (any::<Index>(), prop_oneof![4 => Just(0), 1 => 1..=3_u64], 1..=2_u32)
            .prop_map(|(deposit, payment, number)| Step::Confirm(deposit, payment, number)),
        3 => (any::<Index>(), 0..=3_u64).prop_map(|(deposit, payment)| Step::Reject(deposit, payment)),
        36 => (any::<Index>(), 0..=19_u8).prop_map(|(trade, variant)| Step::Place(trade, variant)),
        2 => (any::<Index>(), thousandths()).prop_map(|(trade, gross)| Step::Settle(trade, gross)),
        1 => (any::<Index>(), wait()).prop_map(|(trade, wait)| Step::Release(trade, wait)),
        24 => (any::<Index>(), thousandths()).prop_map(|(held, gross)| Step::End(held, Ok(gross))),
        5 => (any::<Index>(), wait()).prop_map(|(held, wait)| Step::End(held, Err(wait))),
        1 => (any::<Index>(), prop::sample::select(timers.to_vec()))
            .prop_map(|(trade, timer)| Step::Elapse(trade, timer)),
        36 => any::<Index>().prop_map(Step::Work),
        8 => any::<Index>().prop_map(Step::Again),
    ]
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let purse = || {
        (
            1..=4_u64,
            prop::bool::weighted(0.2),
            prop_oneof![10_000..=1_000_000_u64, 10_000..=90_000_000_000_u64],
        )
    };
    let debt = (1..=4_u64, prop::bool::weighted(0.2), 1..=100_000_u64);
    (
        prop::collection::vec(trade(), 1..=24),
        prop::collection::vec(purse(), 1..=8),
        prop::collection::vec(debt, 0..=3),
        prop::collection::vec((step(), 0..=30_u32, 0..=5_u32), 60..=240),
        prop::collection::vec(1..=20_usize, 8),
        prop::collection::vec(any::<Index>(), 32),
    )
        .prop_map(|(trades, deposits, debts, steps, sizes, order)| Case {
            trades,
            deposits,
            debts,
            steps,
            sizes,
            order,
        })
}

impl Case {
    /// Every tenant has a little money, and some owe something.
    pub(crate) fn world(&self) -> World {
        let mut world = World::new();
        for (number, is_token) in (1..=4).flat_map(|number| [(number, false), (number, true)]) {
            let name = 1000 + 2 * number + u64::from(is_token);
            let money = Money {
                currency: currency(is_token),
                amount: micros(2_000_000),
            };
            let (deposit, tenant) = (id(name), tenant(number));
            world.done(Command::RequestDeposit(RequestDeposit {
                deposit,
                tenant,
                money,
                rail: Rail::TEST,
            }));
            world.done(confirm(name, &format!("opening-{name}"), money));
        }
        self.with_debts(world)
    }

    pub(crate) fn with_debts(&self, mut world: World) -> World {
        for &(owner, is_token, amount) in &self.debts {
            world.owes(tenant(owner), currency(is_token), micros(amount));
        }
        world
    }

    /// The command of a step; `None` when there is nothing for it to be about.
    fn command(&self, step: &Step, world: &World, asked: &[Timed]) -> Option<Command> {
        let trade = |index: &Index| (index.index(self.trades.len()) as u64 + 1, index.get(&self.trades));
        let deposit = |index: &Index| {
            (
                index.index(self.deposits.len()) as u64 + 1,
                index.get(&self.deposits),
            )
        };
        let money = |is_token: bool, amount| Money {
            currency: currency(is_token),
            amount: micros(amount),
        };
        let payment = |number, other| {
            rail_event(
                &format!("ref:{}", if other == 0 { number } else { 100 + other }),
                1,
            )
        };
        let release = |number, wait: Option<u32>| {
            let not_before = wait.map(|hours| world.now.saturating_add(hours * HOUR));
            Command::Release(Release {
                contract: contract(number),
                not_before,
            })
        };
        Some(match step {
            Step::Request(index) => {
                let (number, &(owner, is_token, amount)) = deposit(index);
                let (deposit, tenant) = (id(number), tenant(owner));
                let money = money(is_token, amount);
                Command::RequestDeposit(RequestDeposit {
                    deposit,
                    tenant,
                    money,
                    rail: Rail::TEST,
                })
            }
            Step::Confirm(index, other, event_number) => {
                let (number, &(_, is_token, amount)) = deposit(index);
                let event = RailEvent {
                    number: *event_number,
                    ..payment(number, *other)
                };
                let money = money(is_token, amount + u64::from(*other == 3));
                Command::ConfirmDeposit(ConfirmDeposit {
                    deposit: id(number),
                    event,
                    money,
                })
            }
            Step::Reject(index, other) => {
                let (number, _) = deposit(index);
                let reason = "no".parse().unwrap();
                let event = payment(number, *other);
                Command::RejectDeposit(RejectDeposit {
                    deposit: id(number),
                    event,
                    reason,
                })
            }
            Step::Place(index, variant) => {
                let (number, trade) = trade(index);
                let (parties, terms) = trade.award(*variant == 19);
                Command::PlaceHold(PlaceHold {
                    contract: contract(number),
                    parties,
                    terms,
                })
            }
            Step::Settle(index, thousandths) => {
                let (number, trade) = trade(index);
                settle(number, trade.base * thousandths / 1000)
            }
            Step::Release(index, wait) => release(trade(index).0, *wait),
            Step::End(index, end) => {
                let is_held = |number: &u64| {
                    let hold = world.holds.get(&contract(*number));
                    hold.is_some_and(|hold| matches!(hold.state, State::Held(_)))
                };
                let numbers = (1..).zip(&self.trades).filter(|(number, _)| is_held(number));
                let open: Vec<_> = numbers.collect();
                let &(number, trade) = (!open.is_empty()).then(|| index.get(&open))?;
                match end {
                    Ok(thousandths) => settle(number, trade.base * thousandths / 1000),
                    Err(wait) => release(number, *wait),
                }
            }
            Step::Elapse(index, timer) => elapse(trade(index).0, *timer),
            Step::Work(index) => {
                let timers = world
                    .holds
                    .values()
                    .flat_map(|hold| hold.timers().map(|(timer, _)| (hold.contract, timer)));
                let timers: Vec<_> = timers.collect();
                let &(contract, timer) = (!timers.is_empty()).then(|| index.get(&timers))?;
                Command::Elapse(Elapse { contract, timer })
            }
            Step::Again(index) => (!asked.is_empty()).then(|| index.get(asked))?.0.command.clone(),
        })
    }

    /// Runs it, a transaction for each command, and looks at the books after each.
    pub(crate) fn run(&self) -> (World, Vec<Timed>, Vec<Result<Outcome, Refusal>>) {
        let (mut world, mut asked, mut answers) = (self.world(), Vec::new(), Vec::new());
        for (step, hours, minutes_back) in &self.steps {
            world.wait(*hours * HOUR / 2);
            let Some(command) = self.command(step, &world, &asked) else {
                continue;
            };
            let now = world
                .now
                .saturating_sub(Duration::from_mins(u64::from(*minutes_back)));
            let before = (world.holds.clone(), world.events.len());
            let timed = (
                Item {
                    command,
                    journal: world.next_journal(),
                },
                now,
            );
            let answer = world.batch(std::slice::from_ref(&timed)).remove(0);
            if let Err(refusal) = &answer {
                assert!(!refusal.is_alarm(), "{timed:?}: {refusal}");
            }
            assert_eq!(
                world.events.len() - before.1,
                usize::from(matches!(answer, Ok(Outcome::Applied(_))))
            );
            assert_legal(&before.0, &world.holds);
            assert_balanced(&world);
            asked.push(timed);
            answers.push(answer);
        }
        (world, asked, answers)
    }
}

impl Trade {
    fn award(&self, is_other: bool) -> (Parties, Terms) {
        let (consumer, payee) = (tenant(self.sides.0), tenant(self.sides.1));
        let parties = Parties {
            consumer,
            payee,
            ..parties()
        };
        let terms = Terms {
            currency: currency(self.is_token),
            base: micros(self.base),
            escrow: micros(self.base + self.bonus + u64::from(is_other)),
            tier: self.tier,
            dispute_window: self.window_hours * HOUR,
            deadline: Timestamp::EPOCH.saturating_add(self.deadline_hours * HOUR),
        };
        (parties, terms)
    }
}
