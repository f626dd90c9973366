//! What stands on an account: two running totals that only grow, and how many lines made them.

use std::fmt;

use aex_types::{Amount, AmountError};
use rust_decimal::Decimal;

use crate::{Entry, Side};

/// A running total of one side of an account: 0 to 10^18 less a micro, six fraction digits, `NUMERIC(24,6)`.
///
/// It is wider than an [`Amount`], because it counts turnover and never shrinks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Total(Decimal);

impl Total {
    /// Nothing yet.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The most that the column holds.
    pub const MAX: Self = Self(Decimal::from_parts(0xA0FF_FFFF, 0x1BCE_CCED, 0xD3C2, false, 6));

    /// The number, with at most six fraction digits.
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// The total with an amount more; `None` beyond the column.
    #[must_use]
    pub fn checked_add(self, amount: Amount) -> Option<Self> {
        self.0
            .checked_add(amount.decimal())
            .and_then(|sum| Self::try_from(sum).ok())
    }

    /// By how much it is above another; `None` when it is below, or by more than an amount can be.
    #[must_use]
    pub fn above(self, other: Self) -> Option<Amount> {
        self.0
            .checked_sub(other.0)
            .and_then(|difference| Amount::try_from(difference).ok())
    }
}

impl TryFrom<Decimal> for Total {
    type Error = AmountError;

    fn try_from(number: Decimal) -> Result<Self, AmountError> {
        let number = number.normalize();
        let fits = number >= Decimal::ZERO && number.scale() <= 6 && number <= Self::MAX.0;
        if fits {
            Ok(Self(number))
        } else {
            Err(AmountError::Range)
        }
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands on an account. It starts with nothing, and every line adds to it.
///
/// The same type counts what a batch added to an account, its delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// The sum of all debit lines.
    pub debit_total: Total,
    /// The sum of all credit lines.
    pub credit_total: Total,
    /// How many lines there are: the `seq` of the last one.
    pub lines: u64,
}

impl Balance {
    /// No line yet.
    pub const ZERO: Self = Self {
        debit_total: Total::ZERO,
        credit_total: Total::ZERO,
        lines: 0,
    };

    /// What stands on a side; `None` when it stands on the other, or exceeds 10^15.
    #[must_use]
    pub fn on(&self, side: Side) -> Option<Amount> {
        match side {
            Side::Debit => self.debit_total.above(self.credit_total),
            Side::Credit => self.credit_total.above(self.debit_total),
        }
    }

    /// The balance with one line more, live and in replay; `None` when a total does not fit its column.
    #[must_use]
    pub fn after(self, side: Side, amount: Amount) -> Option<Self> {
        let lines = self.lines.checked_add(1)?;
        Some(match side {
            Side::Debit => Self {
                debit_total: self.debit_total.checked_add(amount)?,
                lines,
                ..self
            },
            Side::Credit => Self {
                credit_total: self.credit_total.checked_add(amount)?,
                lines,
                ..self
            },
        })
    }

    /// The place of the last line on an account that grows on `side`; `None` when it stands on the other side.
    pub(crate) fn entry(&self, side: Side) -> Option<Entry> {
        Some(Entry {
            seq: self.lines,
            balance_after: self.on(side)?,
        })
    }
}
