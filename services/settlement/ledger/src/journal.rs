//! A journal: lines that belong together and balance.

use std::{fmt, str::FromStr};

use aex_types::{Amount, Currency, JournalId, Timestamp};

use crate::{Account, BusinessKey, Side, UnknownName};

/// What kind of business a journal records. Money page §4.5 with decisions §3.4.
///
/// Deposits, holds, releases, settlements and the closing of windows are posted today; the others are names that
/// later postings will use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each is the name of its business, spelled out in money page §4.7"
)]
pub enum JournalKind {
    Deposit,
    DepositReversal,
    ChargebackReversed,
    AwardHold,
    HoldRelease,
    Settle,
    WindowClose,
    Adjust,
    Clawback,
    Refund,
    DisputeHold,
    DisputeResolve,
    WithdrawRequest,
    WithdrawComplete,
    WithdrawFail,
    Recovery,
    WriteOff,
    RailCost,
    Reward,
    TreasuryTransfer,
    RevenueSweep,
}

impl JournalKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::Deposit,
        Self::DepositReversal,
        Self::ChargebackReversed,
        Self::AwardHold,
        Self::HoldRelease,
        Self::Settle,
        Self::WindowClose,
        Self::Adjust,
        Self::Clawback,
        Self::Refund,
        Self::DisputeHold,
        Self::DisputeResolve,
        Self::WithdrawRequest,
        Self::WithdrawComplete,
        Self::WithdrawFail,
        Self::Recovery,
        Self::WriteOff,
        Self::RailCost,
        Self::Reward,
        Self::TreasuryTransfer,
        Self::RevenueSweep,
    ];

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "DEPOSIT",
            Self::DepositReversal => "DEPOSIT_REVERSAL",
            Self::ChargebackReversed => "CHARGEBACK_REVERSED",
            Self::AwardHold => "AWARD_HOLD",
            Self::HoldRelease => "HOLD_RELEASE",
            Self::Settle => "SETTLE",
            Self::WindowClose => "WINDOW_CLOSE",
            Self::Adjust => "ADJUST",
            Self::Clawback => "CLAWBACK",
            Self::Refund => "REFUND",
            Self::DisputeHold => "DISPUTE_HOLD",
            Self::DisputeResolve => "DISPUTE_RESOLVE",
            Self::WithdrawRequest => "WITHDRAW_REQUEST",
            Self::WithdrawComplete => "WITHDRAW_COMPLETE",
            Self::WithdrawFail => "WITHDRAW_FAIL",
            Self::Recovery => "RECOVERY",
            Self::WriteOff => "WRITE_OFF",
            Self::RailCost => "RAIL_COST",
            Self::Reward => "REWARD",
            Self::TreasuryTransfer => "TREASURY_TRANSFER",
            Self::RevenueSweep => "REVENUE_SWEEP",
        }
    }
}

impl FromStr for JournalKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownName)
    }
}

impl fmt::Display for JournalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a line is there. For reports; no rule reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The base price, or the provider's share of it.
    Base,
    /// A bonus, or the provider's share of it.
    Bonus,
    /// What a penalty took off the base price, back to the consumer.
    PenaltyCredit,
    /// What was reserved for bonuses and not earned, back to the consumer.
    UnusedBonus,
    /// The platform's fee.
    Fee,
    /// A fee given back.
    FeeReversal,
    /// What the provider earned becomes available.
    Payout,
    /// What a tenant owes the exchange is taken, or is paid back.
    Clawback,
    /// Money itself: a deposit, what is reserved, what is released.
    Principal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Base,
        Self::Bonus,
        Self::PenaltyCredit,
        Self::UnusedBonus,
        Self::Fee,
        Self::FeeReversal,
        Self::Payout,
        Self::Clawback,
        Self::Principal,
    ];

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "BASE",
            Self::Bonus => "BONUS",
            Self::PenaltyCredit => "PENALTY_CREDIT",
            Self::UnusedBonus => "UNUSED_BONUS",
            Self::Fee => "FEE",
            Self::FeeReversal => "FEE_REVERSAL",
            Self::Payout => "PAYOUT",
            Self::Clawback => "CLAWBACK",
            Self::Principal => "PRINCIPAL",
        }
    }
}

impl FromStr for Reason {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(UnknownName)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The place of a line among those of its account, fixed under the account's lock.
///
/// The entries of an account number its lines 1, 2, 3 … without a gap and chain their balances, which lets one scan
/// prove that every posting saw the one before it (I2). They travel in the event, so that replay need not see the
/// events of different contracts in the order of the live run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// From 1, without a gap, within the account.
    pub seq: u64,
    /// What stands on the account after the line, on its normal side.
    pub balance_after: Amount,
}

/// One line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which account.
    pub account: Account,
    /// In which column.
    pub side: Side,
    /// How much, more than nothing.
    pub amount: Amount,
    /// Why.
    pub reason: Reason,
    /// Its place in the account; none on an append-only account, which nobody locks.
    pub entry: Option<Entry>,
}

/// Lines that belong together: their debits equal their credits (L1), and all are of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// Its id.
    pub id: JournalId,
    /// The kind of business.
    pub kind: JournalKind,
    /// What it is about; posted once (L8).
    pub key: BusinessKey,
    /// The currency of every line.
    pub currency: Currency,
    /// When it was posted.
    pub post_time: Timestamp,
    /// When it takes effect: for a timer its stored deadline, else the time of posting.
    pub effective_time: Timestamp,
    /// The lines, in the order in which they were posted; at least two.
    pub lines: Vec<Line>,
}
