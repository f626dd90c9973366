//! Rebuilds the tables from events, by the same folds and the same writes as the live run.

use std::collections::BTreeMap;

use aex_settlement_ledger::{Delta, Deposit, Event, Hold, Subject};
use aex_store::{Due, Failure, Store};
use aex_types::{ContractId, DepositId};

use super::{Known, accounts, demanded_by_deposit, demanded_by_hold, deposits, holds, post};
use crate::Error;

/// Folds events into the tables, in their order within each contract and deposit, and sets the timers that the state
/// then has.
pub(crate) async fn replay(store: &Store, events: &[Event]) -> Result<(), Error> {
    let mut of_holds: BTreeMap<ContractId, Vec<&Event>> = BTreeMap::new();
    let mut of_deposits: BTreeMap<DepositId, Vec<&Event>> = BTreeMap::new();
    for event in events {
        match event.subject {
            Subject::Contract { contract, .. } => of_holds.entry(contract).or_default().push(event),
            Subject::Deposit { deposit, .. } => of_deposits.entry(deposit).or_default().push(event),
        }
    }
    let deltas = Delta::of(events).map_err(|error| Failure::corrupt(error.to_string()))?;
    store
        .fold(async |folding| -> Result<(), Error> {
            let sql = folding.sql();
            let rows = aex_settlement_ledger::Rows {
                holds: holds::lock(sql, of_holds.keys().copied()).await?,
                deposits: deposits::lock(sql, of_deposits.keys().copied()).await?,
                payments: Vec::new(),
            };
            let known = Known::of(&rows);
            let demanded_before = demanded(&rows.holds, &rows.deposits);
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
            folding
                .rearm(&demanded_before, &demanded(&holds_after, &deposits_after))
                .await?;
            Ok(())
        })
        .await
}

fn demanded(holds: &[Hold], deposits: &[Deposit]) -> Vec<Due> {
    let of_holds = holds.iter().flat_map(demanded_by_hold);
    of_holds
        .chain(deposits.iter().filter_map(demanded_by_deposit))
        .collect()
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
