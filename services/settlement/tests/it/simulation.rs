//! Random commands, duplicated and out of order, against a model of what everybody should have.

use std::collections::BTreeMap;

use aex_kit::Principal;
use aex_proto::aex::settlement::v1 as pb;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::fixture::{Settlement, deposit, release, settle};

/// A contract of the model, amounts in micros.
#[derive(Debug, Clone)]
enum State {
    Held(u64),
    Settled { escrow: u64, price: u64 },
    Released,
}

struct Trade {
    award: pb::PlaceHoldRequest,
    amount: u64,
    consumer: usize,
    payee: usize,
    state: Option<State>,
}

#[derive(Default)]
struct Model {
    deposited: BTreeMap<usize, u64>,
    trades: Vec<Trade>,
}

const fn fee(price: u64) -> u64 {
    (price * 1500 + 5000) / 10_000
}

fn decimal(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Model {
    fn available(&self, tenant: usize) -> u64 {
        let deposited = self.deposited.get(&tenant).copied().unwrap_or_default();
        let out: u64 = self
            .trades
            .iter()
            .filter(|trade| trade.consumer == tenant)
            .map(|trade| match trade.state {
                Some(State::Held(escrow) | State::Settled { escrow, .. }) => escrow,
                _ => 0,
            })
            .sum();
        deposited - out
    }

    fn escrow(&self, tenant: usize) -> u64 {
        let trades = self.trades.iter().filter(|trade| trade.consumer == tenant);
        trades
            .map(|trade| match trade.state {
                Some(State::Held(escrow)) => escrow,
                Some(State::Settled { escrow, price }) => escrow - price,
                _ => 0,
            })
            .sum()
    }

    fn pending(&self, tenant: usize) -> u64 {
        let trades = self.trades.iter().filter(|trade| trade.payee == tenant);
        trades
            .map(|trade| match trade.state {
                Some(State::Settled { price, .. }) => price - fee(price),
                _ => 0,
            })
            .sum()
    }
}

async fn play(seed: u64, steps: usize) {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut settlement = Settlement::new().await;
    let mut tenants: Vec<Principal> = Vec::new();
    for name in ["Ada", "Bob", "Cyd", "Dot"] {
        tenants.push(settlement.tenant(name).await);
    }
    let mut model = Model::default();
    for step in 0..steps {
        let what = format!("seed {seed} step {step}");
        match dice.random_range(0..10) {
            0 | 1 => {
                let (tenant, micros) = (dice.random_range(0..4), dice.random_range(10_000..5_000_000));
                let request = deposit("test", &decimal(micros));
                for _ in 0..dice.random_range(1..3) {
                    let mut client = settlement.client(&tenants[tenant]);
                    client.request_deposit(request.clone()).await.unwrap();
                }
                *model.deposited.entry(tenant).or_default() += micros;
            }
            2..=4 => {
                let consumer = dice.random_range(0..4);
                let payee = (consumer + dice.random_range(1..4)) % 4;
                let amount = dice.random_range(1..2_000_000);
                let award = settlement.award(&tenants[consumer], &tenants[payee], &decimal(amount));
                model.trades.push(Trade {
                    award,
                    amount,
                    consumer,
                    payee,
                    state: None,
                });
            }
            action if !model.trades.is_empty() => {
                let place = dice.random_range(0..model.trades.len());
                let available = model.available(model.trades[place].consumer);
                let trade = &mut model.trades[place];
                let id = trade.award.contract_id.clone();
                match action {
                    5 | 6 => {
                        let done = settlement.engine.place_hold(trade.award.clone()).await.is_ok();
                        let expected = match trade.state {
                            None => available >= trade.amount,
                            Some(State::Released) => false,
                            Some(_) => true,
                        };
                        assert_eq!(done, expected, "{what}: place {:?}", trade.state);
                        if done && trade.state.is_none() {
                            trade.state = Some(State::Held(trade.amount));
                        }
                    }
                    7 | 8 => {
                        let price = match trade.state {
                            Some(State::Settled { price, .. }) if dice.random_bool(0.5) => price,
                            _ => dice.random_range(0..=trade.amount),
                        };
                        let request = settle(&id, &decimal(price));
                        let done = settlement.engine.settle_contract(request).await.is_ok();
                        let expected = match trade.state {
                            Some(State::Held(_)) => true,
                            Some(State::Settled { price: before, .. }) => before == price,
                            _ => false,
                        };
                        assert_eq!(done, expected, "{what}: settle {:?}", trade.state);
                        if let (true, Some(State::Held(escrow))) = (done, trade.state.clone()) {
                            trade.state = Some(State::Settled { escrow, price });
                        }
                    }
                    _ => {
                        let done = settlement.engine.release_hold(release(&id)).await.is_ok();
                        let expected = !matches!(trade.state, Some(State::Settled { .. }));
                        assert_eq!(done, expected, "{what}: release {:?}", trade.state);
                        if done {
                            trade.state = Some(State::Released);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    for (number, tenant) in tenants.iter().enumerate() {
        let expected = [
            decimal(model.available(number)),
            decimal(model.escrow(number)),
            decimal(model.pending(number)),
            "0".to_owned(),
        ];
        assert_eq!(settlement.balance(tenant).await, expected, "seed {seed}");
    }
    settlement.assert_clean().await;
}

#[tokio::test]
async fn random_commands_leave_everybody_with_what_the_model_says() {
    for seed in 0..4 {
        play(seed, 150).await;
    }
}

#[tokio::test]
async fn all_commands_of_many_contracts_at_once_in_any_order_keep_the_books() {
    let mut settlement = Settlement::new().await;
    let (ada, bob) = settlement.traders("30").await;
    let mut dice = StdRng::seed_from_u64(7);
    let mut tasks = Vec::new();
    for _ in 0..60 {
        let award = settlement.award(&ada, &bob, "1");
        // Each contract's commands twice, in an order of their own, without waiting for each other.
        for _ in 0..8 {
            let (mut engine, award, action) =
                (settlement.engine.clone(), award.clone(), dice.random_range(0..4));
            tasks.push(tokio::spawn(async move {
                let id = award.contract_id.clone();
                match action {
                    0 | 1 => drop(engine.place_hold(award).await),
                    2 => drop(engine.settle_contract(settle(&id, "0.333333")).await),
                    _ => drop(engine.release_hold(release(&id)).await),
                }
            }));
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    settlement.assert_clean().await;
}
