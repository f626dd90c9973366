//! What the books can be asked to do.

use aex_types::{Amount, ContractId, Currency, DepositId, JournalId, Money, TenantId, Timestamp};

use crate::{Parties, Rail, RailEvent, RejectReason, Terms, Timer};

/// One command with what the runtime gives to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What to do.
    pub command: Command,
    /// The id of its journal, should it post one.
    pub journal: JournalId,
}

/// What the books can be asked to do.
///
/// Each can be asked again: with the same terms the answer is the first journal, with others it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A tenant wants to bring money in. Whether the tenant is active is for the caller to know.
    RequestDeposit(RequestDeposit),
    /// A rail or an operator says that it arrived.
    ConfirmDeposit(ConfirmDeposit),
    /// A rail or an operator says that it will not arrive.
    RejectDeposit(RejectDeposit),
    /// The escrow of an award is to be reserved.
    PlaceHold(PlaceHold),
    /// A completed contract is to be paid.
    Settle(Settle),
    /// A contract that failed, expired or was never made is to cost nothing.
    Release(Release),
    /// A timer of a hold went off.
    Elapse(Elapse),
}

/// See [`Command::RequestDeposit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDeposit {
    /// The id that it is to have.
    pub deposit: DepositId,
    /// Whose.
    pub tenant: TenantId,
    /// How much of which currency, within the limits of the policy.
    pub money: Money,
    /// By which way.
    pub rail: Rail,
}

/// See [`Command::ConfirmDeposit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmDeposit {
    /// Which.
    pub deposit: DepositId,
    /// What the rail said. Its payment pays this deposit and no other.
    pub event: RailEvent,
    /// What arrived: exactly what was asked for.
    pub money: Money,
}

/// See [`Command::RejectDeposit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectDeposit {
    /// Which.
    pub deposit: DepositId,
    /// What the rail said.
    pub event: RailEvent,
    /// Why, in words that the tenant sees.
    pub reason: RejectReason,
}

/// See [`Command::PlaceHold`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceHold {
    /// For which contract.
    pub contract: ContractId,
    /// Between whom.
    pub parties: Parties,
    /// On which terms.
    pub terms: Terms,
}

/// See [`Command::Settle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// Which contract.
    pub contract: ContractId,
    /// Of which currency; the one of its hold.
    pub currency: Currency,
    /// What it costs, `G`: the base price today; with bonus and penalty anything from nothing to the escrow.
    pub gross: Amount,
}

/// See [`Command::Release`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Which contract.
    pub contract: ContractId,
    /// For a contract that was rejected after delivery: until when the money stays for a dispute.
    pub not_before: Option<Timestamp>,
}

/// See [`Command::Elapse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elapse {
    /// Of which contract.
    pub contract: ContractId,
    /// Which timer.
    pub timer: Timer,
}
