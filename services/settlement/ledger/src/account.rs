//! The chart of accounts: which there are, whose each one is, and on which side it stands.

use std::{fmt, str::FromStr};

use aex_types::{ContractId, Currency, TenantId};

use crate::Rail;

/// One of the two columns of the books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The left column: what assets and expenses grow by.
    Debit,
    /// The right column: what liabilities, equity and revenue grow by.
    Credit,
}

impl Side {
    /// The letter that is stored: `D` or `C`.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Debit => "D",
            Self::Credit => "C",
        }
    }
}

impl FromStr for Side {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Debit, Self::Credit]
            .into_iter()
            .find(|side| side.letter() == text)
            .ok_or(UnknownName)
    }
}

/// A text or number that names nothing in this crate's vocabularies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no name that the books know")]
pub struct UnknownName;

/// What an account is for accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// What the exchange has or is owed.
    Asset,
    /// What the exchange owes to tenants.
    Liability,
    /// What its owners put in, and what cannot be assigned yet.
    Equity,
    /// What it earned.
    Revenue,
    /// What it spent.
    Expense,
}

impl Class {
    /// The side on which an account of this class grows.
    pub const fn normal_side(self) -> Side {
        match self {
            Self::Asset | Self::Expense => Side::Debit,
            Self::Liability | Self::Equity | Self::Revenue => Side::Credit,
        }
    }
}

/// The kinds of account, in the order of their numbers, which is the order in which they are locked.
///
/// Chart: money page §4.4, with 3100 and the split of cash of decisions §3.3–3.4. ESCROW, PENDING and DISPUTE are
/// per contract (decisions §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountCode {
    /// 1000: clients' money at a bank, payment provider or on-chain treasury.
    ClientCash,
    /// 1010: the exchange's own money at such a place.
    OwnCash,
    /// 1100: what a tenant owes the exchange after a claw-back or charge-back.
    Receivable,
    /// 1200: deposits that are authorised and not yet there.
    RailClearing,
    /// 2000: what a tenant may spend or withdraw.
    Available,
    /// 2100: what is reserved for a contract, owned by its consumer.
    Escrow,
    /// 2200: what a provider earned with a contract and may not spend yet.
    Pending,
    /// 2300: the gross amount of a contract that is under dispute.
    Dispute,
    /// 2400: a payout that is under way.
    WithdrawalClearing,
    /// 3000: movements at the bank that nobody could match yet; nothing at the close of a day.
    Suspense,
    /// 3100: what the owners of the exchange put in.
    PlatformCapital,
    /// 4000: the platform's fee, net of reversals.
    FeeRevenue,
    /// 5000: fees of rails that the exchange bears.
    RailCost,
    /// 5100: rewards that a rail or the exchange promised.
    RewardCost,
    /// 5200: receivables that were written off.
    BadDebt,
}

/// The kind of owner that an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnerKind {
    Tenant,
    Contract,
    Rail,
    Platform,
}

/// One row of the chart.
struct Row {
    number: u16,
    name: &'static str,
    class: Class,
    owner: OwnerKind,
}

impl AccountCode {
    /// Every code, by number.
    pub const ALL: [Self; 15] = [
        Self::ClientCash,
        Self::OwnCash,
        Self::Receivable,
        Self::RailClearing,
        Self::Available,
        Self::Escrow,
        Self::Pending,
        Self::Dispute,
        Self::WithdrawalClearing,
        Self::Suspense,
        Self::PlatformCapital,
        Self::FeeRevenue,
        Self::RailCost,
        Self::RewardCost,
        Self::BadDebt,
    ];

    const fn row(self) -> Row {
        use Class::{Asset, Equity, Expense, Liability, Revenue};
        use OwnerKind::{Contract, Platform, Rail, Tenant};
        let (number, name, class, owner) = match self {
            Self::ClientCash => (1000, "CASH", Asset, Rail),
            Self::OwnCash => (1010, "OWN_CASH", Asset, Rail),
            Self::Receivable => (1100, "RECEIVABLE", Asset, Tenant),
            Self::RailClearing => (1200, "RAIL_CLEARING", Asset, Rail),
            Self::Available => (2000, "AVAILABLE", Liability, Tenant),
            Self::Escrow => (2100, "ESCROW", Liability, Contract),
            Self::Pending => (2200, "PENDING", Liability, Contract),
            Self::Dispute => (2300, "DISPUTE", Liability, Contract),
            Self::WithdrawalClearing => (2400, "WITHDRAWAL_CLEARING", Liability, Tenant),
            Self::Suspense => (3000, "SUSPENSE", Equity, Platform),
            Self::PlatformCapital => (3100, "PLATFORM_CAPITAL", Equity, Platform),
            Self::FeeRevenue => (4000, "FEE_REVENUE", Revenue, Platform),
            Self::RailCost => (5000, "RAIL_COST", Expense, Platform),
            Self::RewardCost => (5100, "REWARD_COST", Expense, Platform),
            Self::BadDebt => (5200, "BAD_DEBT", Expense, Platform),
        };
        Row {
            number,
            name,
            class,
            owner,
        }
    }

    /// Its number in the chart, 1000 to 5200; stored as it is.
    pub const fn number(self) -> u16 {
        self.row().number
    }

    /// Its name in the chart, for people.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is for accounting.
    pub const fn class(self) -> Class {
        self.row().class
    }

    /// The side on which it grows and on which its balance stands.
    pub const fn normal_side(self) -> Side {
        self.class().normal_side()
    }

    /// Whether it only receives lines: nobody locks or loads it, and its balance is a roll-up plus the tail.
    ///
    /// These are the accounts that every trade touches; a lock on one of them would serialise the exchange
    /// (decisions §3.11).
    pub const fn is_append_only(self) -> bool {
        matches!(
            self,
            Self::ClientCash | Self::OwnCash | Self::FeeRevenue | Self::RailCost
        )
    }
}

impl TryFrom<u16> for AccountCode {
    type Error = UnknownName;

    fn try_from(number: u16) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|code| code.number() == number)
            .ok_or(UnknownName)
    }
}

impl fmt::Display for AccountCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A tenant.
    Tenant(TenantId),
    /// A contract; both its parties have a claim.
    Contract(ContractId),
    /// A rail: the place where cash is.
    Rail(Rail),
    /// The exchange itself.
    Platform,
}

impl Owner {
    const fn kind(self) -> OwnerKind {
        match self {
            Self::Tenant(_) => OwnerKind::Tenant,
            Self::Contract(_) => OwnerKind::Contract,
            Self::Rail(_) => OwnerKind::Rail,
            Self::Platform => OwnerKind::Platform,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => fmt::Display::fmt(tenant, f),
            Self::Contract(contract) => fmt::Display::fmt(contract, f),
            Self::Rail(rail) => fmt::Display::fmt(rail, f),
            Self::Platform => f.write_str("platform"),
        }
    }
}

/// One account: a code, an owner that fits the code, and exactly one currency.
///
/// The order is that of the locks: by code, then owner, then currency. It equals the order of
/// `(number, uuid, code COLLATE "C")` in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    code: AccountCode,
    owner: Owner,
    currency: Currency,
}

impl Account {
    /// An account; `None` when such an owner has no account of this code.
    pub fn new(code: AccountCode, owner: Owner, currency: Currency) -> Option<Self> {
        (owner.kind() == code.row().owner).then_some(Self {
            code,
            owner,
            currency,
        })
    }

    /// Clients' money at a rail.
    pub const fn client_cash(rail: Rail, currency: Currency) -> Self {
        Self {
            code: AccountCode::ClientCash,
            owner: Owner::Rail(rail),
            currency,
        }
    }

    /// What a tenant owes the exchange.
    pub const fn receivable(tenant: TenantId, currency: Currency) -> Self {
        Self {
            code: AccountCode::Receivable,
            owner: Owner::Tenant(tenant),
            currency,
        }
    }

    /// What a tenant may spend or withdraw.
    pub const fn available(tenant: TenantId, currency: Currency) -> Self {
        Self {
            code: AccountCode::Available,
            owner: Owner::Tenant(tenant),
            currency,
        }
    }

    /// What is reserved for a contract.
    pub const fn escrow(contract: ContractId, currency: Currency) -> Self {
        Self {
            code: AccountCode::Escrow,
            owner: Owner::Contract(contract),
            currency,
        }
    }

    /// What was earned with a contract and may not be spent yet.
    pub const fn pending(contract: ContractId, currency: Currency) -> Self {
        Self {
            code: AccountCode::Pending,
            owner: Owner::Contract(contract),
            currency,
        }
    }

    /// The platform's fee.
    pub const fn fee_revenue(currency: Currency) -> Self {
        Self {
            code: AccountCode::FeeRevenue,
            owner: Owner::Platform,
            currency,
        }
    }

    /// Its kind.
    pub const fn code(&self) -> AccountCode {
        self.code
    }

    /// Whose it is.
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// What it counts.
    pub const fn currency(&self) -> Currency {
        self.currency
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}] {}", self.code, self.owner, self.currency)
    }
}
