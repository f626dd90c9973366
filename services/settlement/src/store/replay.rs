//! Rebuilds the tables from events, by the same folds and the same writes as the live run.

use std::collections::BTreeMap;

use aex_kit::Call;
use aex_settlement_ledger::{Delta, Deposit, DepositState, Event, Hold, Rail, Subject};
use aex_store::{Failure, Store};
use aex_types::{ContractId, DepositId};

use super::{Jobs, Known, accounts, deposits, holds, post};
use crate::Error;

/// Folds events into the tables, in their order within each contract and deposit, and sets the timers that the state
/// then has.
pub(crate) async fn replay(store: &Store, call: &mut Call, events: &[Event]) -> Result<(), Error> {
    let mut of_holds: BTreeMap<ContractId, Vec<&Event>> = BTreeMap::new();
    let mut of_deposits: BTreeMap<DepositId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        match event.subject {
            Subject::Contract { contract, .. } => of_holds.entry(contract).or_default().push(event),
            Subject::Deposit { deposit, .. } => of_deposits.entry(deposit).or_default().push(event),
        }
    }
    let deltas = Delta::of(events).map_err(|error| Failure::corrupt(error.to_string()))?;
    let mut jobs = Jobs::default();
    store
        .fold(async |folding| -> Result<(), Error> {
            let sql = folding.sql();
            let rows = aex_settlement_ledger::Rows {
                holds: holds::lock(sql, of_holds.keys().copied()).await?,
                deposits: deposits::lock(sql, of_deposits.keys().copied()).await?,
                payments: Vec::new(),
            };
            let known = Known::of(&rows);
            let mut holds_before: BTreeMap<_, _> =
                rows.holds.into_iter().map(|hold| (hold.contract, hold)).collect();
            let mut deposits_before: BTreeMap<_, _> = rows
                .deposits
                .into_iter()
                .map(|deposit| (deposit.id, deposit))
                .collect();
            let holds_after: Vec<Hold> = of_holds
                .iter()
                .map(|(contract, events)| fold(holds_before.remove(contract), events, Hold::after))
                .collect::<Result<_, _>>()?;
            let deposits_after: Vec<Deposit> = of_deposits
                .iter()
                .map(|(deposit, events)| fold(deposits_before.remove(deposit), events, Deposit::after))
                .collect::<Result<_, _>>()?;
            post(sql, events).await?;
            accounts::add(sql, &deltas).await?;
            holds::save(sql, &known.holds, holds_after.iter()).await?;
            deposits::save(sql, &known.deposits, deposits_after.iter()).await?;
            for hold in &holds_after {
                jobs.of_hold(hold.contract, Some(hold));
            }
            for deposit in deposits_after.iter().filter(|deposit| deposit.rail == Rail::TEST) {
                let is_pending = deposit.state == DepositState::Pending;
                jobs.of_deposit(deposit.id, is_pending.then_some(deposit.request_time));
            }
            Ok(())
        })
        .await?;
    store.work(call, async |tx| Ok(jobs.save(tx).await?)).await
}

fn fold<T, E: std::fmt::Display>(
    before: Option<T>,
    events: &[&Event],
    after: impl Fn(Option<T>, &Event) -> Result<T, E>,
) -> Result<T, Failure> {
    let mut state = before;
    for event in events {
        state = Some(after(state, event).map_err(|error| Failure::corrupt(error.to_string()))?);
    }
    state.ok_or_else(|| Failure::corrupt("a subject without an event"))
}
