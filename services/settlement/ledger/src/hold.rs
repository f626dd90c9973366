//! A hold: the money of one contract, from its award to the last payout.

use std::{fmt, str::FromStr};

use aex_types::{ContractId, Timestamp};

use crate::{Award, Change, Event, Posted, Settlement, Subject, Unfoldable, UnknownName};

/// The money of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Of which contract.
    pub contract: ContractId,
    /// How many events made it what it is.
    pub version: u64,
    /// When the last of them was.
    pub time: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a hold stands. It moves from held to captured or to released, and both are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The escrow is reserved.
    Held(Held),
    /// The escrow was split by a settlement.
    Captured(Captured),
    /// The escrow went back, or there never was one and there never will be.
    Released(Released),
}

/// A reserved escrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// What was awarded.
    pub award: Award,
    /// From when on it goes back to the consumer, once that is decided.
    pub release_not_before: Option<Timestamp>,
    /// When it was found that the contract did not end by its deadline.
    pub overdue_since: Option<Timestamp>,
}

/// A settled contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    /// What was awarded.
    pub award: Award,
    /// What became of it.
    pub settlement: Settlement,
    /// The posting of the settlement.
    pub settled: Posted,
    /// The residual went back to the consumer.
    pub residual_released: Option<Posted>,
    /// The payout became available to the provider.
    pub payout_released: Option<Posted>,
}

/// A contract that costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// What was awarded; none for a tombstone, which only keeps a hold from being placed later.
    pub award: Option<Award>,
    /// The earliest moment that the release asked for.
    pub not_before: Option<Timestamp>,
    /// The release.
    pub released: Posted,
}

/// What time does to a hold: the actions of the table {state, deadline, action} (decisions §3.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The contract did not end by its deadline: people are told, no money moves.
    Overdue,
    /// A release that had to wait is done.
    Release,
    /// The dispute window is over: the residual goes back to the consumer.
    CloseResidual,
    /// The payout hold is over: the payout becomes available to the provider.
    ClosePayout,
}

impl Timer {
    /// Every timer.
    pub const ALL: [Self; 4] = [
        Self::Overdue,
        Self::Release,
        Self::CloseResidual,
        Self::ClosePayout,
    ];

    /// The name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "OVERDUE",
            Self::Release => "RELEASE",
            Self::CloseResidual => "CLOSE_RESIDUAL",
            Self::ClosePayout => "CLOSE_PAYOUT",
        }
    }
}

impl FromStr for Timer {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|timer| timer.as_str() == text)
            .ok_or(UnknownName)
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl State {
    /// The name that is stored: HELD, CAPTURED or RELEASED.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Held(_) => "HELD",
            Self::Captured(_) => "CAPTURED",
            Self::Released(_) => "RELEASED",
        }
    }
}

impl Hold {
    /// What was awarded; `None` for a tombstone.
    pub const fn award(&self) -> Option<&Award> {
        match &self.state {
            State::Held(reserved) => Some(&reserved.award),
            State::Captured(captured) => Some(&captured.award),
            State::Released(released) => released.award.as_ref(),
        }
    }

    /// Whether something is still to be done with its money.
    pub const fn is_open(&self) -> bool {
        match &self.state {
            State::Held(_) => true,
            State::Captured(captured) => {
                captured.residual_released.is_none() || captured.payout_released.is_none()
            }
            State::Released(_) => false,
        }
    }

    /// Which timers run, and when each is due. Computed from the state alone, so that replay restores them.
    pub fn timers(&self) -> impl Iterator<Item = (Timer, Timestamp)> + use<> {
        let pair = match &self.state {
            State::Held(Held {
                release_not_before: Some(not_before),
                ..
            }) => [Some((Timer::Release, *not_before)), None],
            State::Held(Held {
                award, overdue_since, ..
            }) => [
                overdue_since
                    .is_none()
                    .then_some((Timer::Overdue, award.terms.deadline)),
                None,
            ],
            State::Captured(Captured {
                settlement,
                residual_released,
                payout_released,
                ..
            }) => {
                let residual = (Timer::CloseResidual, settlement.residual_release_at);
                let payout = (Timer::ClosePayout, settlement.payout_release_at);
                [
                    residual_released.is_none().then_some(residual),
                    payout_released.is_none().then_some(payout),
                ]
            }
            State::Released(_) => [None, None],
        };
        pair.into_iter().flatten()
    }

    /// When a timer is due; `None` when it does not run.
    pub fn due(&self, timer: Timer) -> Option<Timestamp> {
        self.timers()
            .find_map(|(running, due)| (running == timer).then_some(due))
    }

    /// The state after an event, live and in replay.
    pub fn after(before: Option<Self>, event: &Event) -> Result<Self, Unfoldable> {
        let wrong = || Unfoldable {
            event: event.name(),
            version: event.version,
        };
        let Subject::Contract { contract, parties } = event.subject else {
            return Err(wrong());
        };
        let follows = before.is_none_or(|hold| hold.contract == contract)
            && event.follows(before.map_or(0, |hold| hold.version));
        if !follows {
            return Err(wrong());
        }
        let posted = event.posted();
        let state = match (before.map(|hold| hold.state), &event.change) {
            (None, Change::HoldPlaced { terms, rates }) => {
                let parties = parties.ok_or_else(wrong)?;
                let award = Award {
                    parties,
                    terms: *terms,
                    rates: *rates,
                    placed: posted,
                };
                State::Held(Held {
                    award,
                    release_not_before: None,
                    overdue_since: None,
                })
            }
            (None, Change::HoldReleased { not_before }) => State::Released(Released {
                award: None,
                not_before: *not_before,
                released: posted,
            }),
            (Some(State::Held(reserved)), change) => reserved.after(change, posted).ok_or_else(wrong)?,
            (Some(State::Captured(captured)), change) => captured.after(change, posted).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        Ok(Self {
            contract,
            version: event.version,
            time: event.time,
            state,
        })
    }
}

impl Held {
    fn after(self, change: &Change, posted: Posted) -> Option<State> {
        match change {
            Change::HoldOverdue { .. }
                if self.release_not_before.is_none() && self.overdue_since.is_none() =>
            {
                Some(State::Held(Self {
                    overdue_since: Some(posted.time),
                    ..self
                }))
            }
            Change::HoldReleaseScheduled { not_before } if self.release_not_before.is_none() => {
                Some(State::Held(Self {
                    release_not_before: Some(*not_before),
                    ..self
                }))
            }
            Change::HoldReleased { not_before } => Some(State::Released(Released {
                award: Some(self.award),
                not_before: *not_before,
                released: posted,
            })),
            Change::ContractSettled(settlement) if self.release_not_before.is_none() => {
                Some(State::Captured(Captured {
                    award: self.award,
                    settlement: *settlement,
                    settled: posted,
                    residual_released: None,
                    payout_released: None,
                }))
            }
            _ => None,
        }
    }
}

impl Captured {
    fn after(self, change: &Change, posted: Posted) -> Option<State> {
        match change {
            Change::ResidualReleased if self.residual_released.is_none() => Some(State::Captured(Self {
                residual_released: Some(posted),
                ..self
            })),
            Change::PayoutReleased if self.payout_released.is_none() => Some(State::Captured(Self {
                payout_released: Some(posted),
                ..self
            })),
            _ => None,
        }
    }
}
