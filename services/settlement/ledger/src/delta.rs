//! What is added to the totals of accounts: one figure for each, however many lines it has.

use std::collections::BTreeMap;

use crate::{Account, Balance, Event, Violation};

/// What a batch adds to one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta {
    /// To which account; never an append-only one.
    pub account: Account,
    /// The debits, the credits and the number of lines to add.
    pub moved: Balance,
}

impl Delta {
    /// What events add to the accounts, one delta for each in the order of the locks: what replay writes, and for a
    /// batch the same as [`Books::deltas`](crate::Books::deltas).
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Result<Vec<Self>, Violation> {
        let mut moved = BTreeMap::new();
        let journals = events.into_iter().filter_map(|event| event.journal.as_ref());
        for line in journals
            .flat_map(|journal| &journal.lines)
            .filter(|line| line.entry.is_some())
        {
            let before: &mut Balance = moved.entry(line.account).or_default();
            let after = before.after(line.side, line.amount);
            *before = after.ok_or(Violation::Overflow {
                account: line.account,
            })?;
        }
        Ok(moved
            .into_iter()
            .map(|(account, moved)| Self { account, moved })
            .collect())
    }
}
