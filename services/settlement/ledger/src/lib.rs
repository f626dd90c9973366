//! The books of the exchange: who has what, and by which rules it moves. Pure: no I/O, no clock, no wire types.
//!
//! Money moves by journals, whose lines balance in one currency. What posts them is about a contract ([`Hold`]) or a
//! [`Deposit`]; each command decides at most one [`Event`], which carries its journal, so that the events rebuild
//! everything. [`Books`] is the working set of a batch and the way in.
//!
//! The figures are those of money page §4.7 (`E` escrow, `B` base price, `G` gross):
//!
//! | what | debit | credit |
//! |---|---|---|
//! | deposit confirmed | CASH | AVAILABLE of the tenant |
//! | hold at the award | AVAILABLE of the consumer `E` | ESCROW of the contract `E` |
//! | settlement | ESCROW `G` | PENDING of the contract `G − fee(G)`, FEE_REVENUE `fee(G)` |
//! | residual, after the dispute window | ESCROW `E − G` | AVAILABLE of the consumer |
//! | payout, after the payout hold | PENDING | AVAILABLE of the provider's tenant |
//! | failure, expiry, cancel | ESCROW `E` | AVAILABLE of the consumer |
//! | each credit to AVAILABLE of a debtor, besides | AVAILABLE | RECEIVABLE of the same tenant |
//!
//! Bonus and penalty, disputes, withdrawals, refunds and charge-backs are not here yet. Their journal kinds and
//! accounts have names, and [`Settle`] takes `G` as it is given.

mod account;
mod award;
mod balance;
mod books;
mod command;
mod delta;
mod deposit;
mod draft;
mod event;
mod hold;
mod invariants;
mod journal;
mod key;
mod policy;
mod posting;
mod refusal;
mod rules;
mod statement;
mod touched;

pub use account::{Account, AccountCode, Class, Owner, Side, UnknownName};
pub use award::{Award, Parties, Posted, Rates, Settlement, Terms};
pub use balance::{Balance, Total};
pub use books::{Books, Outcome, Rows};
pub use command::{
    Command, ConfirmDeposit, Elapse, Item, PlaceHold, RejectDeposit, Release, RequestDeposit, Settle,
};
pub use delta::Delta;
pub use deposit::{Deposit, DepositState, RejectReason};
pub use event::{Change, Event, Subject};
pub use hold::{Captured, Held, Hold, Released, State, Timer};
pub use journal::{Entry, Journal, JournalKind, Line, Reason};
pub use key::{BusinessKey, KeyError, Payment, Rail, RailEvent, Reference};
pub use policy::{DepositLimits, PayoutHold, PayoutHolds, Policy};
pub use refusal::{Missing, Refusal, Unfoldable, Violation};
pub use statement::{EntryType, StatementLine, statement};
pub use touched::Touched;
