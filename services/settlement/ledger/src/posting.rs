//! How a command becomes true: decided, entered, folded, checked, and only then written into the working set.

use std::collections::BTreeMap;

use aex_types::{JournalId, Timestamp};

use crate::{
    Account, Balance, Books, Command, Deposit, DepositState, Event, Hold, Item, Journal, Outcome, Refusal,
    Subject, Violation,
    books::{Row, Slot},
    draft::Draft,
    invariants::{self, After},
    rules::{self, Decision, Verdict},
};

impl Books {
    /// Does one command, on top of those before. A refusal leaves everything as it was.
    ///
    /// `now` may lie before the last event of a contract or deposit, when clocks disagree; what is recorded then bears
    /// that event's time.
    pub fn apply(&mut self, item: &Item, now: Timestamp) -> Result<Outcome, Refusal> {
        let now = now.max(self.last_time(&item.command));
        match rules::decide(self, &item.command, now)? {
            Verdict::Already(journal) => Ok(Outcome::Already(journal)),
            Verdict::New(decision) => {
                let event = self.record(*decision, item.journal, now)?;
                Ok(Outcome::Applied(Box::new(event)))
            }
        }
    }

    /// When the last event was of what a command is about.
    fn last_time(&self, command: &Command) -> Timestamp {
        let hold = command
            .contract()
            .and_then(|contract| self.hold(contract).ok().flatten());
        let deposit = command
            .deposit()
            .and_then(|deposit| self.deposit(deposit).ok().flatten());
        hold.map(|hold| hold.time)
            .or(deposit.map(|deposit| deposit.time))
            .unwrap_or(Timestamp::EPOCH)
    }

    /// Makes a decision true: everything that can fail comes first, then nothing can.
    fn record(&mut self, decision: Decision, id: JournalId, now: Timestamp) -> Result<Event, Refusal> {
        let Decision {
            subject,
            change,
            draft,
        } = decision;
        let mut moved = BTreeMap::new();
        let journal = draft
            .map(|draft| self.enter(draft, id, now, &mut moved))
            .transpose()?;
        let event = |version| Event {
            subject,
            version,
            time: now,
            change,
            journal,
        };
        match subject {
            Subject::Contract { contract, .. } => {
                let before = self.hold(contract)?.copied();
                let event = event(before.map_or(0, |hold| hold.version).saturating_add(1));
                let after = Hold::after(before, &event).map_err(Violation::from)?;
                let accounts = After {
                    moved: &moved,
                    loaded: &self.accounts,
                };
                invariants::of_contract(&event, &after, &accounts)?;
                self.holds.insert(contract, Slot::changed(after));
                Ok(self.commit(event, moved))
            }
            Subject::Deposit { deposit, .. } => {
                let before = self.deposit(deposit)?.cloned();
                let event = event(
                    before
                        .as_ref()
                        .map_or(0, |deposit| deposit.version)
                        .saturating_add(1),
                );
                let after = Deposit::after(before, &event).map_err(Violation::from)?;
                let accounts = After {
                    moved: &moved,
                    loaded: &self.accounts,
                };
                invariants::of_deposit(&event, &after, &accounts)?;
                if let DepositState::Confirmed { event, .. } | DepositState::Rejected { event, .. } =
                    &after.state
                {
                    self.payments.insert(event.payment.clone(), Some(deposit));
                }
                self.deposits.insert(deposit, Slot::changed(after));
                Ok(self.commit(event, moved))
            }
        }
    }

    /// The journal of a draft: each line with its place in its account. The rows go to `moved`, not yet to the books.
    fn enter(
        &self,
        draft: Draft,
        id: JournalId,
        now: Timestamp,
        moved: &mut BTreeMap<Account, Row>,
    ) -> Result<Journal, Refusal> {
        let Draft {
            kind,
            key,
            currency,
            effective_time,
            mut lines,
        } = draft;
        if self.posted.contains(&key) {
            return Err(Violation::PostedTwice { key }.into());
        }
        for line in lines
            .iter_mut()
            .filter(|line| !line.account.code().is_append_only())
        {
            let (account, code) = (line.account, line.account.code());
            let row = moved
                .get(&account)
                .copied()
                .map_or_else(|| self.row(&account), Ok)?;
            let add = |balance: Balance| balance.after(line.side, line.amount);
            let row = add(row.balance)
                .zip(add(row.moved))
                .map(|(balance, moved)| Row { balance, moved });
            let row = row.ok_or(Violation::Overflow { account })?;
            let entry = row
                .balance
                .entry(code.normal_side())
                .ok_or(Violation::Overdrawn { account })?;
            line.entry = Some(entry);
            moved.insert(account, row);
        }
        let effective_time = effective_time.unwrap_or(now);
        Ok(Journal {
            id,
            kind,
            key,
            currency,
            post_time: now,
            effective_time,
            lines,
        })
    }

    fn commit(&mut self, event: Event, moved: BTreeMap<Account, Row>) -> Event {
        self.accounts.extend(moved);
        self.posted
            .extend(event.journal.iter().map(|journal| journal.key.clone()));
        event
    }
}
