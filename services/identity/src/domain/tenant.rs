//! A tenant and what may happen to it.

use aex_types::{TenantId, Text, Timestamp};

pub use aex_kit::TenantType;

/// Bytes of a name.
pub const NAME_LIMIT: usize = 120;
/// Bytes of an e-mail address.
pub const EMAIL_LIMIT: usize = 254;
/// Bytes of a reason.
pub const REASON_LIMIT: usize = 200;

/// A company that trades here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Name shown to people.
    pub display_name: Text<NAME_LIMIT>,
    /// What it does here.
    pub tenant_type: TenantType,
    /// Where it stands.
    pub status: Status,
    /// Who to write to.
    pub contact_email: Option<Text<EMAIL_LIMIT>>,
    /// Belongs to the exchange's own house: it may trade with itself.
    pub internal: bool,
    /// The version of its last event.
    pub version: u64,
    /// When it was created.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// Where a tenant stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Trades.
    Active,
    /// Nothing new is accepted from it.
    Suspended {
        /// Why, as shown to it.
        reason: Text<REASON_LIMIT>,
    },
    /// Gone for good.
    Terminated {
        /// Why, as shown to it.
        reason: Text<REASON_LIMIT>,
    },
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "ACTIVE",
            Self::Suspended { .. } => "SUSPENDED",
            Self::Terminated { .. } => "TERMINATED",
        })
    }
}

/// One thing that happened to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which tenant.
    pub tenant_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/identity/v1/event.proto"
)]
pub enum Change {
    Created {
        display_name: Text<NAME_LIMIT>,
        tenant_type: TenantType,
        contact_email: Option<Text<EMAIL_LIMIT>>,
        internal: bool,
    },
    Updated {
        display_name: Text<NAME_LIMIT>,
        contact_email: Option<Text<EMAIL_LIMIT>>,
    },
    Suspended {
        reason: Text<REASON_LIMIT>,
    },
    Activated,
    Terminated {
        reason: Text<REASON_LIMIT>,
    },
}

/// Creates a tenant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Create {
    pub display_name: Text<NAME_LIMIT>,
    pub tenant_type: TenantType,
    pub contact_email: Option<Text<EMAIL_LIMIT>>,
    pub internal: bool,
}

/// Changes a tenant; `None` leaves a field as it is.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Update {
    pub tenant_id: TenantId,
    pub display_name: Option<Text<NAME_LIMIT>>,
    pub contact_email: Option<Option<Text<EMAIL_LIMIT>>>,
}

/// Suspends a tenant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Suspend {
    pub tenant_id: TenantId,
    pub reason: Text<REASON_LIMIT>,
}

/// Activates a tenant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Activate {
    pub tenant_id: TenantId,
}

/// Terminates a tenant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Terminate {
    pub tenant_id: TenantId,
    pub reason: Text<REASON_LIMIT>,
}

/// Why something may not happen to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("tenant {tenant_id} is {status}")]
    NotActive { tenant_id: TenantId, status: Status },
    #[error("tenant {tenant_id} is {status}, not suspended")]
    NotSuspended { tenant_id: TenantId, status: Status },
    #[error("tenant {tenant_id} is terminated")]
    Terminated { tenant_id: TenantId },
}

/// A tenant begins active.
pub fn create(id: TenantId, command: Create, now: Timestamp) -> Event {
    let Create {
        display_name,
        tenant_type,
        contact_email,
        internal,
    } = command;
    let change = Change::Created {
        display_name,
        tenant_type,
        contact_email,
        internal,
    };
    Event {
        tenant_id: id,
        version: 1,
        time: now,
        change,
    }
}

/// Every tenant but a terminated one can be changed; a change to what already is needs no event.
pub fn update(tenant: &Tenant, command: &Update, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if matches!(tenant.status, Status::Terminated { .. }) {
        return Err(Refusal::Terminated { tenant_id: tenant.id });
    }
    let display_name = command
        .display_name
        .as_ref()
        .unwrap_or(&tenant.display_name)
        .clone();
    let contact_email = command
        .contact_email
        .as_ref()
        .unwrap_or(&tenant.contact_email)
        .clone();
    if display_name == tenant.display_name && contact_email == tenant.contact_email {
        return Ok(Vec::new());
    }
    Ok(vec![tenant.next(
        Change::Updated {
            display_name,
            contact_email,
        },
        now,
    )])
}

/// Only an active tenant can be suspended.
pub fn suspend(tenant: &Tenant, command: &Suspend, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    active(tenant)?;
    Ok(vec![tenant.next(
        Change::Suspended {
            reason: command.reason.clone(),
        },
        now,
    )])
}

/// Only a suspended tenant can be activated.
pub fn activate(tenant: &Tenant, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match &tenant.status {
        Status::Suspended { .. } => Ok(vec![tenant.next(Change::Activated, now)]),
        status => Err(Refusal::NotSuspended {
            tenant_id: tenant.id,
            status: status.clone(),
        }),
    }
}

/// A tenant can be terminated once, whatever its status.
pub fn terminate(tenant: &Tenant, command: &Terminate, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    if matches!(tenant.status, Status::Terminated { .. }) {
        return Err(Refusal::Terminated { tenant_id: tenant.id });
    }
    Ok(vec![tenant.next(
        Change::Terminated {
            reason: command.reason.clone(),
        },
        now,
    )])
}

/// Is the tenant active?
pub fn active(tenant: &Tenant) -> Result<(), Refusal> {
    match &tenant.status {
        Status::Active => Ok(()),
        status => Err(Refusal::NotActive {
            tenant_id: tenant.id,
            status: status.clone(),
        }),
    }
}

impl Tenant {
    /// The next event: one version on, and never earlier than the one before.
    fn next(&self, change: Change, now: Timestamp) -> Event {
        Event {
            tenant_id: self.id,
            version: self.version + 1,
            time: now.max(self.update_time),
            change,
        }
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let change = event.change.clone();
        let Some(before) = before else {
            let Change::Created {
                display_name,
                tenant_type,
                contact_email,
                internal,
            } = change
            else {
                return None;
            };
            return Some(Self {
                id: event.tenant_id,
                display_name,
                tenant_type,
                status: Status::Active,
                contact_email,
                internal,
                version: event.version,
                create_time: event.time,
                update_time: event.time,
            });
        };
        if event.version != before.version + 1 || event.tenant_id != before.id {
            return None;
        }
        let mut after = Self {
            version: event.version,
            update_time: event.time,
            ..before
        };
        match change {
            Change::Created { .. } => return None,
            Change::Updated {
                display_name,
                contact_email,
            } => {
                after.display_name = display_name;
                after.contact_email = contact_email;
            }
            Change::Suspended { reason } => after.status = Status::Suspended { reason },
            Change::Activated => after.status = Status::Active,
            Change::Terminated { reason } => after.status = Status::Terminated { reason },
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn tenant() -> Tenant {
        let id = TenantId::from(uuid::Uuid::from_u128(1));
        let command = Create {
            display_name: "Ada".parse().unwrap(),
            tenant_type: TenantType::Both,
            contact_email: None,
            internal: false,
        };
        Tenant::after(None, &create(id, command, Timestamp::EPOCH)).unwrap()
    }

    fn attempt(tenant: &Tenant, step: u8, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let (tenant_id, reason) = (tenant.id, "fraud".parse().unwrap());
        match step {
            0 => suspend(tenant, &Suspend { tenant_id, reason }, now),
            1 => activate(tenant, now),
            2 => terminate(tenant, &Terminate { tenant_id, reason }, now),
            _ => {
                let name = format!("name {step}").parse().unwrap();
                update(
                    tenant,
                    &Update {
                        tenant_id,
                        display_name: Some(name),
                        contact_email: None,
                    },
                    now,
                )
            }
        }
    }

    proptest! {
        /// Every way through the states: refusals change nothing, a terminated tenant never changes again, versions are
        /// dense and time never goes back, and folding the events again gives the same tenant.
        #[test]
        fn a_tenant_reaches_no_illegal_state(steps in prop::collection::vec((0..6_u8, 0..10_u64), 0..40)) {
            let mut live = tenant();
            let first = live.clone();
            let mut events = Vec::new();
            for (step, seconds) in steps {
                let now = Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds));
                let was_terminated = matches!(live.status, Status::Terminated { .. });
                let Ok(decided) = attempt(&live, step, now) else { continue };
                prop_assert!(!was_terminated);
                for event in decided {
                    prop_assert_eq!(event.version, live.version + 1);
                    prop_assert!(event.time >= live.update_time);
                    live = Tenant::after(Some(live), &event).unwrap();
                    events.push(event);
                }
            }
            let replayed = events.iter().try_fold(first, |before, event| Tenant::after(Some(before), event));
            prop_assert_eq!(replayed, Some(live));
        }
    }

    #[test]
    fn an_event_that_skips_a_version_does_not_fold() {
        let tenant = tenant();
        let mut event = suspend(
            &tenant,
            &Suspend {
                tenant_id: tenant.id,
                reason: "x".parse().unwrap(),
            },
            Timestamp::EPOCH,
        )
        .unwrap()
        .remove(0);
        event.version += 1;
        assert_eq!(Tenant::after(Some(tenant), &event), None);
        assert_eq!(Tenant::after(None, &event), None);
    }
}
