//! What a hold is made of: who trades, on which terms, at which rates.

use std::time::Duration;

use aex_types::{
    Amount, BasisPoints, ContractId, Currency, JournalId, ProviderId, TenantId, Tier, Timestamp,
};

use crate::{Account, Subject};

/// Who trades with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The tenant that pays.
    pub consumer: TenantId,
    /// The provider that does the work.
    pub provider: ProviderId,
    /// The tenant that owns the provider and is paid.
    pub payee: TenantId,
}

/// What the award says about money and time. A second award of the contract must say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The currency of everything.
    pub currency: Currency,
    /// The price without bonus and penalty, `B`; more than nothing.
    pub base: Amount,
    /// What is reserved, `E = B +` the greatest bonus; at least the base.
    pub escrow: Amount,
    /// The provider's tier, as trust-broker says at the award.
    pub tier: Tier,
    /// How long after the settlement it can be disputed.
    pub dispute_window: Duration,
    /// By when the contract must have ended; later the hold is overdue.
    pub deadline: Timestamp,
}

/// What the exchange's configuration said at the award. It stays with the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// The version of the configuration.
    pub policy: u32,
    /// The platform's share of the gross amount.
    pub fee: BasisPoints,
    /// How long after the settlement the payout becomes available, from the tier and the window.
    pub payout_hold: Duration,
}

/// That something was done to the books, when, and by which journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// The journal; none when there was nothing to move.
    pub journal: Option<JournalId>,
    /// When.
    pub time: Timestamp,
}

/// An award whose money was reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Award {
    /// Who trades.
    pub parties: Parties,
    /// On which terms.
    pub terms: Terms,
    /// At which rates.
    pub rates: Rates,
    /// The reservation.
    pub placed: Posted,
}

impl Award {
    /// What the events of its contract are about.
    pub const fn subject(&self, contract: ContractId) -> Subject {
        Subject::Contract {
            contract,
            parties: Some(self.parties),
        }
    }

    /// The account that the consumer pays from and gets money back to.
    pub const fn consumer_account(&self) -> Account {
        Account::available(self.parties.consumer, self.terms.currency)
    }

    /// The account that the provider's payout goes to in the end.
    pub const fn payee_account(&self) -> Account {
        Account::available(self.parties.payee, self.terms.currency)
    }
}

/// How a contract was settled: the gross amount `G` and what became of the escrow `E`.
///
/// `fee = G × rate`, rounded half away from zero at six digits; everything else by subtraction (money page §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// The currency of all of it.
    pub currency: Currency,
    /// What the consumer pays, `G`; nothing to the escrow.
    pub gross: Amount,
    /// The platform's share of it.
    pub fee: Amount,
    /// The provider's share of it: the rest.
    pub payout: Amount,
    /// What the consumer gets back: `E − G`.
    pub residual: Amount,
    /// When the residual goes back: the settlement plus the dispute window.
    pub residual_release_at: Timestamp,
    /// When the payout becomes available: the settlement plus the payout hold.
    pub payout_release_at: Timestamp,
}

impl Settlement {
    /// The settlement of an award at `gross` and `time`; `None` when the gross amount exceeds the escrow.
    #[must_use]
    pub fn of(award: &Award, gross: Amount, time: Timestamp) -> Option<Self> {
        let fee = gross.share(award.rates.fee);
        Some(Self {
            currency: award.terms.currency,
            gross,
            fee,
            payout: gross.checked_sub(fee)?,
            residual: award.terms.escrow.checked_sub(gross)?,
            residual_release_at: time.saturating_add(award.terms.dispute_window),
            payout_release_at: time.saturating_add(award.rates.payout_hold),
        })
    }

    /// The same amounts by component, for the reasons of lines; `None` when they are not of this award.
    pub(crate) fn shares(&self, award: &Award) -> Option<Shares> {
        let base = self.gross.min(award.terms.base);
        // The fee of a component is a difference of fees, so that the components add up to the whole (§4.3-4).
        let base_earning = base.checked_sub(base.share(award.rates.fee))?;
        let penalty_credit = award.terms.base.checked_sub(base)?;
        Some(Shares {
            base,
            bonus: self.gross.checked_sub(base)?,
            base_earning,
            bonus_earning: self.payout.checked_sub(base_earning)?,
            penalty_credit,
            unused_bonus: self.residual.checked_sub(penalty_credit)?,
        })
    }
}

/// A settlement by component, as far as the gross amount alone tells: what is below the base price is a penalty, what
/// is above it a bonus.
pub(crate) struct Shares {
    pub base: Amount,
    pub bonus: Amount,
    pub base_earning: Amount,
    pub bonus_earning: Amount,
    pub penalty_credit: Amount,
    pub unused_bonus: Amount,
}
