//! A journal being written: lines without their places.

use aex_types::{Amount, Currency, TenantId, Timestamp};

use crate::{Account, BusinessKey, JournalKind, Line, Reason, Side, Violation};

/// A journal before it has an id and its lines have their places. A line of nothing is left out.
pub(crate) struct Draft {
    pub kind: JournalKind,
    pub key: BusinessKey,
    pub currency: Currency,
    /// When it takes effect, when that is not the time of posting.
    pub effective_time: Option<Timestamp>,
    pub lines: Vec<Line>,
}

impl Draft {
    pub(crate) fn new(kind: JournalKind, key: BusinessKey, currency: Currency) -> Self {
        Self {
            kind,
            key,
            currency,
            effective_time: None,
            lines: Vec::with_capacity(4),
        }
    }

    /// For a timer: it takes effect at its deadline, whenever it ran.
    pub(crate) fn effective(self, time: Timestamp) -> Self {
        Self {
            effective_time: Some(time),
            ..self
        }
    }

    pub(crate) fn debit(self, account: Account, amount: Amount, reason: Reason) -> Self {
        self.line(account, Side::Debit, amount, reason)
    }

    pub(crate) fn credit(self, account: Account, amount: Amount, reason: Reason) -> Self {
        self.line(account, Side::Credit, amount, reason)
    }

    /// Credits what a tenant may spend, and repays first what it owes, in the same journal (decisions §3.7).
    pub(crate) fn pay(
        self,
        tenant: TenantId,
        parts: &[(Amount, Reason)],
        owed: Amount,
    ) -> Result<Self, Violation> {
        let account = Account::available(tenant, self.currency);
        let receivable = Account::receivable(tenant, self.currency);
        let paid = parts
            .iter()
            .try_fold(Amount::ZERO, |sum, (amount, _)| sum.checked_add(*amount));
        let repaid = paid.ok_or(Violation::Overflow { account })?.min(owed);
        let credit =
            |draft: Self, (amount, reason): &(Amount, Reason)| draft.credit(account, *amount, *reason);
        let credited = parts.iter().fold(self, credit);
        Ok(credited
            .debit(account, repaid, Reason::Clawback)
            .credit(receivable, repaid, Reason::Clawback))
    }

    /// The draft, unless there is nothing to post.
    pub(crate) fn unless_empty(self) -> Option<Self> {
        (!self.lines.is_empty()).then_some(self)
    }

    fn line(mut self, account: Account, side: Side, amount: Amount, reason: Reason) -> Self {
        if !amount.is_zero() {
            self.lines.push(Line {
                account,
                side,
                amount,
                reason,
                entry: None,
            });
        }
        self
    }
}
