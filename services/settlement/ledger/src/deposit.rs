//! A deposit: asked for by a tenant, confirmed or rejected by a rail.

use aex_types::{DepositId, Money, TenantId, Text, Timestamp};

use crate::{Change, Event, Posted, Rail, RailEvent, Subject, Unfoldable};

/// Why a rail rejected a deposit, in words that the tenant sees: at most 200 bytes.
pub type RejectReason = Text<200>;

/// Money that a tenant wants to bring in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposit {
    /// Its id.
    pub id: DepositId,
    /// How many events made it what it is.
    pub version: u64,
    /// When the last of them was.
    pub time: Timestamp,
    /// Whose.
    pub tenant: TenantId,
    /// How much of which currency.
    pub money: Money,
    /// By which way.
    pub rail: Rail,
    /// When it was asked for.
    pub request_time: Timestamp,
    /// Where it stands.
    pub state: DepositState,
}

/// Where a deposit stands. It moves once, from pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DepositState {
    /// The rail has not said anything.
    Pending,
    /// The money arrived.
    Confirmed {
        /// What the rail said.
        event: RailEvent,
        /// The journal that credited the tenant.
        posted: Posted,
    },
    /// The money will not arrive.
    Rejected {
        /// What the rail said.
        event: RailEvent,
        /// Why.
        reason: RejectReason,
    },
}

impl DepositState {
    /// The name that is stored: PENDING, CONFIRMED or REJECTED.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Confirmed { .. } => "CONFIRMED",
            Self::Rejected { .. } => "REJECTED",
        }
    }
}

impl Deposit {
    /// What the rail said when it decided; `None` while pending.
    pub const fn rail_event(&self) -> Option<&RailEvent> {
        match &self.state {
            DepositState::Pending => None,
            DepositState::Confirmed { event, .. } | DepositState::Rejected { event, .. } => Some(event),
        }
    }

    /// The state after an event, live and in replay.
    pub fn after(before: Option<Self>, event: &Event) -> Result<Self, Unfoldable> {
        let wrong = || Unfoldable {
            event: event.name(),
            version: event.version,
        };
        let Subject::Deposit { deposit: id, tenant } = event.subject else {
            return Err(wrong());
        };
        let follows = before
            .as_ref()
            .is_none_or(|deposit| deposit.id == id && deposit.tenant == tenant)
            && event.follows(before.as_ref().map_or(0, |deposit| deposit.version));
        if !follows {
            return Err(wrong());
        }
        let (version, time) = (event.version, event.time);
        match (before, &event.change) {
            (None, Change::DepositRequested { money, rail }) => Ok(Self {
                id,
                version,
                time,
                tenant,
                money: *money,
                rail: *rail,
                request_time: time,
                state: DepositState::Pending,
            }),
            (Some(deposit), Change::DepositConfirmed { event: confirmed }) if deposit.is_pending() => {
                let state = DepositState::Confirmed {
                    event: confirmed.clone(),
                    posted: event.posted(),
                };
                Ok(Self {
                    version,
                    time,
                    state,
                    ..deposit
                })
            }
            (
                Some(deposit),
                Change::DepositRejected {
                    event: rejected,
                    reason,
                },
            ) if deposit.is_pending() => {
                let state = DepositState::Rejected {
                    event: rejected.clone(),
                    reason: reason.clone(),
                };
                Ok(Self {
                    version,
                    time,
                    state,
                    ..deposit
                })
            }
            _ => Err(wrong()),
        }
    }

    fn is_pending(&self) -> bool {
        self.state == DepositState::Pending
    }
}
