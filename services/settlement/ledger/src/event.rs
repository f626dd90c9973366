//! What happened to the money of a contract or to a deposit: everything that replay needs to rebuild the books.

use std::fmt;

use aex_types::{ContractId, DepositId, Money, TenantId, Timestamp};

use crate::{Journal, Parties, Posted, Rail, RailEvent, Rates, RejectReason, Settlement, Terms};

/// What an event is about, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A deposit.
    Deposit {
        /// Which.
        deposit: DepositId,
        /// Whose.
        tenant: TenantId,
    },
    /// A contract.
    Contract {
        /// Which.
        contract: ContractId,
        /// Whose; nobody knows when it was released before its money was reserved.
        parties: Option<Parties>,
    },
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deposit { deposit, .. } => fmt::Display::fmt(deposit, f),
            Self::Contract { contract, .. } => fmt::Display::fmt(contract, f),
        }
    }
}

/// One thing that happened, with the journal that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it happened to.
    pub subject: Subject,
    /// From 1, without a gap, within the subject.
    pub version: u64,
    /// When; never earlier than the subject's event before.
    pub time: Timestamp,
    /// What happened.
    pub change: Change,
    /// The money that moved; none when nothing moved.
    pub journal: Option<Journal>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `deposit.requested`: a tenant wants to bring money in; nothing moves.
    DepositRequested {
        /// How much.
        money: Money,
        /// By which way.
        rail: Rail,
    },
    /// `deposit.confirmed`: it arrived and is available.
    DepositConfirmed {
        /// What the rail said.
        event: RailEvent,
    },
    /// `deposit.rejected`: it will not arrive; nothing moves.
    DepositRejected {
        /// What the rail said.
        event: RailEvent,
        /// Why.
        reason: RejectReason,
    },
    /// `hold.placed`: the escrow of an award is reserved.
    HoldPlaced {
        /// On which terms.
        terms: Terms,
        /// At which rates.
        rates: Rates,
    },
    /// `hold.release_scheduled`: the contract failed, and its escrow goes back when its dispute window is over.
    HoldReleaseScheduled {
        /// From when on.
        not_before: Timestamp,
    },
    /// `hold.released`: the escrow went back to the consumer; without a journal, there was none and will be none.
    HoldReleased {
        /// The earliest moment that the release asked for.
        not_before: Option<Timestamp>,
    },
    /// `contract.settled`: the escrow was split into fee, payout and residual.
    ContractSettled(Settlement),
    /// `hold.residual_released`: the residual went back to the consumer.
    ResidualReleased,
    /// `hold.payout_released`: the payout is available to the provider.
    PayoutReleased,
    /// `hold.overdue`: the contract did not end by its deadline; nothing moves.
    HoldOverdue {
        /// The deadline.
        deadline: Timestamp,
    },
}

impl Event {
    /// Its type in the event ledger.
    pub const fn name(&self) -> &'static str {
        match self.change {
            Change::DepositRequested { .. } => "deposit.requested",
            Change::DepositConfirmed { .. } => "deposit.confirmed",
            Change::DepositRejected { .. } => "deposit.rejected",
            Change::HoldPlaced { .. } => "hold.placed",
            Change::HoldReleaseScheduled { .. } => "hold.release_scheduled",
            Change::HoldReleased { .. } => "hold.released",
            Change::ContractSettled(_) => "contract.settled",
            Change::ResidualReleased => "hold.residual_released",
            Change::PayoutReleased => "hold.payout_released",
            Change::HoldOverdue { .. } => "hold.overdue",
        }
    }

    /// The tenants that may see it, at most two.
    ///
    /// The lines of a journal carry balances. Each event therefore shows to those alone whose accounts it moves; only
    /// the settlement, which moves nothing but the contract's own accounts and the fee, shows to both parties.
    pub fn visible_to(&self) -> Vec<TenantId> {
        let parties = match self.subject {
            Subject::Deposit { tenant, .. } => return vec![tenant],
            Subject::Contract { parties: None, .. } => return Vec::new(),
            Subject::Contract {
                parties: Some(parties),
                ..
            } => parties,
        };
        match self.change {
            Change::ContractSettled(_) if parties.consumer != parties.payee => {
                vec![parties.consumer, parties.payee]
            }
            Change::PayoutReleased => vec![parties.payee],
            _ => vec![parties.consumer],
        }
    }

    /// Whether it is the next one after the version that a subject has.
    pub(crate) fn follows(&self, version: u64) -> bool {
        version.checked_add(1) == Some(self.version)
    }

    pub(crate) fn posted(&self) -> Posted {
        Posted {
            journal: self.journal.as_ref().map(|journal| journal.id),
            time: self.time,
        }
    }
}
