//! A journal as a tenant reads it on its statement.

use std::{fmt, str::FromStr};

use aex_types::{Amount, TenantId};

use crate::{AccountCode, Journal, JournalKind, Line, Owner, Reason, Side, Subject, UnknownName};

/// The kind of a line on a statement.
///
/// The first ten are the names that were published (money page §3.3). The last four are added, because a statement
/// that leaves out what is reserved and what is released does not explain its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryType {
    /// `contract_base_charge`: what a contract cost the consumer, up to the base price; paid from its escrow.
    ContractBaseCharge,
    /// `contract_bonus_charge`: the bonus, likewise.
    ContractBonusCharge,
    /// `contract_penalty_credit`: what a penalty took off the base price.
    ContractPenaltyCredit,
    /// `deposit`: money that came in.
    Deposit,
    /// `refund`: money given back. Not made yet.
    Refund,
    /// `contract_base_earning`: what the provider earned, less the fee; not available yet.
    ContractBaseEarning,
    /// `contract_bonus_earning`: its share of the bonus, likewise.
    ContractBonusEarning,
    /// `contract_penalty_debit`: a penalty, shown on its own. Not made yet.
    ContractPenaltyDebit,
    /// `platform_fee`: the fee that the earnings are already less by. For information, no deduction.
    PlatformFee,
    /// `withdrawal`: money that went out. Not made yet.
    Withdrawal,
    /// `escrow_hold`: reserved for a contract.
    EscrowHold,
    /// `escrow_release`: reserved, not needed, and available again.
    EscrowRelease,
    /// `payout_release`: earned before, and available now.
    PayoutRelease,
    /// `debt_repayment`: taken for what the tenant owes the exchange.
    DebtRepayment,
}

impl EntryType {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::ContractBaseCharge,
        Self::ContractBonusCharge,
        Self::ContractPenaltyCredit,
        Self::Deposit,
        Self::Refund,
        Self::ContractBaseEarning,
        Self::ContractBonusEarning,
        Self::ContractPenaltyDebit,
        Self::PlatformFee,
        Self::Withdrawal,
        Self::EscrowHold,
        Self::EscrowRelease,
        Self::PayoutRelease,
        Self::DebtRepayment,
    ];

    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContractBaseCharge => "contract_base_charge",
            Self::ContractBonusCharge => "contract_bonus_charge",
            Self::ContractPenaltyCredit => "contract_penalty_credit",
            Self::Deposit => "deposit",
            Self::Refund => "refund",
            Self::ContractBaseEarning => "contract_base_earning",
            Self::ContractBonusEarning => "contract_bonus_earning",
            Self::ContractPenaltyDebit => "contract_penalty_debit",
            Self::PlatformFee => "platform_fee",
            Self::Withdrawal => "withdrawal",
            Self::EscrowHold => "escrow_hold",
            Self::EscrowRelease => "escrow_release",
            Self::PayoutRelease => "payout_release",
            Self::DebtRepayment => "debt_repayment",
        }
    }
}

impl FromStr for EntryType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownName)
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLine {
    /// Its place among the lines of the journal, from 0.
    pub line: u32,
    /// The kind of account that moved.
    pub account: AccountCode,
    /// The place of the line in the tenant's own account, where that is what moved.
    pub seq: Option<u64>,
    /// Its kind.
    pub entry_type: EntryType,
    /// Credit: for the tenant. Debit: against it.
    pub direction: Side,
    /// How much, more than nothing.
    pub amount: Amount,
    /// What the tenant may spend after it. Only where that changed: charges come from what was reserved before,
    /// earnings are not available yet, and a fee is information.
    pub balance_after: Option<Amount>,
}

/// The lines of a journal about `subject` that a tenant sees, in their order. Never a line or balance of the other
/// party.
#[must_use]
pub fn statement(subject: &Subject, journal: &Journal, tenant: TenantId) -> Vec<StatementLine> {
    let lines = (0_u32..).zip(&journal.lines);
    lines
        .filter_map(|(number, line)| {
            let read = statement_line(subject, journal.kind, line, tenant)?;
            Some(StatementLine { line: number, ..read })
        })
        .collect()
}

fn statement_line(
    subject: &Subject,
    kind: JournalKind,
    line: &Line,
    tenant: TenantId,
) -> Option<StatementLine> {
    let (code, side, reason) = (line.account.code(), line.side, line.reason);
    let (entry_type, direction) = if code == AccountCode::Available {
        if line.account.owner() != Owner::Tenant(tenant) {
            return None;
        }
        (of_available(kind, side, reason)?, side)
    } else {
        let Subject::Contract {
            parties: Some(parties),
            ..
        } = subject
        else {
            return None;
        };
        if kind != JournalKind::Settle {
            return None;
        }
        let (is_consumer, is_payee) = (parties.consumer == tenant, parties.payee == tenant);
        match (code, side, reason) {
            (AccountCode::Escrow, Side::Debit, Reason::Base) if is_consumer => {
                (EntryType::ContractBaseCharge, Side::Debit)
            }
            (AccountCode::Escrow, Side::Debit, Reason::Bonus) if is_consumer => {
                (EntryType::ContractBonusCharge, Side::Debit)
            }
            (AccountCode::Pending, Side::Credit, Reason::Base) if is_payee => {
                (EntryType::ContractBaseEarning, Side::Credit)
            }
            (AccountCode::Pending, Side::Credit, Reason::Bonus) if is_payee => {
                (EntryType::ContractBonusEarning, Side::Credit)
            }
            (AccountCode::FeeRevenue, Side::Credit, Reason::Fee) if is_payee => {
                (EntryType::PlatformFee, Side::Debit)
            }
            _ => return None,
        }
    };
    let entry = line.entry.filter(|_| code == AccountCode::Available);
    let balance_after = entry.map(|entry| entry.balance_after);
    Some(StatementLine {
        line: 0,
        account: code,
        seq: entry.map(|entry| entry.seq),
        entry_type,
        direction,
        amount: line.amount,
        balance_after,
    })
}

/// What a line on a tenant's own account is called.
const fn of_available(kind: JournalKind, side: Side, reason: Reason) -> Option<EntryType> {
    match (kind, side, reason) {
        (_, Side::Debit, Reason::Clawback) => Some(EntryType::DebtRepayment),
        (_, Side::Credit, Reason::PenaltyCredit) => Some(EntryType::ContractPenaltyCredit),
        (JournalKind::Deposit, Side::Credit, Reason::Principal) => Some(EntryType::Deposit),
        (JournalKind::AwardHold, Side::Debit, Reason::Principal) => Some(EntryType::EscrowHold),
        (JournalKind::HoldRelease, Side::Credit, Reason::Principal)
        | (JournalKind::WindowClose, Side::Credit, Reason::UnusedBonus) => Some(EntryType::EscrowRelease),
        (JournalKind::WindowClose, Side::Credit, Reason::Payout) => Some(EntryType::PayoutRelease),
        _ => None,
    }
}
