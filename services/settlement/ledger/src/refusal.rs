//! What the books say no with.

use std::time::Duration;

use aex_types::{Amount, ContractId, Currency, DepositId, Money, TenantId, Timestamp};

use crate::{Account, BusinessKey, Payment, Subject, Timer};

/// Why a command was not done. The working set is then what it was before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum Refusal {
    #[error("{currency} cannot be deposited")]
    CurrencyNotSupported { currency: Currency },
    #[error("a deposit has to be between {min} and {max}, not {amount}")]
    DepositOutOfRange {
        amount: Amount,
        min: Amount,
        max: Amount,
    },
    #[error("deposit {deposit} was requested with other terms")]
    DepositDiffers { deposit: DepositId },
    #[error("there is no deposit {deposit}")]
    DepositNotFound { deposit: DepositId },
    #[error("deposit {deposit} is already {state}")]
    DepositDecided { deposit: DepositId, state: &'static str },
    #[error("deposit {deposit} is to come by another rail than {payment} does")]
    RailDiffers { deposit: DepositId, payment: Payment },
    #[error("deposit {deposit} asked for {asked}, and {arrived} arrived")]
    MoneyDiffers {
        deposit: DepositId,
        asked: Money,
        arrived: Money,
    },
    #[error("payment {payment} belongs to deposit {deposit}")]
    PaymentTaken { payment: Payment, deposit: DepositId },

    #[error("there is no hold for contract {contract}")]
    HoldNotFound { contract: ContractId },
    #[error("the hold of contract {contract} was released")]
    HoldReleased { contract: ContractId },
    #[error("the hold of contract {contract} goes back to its consumer at {not_before}")]
    HoldReleasing {
        contract: ContractId,
        not_before: Timestamp,
    },
    #[error("the hold of contract {contract} was settled")]
    HoldCaptured { contract: ContractId },
    #[error("{key} was asked for before with other terms")]
    OtherTerms { key: BusinessKey },
    #[error("tenant {tenant} cannot trade with itself")]
    SameTenant { tenant: TenantId },
    #[error("an escrow of {escrow} cannot cover a base price of {base}")]
    EscrowTooSmall { base: Amount, escrow: Amount },
    #[error("a dispute window has to last from {min:?} to {max:?}, not {window:?}")]
    WindowOutOfRange {
        window: Duration,
        min: Duration,
        max: Duration,
    },
    #[error("tenant {tenant} owes the exchange {owed}")]
    DebtOutstanding { tenant: TenantId, owed: Money },
    #[error("tenant {tenant} has {available} available, {needed} are needed")]
    InsufficientFunds {
        tenant: TenantId,
        available: Money,
        needed: Money,
    },
    #[error("contract {contract} cannot cost {gross}, its escrow is {escrow}")]
    GrossAboveEscrow {
        contract: ContractId,
        gross: Amount,
        escrow: Amount,
    },
    #[error("{timer} of contract {contract} is due at {due}")]
    NotDue {
        contract: ContractId,
        timer: Timer,
        due: Timestamp,
    },
    #[error("{timer} of contract {contract} does not run")]
    NothingDue { contract: ContractId, timer: Timer },

    /// A fault of the caller's code, not of its caller: look at what was loaded.
    #[error("the working set was opened without {0}")]
    NotLoaded(Missing),
    /// The books would not have been right. Nobody's fault that asked; raise the alarm.
    #[error(transparent)]
    Unsound(#[from] Violation),
}

impl Refusal {
    /// Whether a person has to look at it: the books or the code around them are wrong.
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::NotLoaded(_) | Self::Unsound(_))
    }
}

/// What a command needs and the working set was not opened with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what its field is")]
pub enum Missing {
    #[error("contract {0}")]
    Contract(ContractId),
    #[error("deposit {0}")]
    Deposit(DepositId),
    #[error("payment {0}")]
    Payment(Payment),
    #[error("account {0}")]
    Account(Account),
}

/// Which rule of the books a posting would have broken. L1 to L8: money page §4.6.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what its fields are")]
pub enum Violation {
    #[error("L1: the journal {key} does not balance in one currency")]
    Unbalanced { key: BusinessKey },
    #[error("L4: {account} would stand on the wrong side, or beyond 10^15")]
    Overdrawn { account: Account },
    #[error("L5: {account} is not what the state of its contract says")]
    ContractAccount { account: Account },
    #[error("L6: the lines about {subject} are not the figures of its terms")]
    Figures { subject: Subject },
    #[error("L8: {key} would be posted twice")]
    PostedTwice { key: BusinessKey },
    #[error("{account} would be credited before its debt is repaid")]
    DebtNotRepaid { account: Account },
    #[error("{account} would turn over more than its columns hold")]
    Overflow { account: Account },
    #[error(transparent)]
    Unfoldable(#[from] Unfoldable),
}

/// An event that cannot follow on what is there: the history is not one of these books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event} of version {version} cannot follow")]
pub struct Unfoldable {
    /// The type of the event.
    pub event: &'static str,
    /// Its version.
    pub version: u64,
}
