//! An API key and what may happen to it.

use aex_types::{KeyId, ProviderId, TenantId, Text, Timestamp};

use super::{
    scope::Scope,
    tenant::{self, NAME_LIMIT, Tenant},
};

/// Active keys of one tenant.
pub const MOST_KEYS: usize = 100;

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// The tenant that it speaks for.
    pub tenant_id: TenantId,
    /// Name shown to people.
    pub display_name: Text<NAME_LIMIT>,
    /// The first characters of its secret.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The provider that it acts for.
    pub provider_id: Option<ProviderId>,
    /// The version of its last event.
    pub version: u64,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it stops working.
    pub expire_time: Option<Timestamp>,
    /// When it was revoked.
    pub revoke_time: Option<Timestamp>,
}

/// Where a key stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Status {
    Active,
    Revoked,
    Expired,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "ACTIVE",
            Self::Revoked => "REVOKED",
            Self::Expired => "EXPIRED",
        })
    }
}

/// One thing that happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which key.
    pub key_id: KeyId,
    /// Of which tenant.
    pub tenant_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/identity/v1/event.proto"
)]
pub enum Change {
    Created {
        display_name: Text<NAME_LIMIT>,
        prefix: String,
        scopes: Vec<Scope>,
        provider_id: Option<ProviderId>,
        expire_time: Option<Timestamp>,
    },
    Revoked {
        prefix: String,
    },
}

/// Makes a key.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Create {
    pub display_name: Text<NAME_LIMIT>,
    pub scopes: Vec<Scope>,
    pub provider_id: Option<ProviderId>,
    pub expire_time: Option<Timestamp>,
}

/// Who makes a key: an operator may give any scope, a key only what it has itself.
#[derive(Debug, Clone)]
pub enum Granter {
    /// An operator.
    Operator,
    /// A key with these scopes, and bound to this provider if to any.
    Key {
        /// What it may do.
        scopes: Vec<Scope>,
        /// The provider that it acts for.
        provider_id: Option<ProviderId>,
    },
}

/// Why something may not happen to a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error(transparent)]
    Tenant(#[from] tenant::Refusal),
    #[error("key {key_id} is {status}")]
    NotActive { key_id: KeyId, status: Status },
    #[error("a key has no say over the scope {scope}, which it does not have itself")]
    NotGrantable { scope: Scope },
    #[error("a key that is bound to a provider has a say only over keys bound to it")]
    BindingNotGrantable,
    #[error("tenant {tenant_id} has {MOST_KEYS} active keys, which is the most")]
    LimitReached { tenant_id: TenantId },
    #[error("expire_time must be in the future")]
    ExpiredAlready,
}

/// A key for an active tenant that has not too many, with scopes that its maker may give.
pub fn create(
    (key_id, prefix): (KeyId, &str),
    tenant: &Tenant,
    active_keys: usize,
    command: &Create,
    granter: &Granter,
    now: Timestamp,
) -> Result<Event, Refusal> {
    tenant::active(tenant)?;
    grantable(command, granter)?;
    if active_keys >= MOST_KEYS {
        return Err(Refusal::LimitReached { tenant_id: tenant.id });
    }
    if command.expire_time.is_some_and(|expire| expire <= now) {
        return Err(Refusal::ExpiredAlready);
    }
    let mut scopes = command.scopes.clone();
    scopes.sort();
    scopes.dedup();
    let change = Change::Created {
        display_name: command.display_name.clone(),
        prefix: prefix.to_owned(),
        scopes,
        provider_id: command.provider_id,
        expire_time: command.expire_time,
    };
    Ok(Event {
        key_id,
        tenant_id: tenant.id,
        version: 1,
        time: now,
        change,
    })
}

fn grantable(command: &Create, granter: &Granter) -> Result<(), Refusal> {
    let Granter::Key {
        scopes: held,
        provider_id,
    } = granter
    else {
        return Ok(());
    };
    if provider_id.is_some() && *provider_id != command.provider_id {
        return Err(Refusal::BindingNotGrantable);
    }
    let missing = command
        .scopes
        .iter()
        .find(|asked| !held.iter().any(|held| held.contains(asked)));
    missing.map_or(Ok(()), |scope| {
        Err(Refusal::NotGrantable { scope: scope.clone() })
    })
}

/// A key takes back only what it could have made: one that may do less does not lock out one that may do more.
pub fn revoke_by(granter: &Granter, key: &ApiKey, now: Timestamp) -> Result<Event, Refusal> {
    grantable(&replacement(key), granter)?;
    revoke(key, now)
}

/// Only an active key can be revoked.
pub fn revoke(key: &ApiKey, now: Timestamp) -> Result<Event, Refusal> {
    active(key, now)?;
    Ok(key.next(
        Change::Revoked {
            prefix: key.prefix.clone(),
        },
        now,
    ))
}

/// The key that takes a revoked one's place: the same but for id and secret.
pub fn replacement(key: &ApiKey) -> Create {
    Create {
        display_name: key.display_name.clone(),
        scopes: key.scopes.clone(),
        provider_id: key.provider_id,
        expire_time: key.expire_time,
    }
}

/// Does the key open doors at this moment?
pub fn active(key: &ApiKey, now: Timestamp) -> Result<(), Refusal> {
    match key.status(now) {
        Status::Active => Ok(()),
        status => Err(Refusal::NotActive {
            key_id: key.id,
            status,
        }),
    }
}

impl ApiKey {
    /// Where it stands at a moment: it expires by the clock, without an event.
    pub fn status(&self, now: Timestamp) -> Status {
        if self.revoke_time.is_some() {
            Status::Revoked
        } else if self.expire_time.is_some_and(|expire| expire <= now) {
            Status::Expired
        } else {
            Status::Active
        }
    }

    fn next(&self, change: Change, now: Timestamp) -> Event {
        let time = now.max(self.create_time);
        Event {
            key_id: self.id,
            tenant_id: self.tenant_id,
            version: self.version + 1,
            time,
            change,
        }
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event.change.clone()) {
            (
                None,
                Change::Created {
                    display_name,
                    prefix,
                    scopes,
                    provider_id,
                    expire_time,
                },
            ) => Some(Self {
                id: event.key_id,
                tenant_id: event.tenant_id,
                display_name,
                prefix,
                scopes,
                provider_id,
                version: event.version,
                create_time: event.time,
                expire_time,
                revoke_time: None,
            }),
            (Some(key), Change::Revoked { .. }) if event.version == key.version + 1 => Some(Self {
                version: event.version,
                revoke_time: Some(event.time),
                ..key
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::tenant::TenantType;

    fn tenant() -> Tenant {
        let id = TenantId::from(uuid::Uuid::from_u128(1));
        let command = tenant::Create {
            display_name: "Ada".parse().unwrap(),
            tenant_type: TenantType::Both,
            contact_email: None,
            internal: false,
        };
        Tenant::after(None, &tenant::create(id, command, Timestamp::EPOCH)).unwrap()
    }

    fn asking_for(scopes: &[&str]) -> Create {
        Create {
            display_name: "key".parse().unwrap(),
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
            provider_id: None,
            expire_time: None,
        }
    }

    fn made(command: &Create, granter: &Granter, active: usize) -> Result<ApiKey, Refusal> {
        let id = KeyId::from(uuid::Uuid::from_u128(2));
        let event = create(
            (id, "aex_test_abcd"),
            &tenant(),
            active,
            command,
            granter,
            Timestamp::EPOCH,
        )?;
        Ok(ApiKey::after(None, &event).unwrap())
    }

    #[test]
    fn a_key_gives_only_what_it_has() {
        let held = Granter::Key {
            scopes: vec!["work:*".parse().unwrap(), "keys:write".parse().unwrap()],
            provider_id: None,
        };
        assert!(made(&asking_for(&["work:read", "keys:write"]), &held, 0).is_ok());
        let refused = made(&asking_for(&["work:read", "bids:read"]), &held, 0);
        assert_eq!(
            refused,
            Err(Refusal::NotGrantable {
                scope: "bids:read".parse().unwrap()
            })
        );
        assert!(made(&asking_for(&["*"]), &held, 0).is_err());
        assert!(made(&asking_for(&["*"]), &Granter::Operator, 0).is_ok());
        let bound = Granter::Key {
            scopes: vec!["*".parse().unwrap()],
            provider_id: Some(ProviderId::from(uuid::Uuid::from_u128(9))),
        };
        assert_eq!(
            made(&asking_for(&["work:read"]), &bound, 0),
            Err(Refusal::BindingNotGrantable)
        );
    }

    #[test]
    fn a_tenant_has_at_most_a_hundred_active_keys() {
        assert!(made(&asking_for(&["work:read"]), &Granter::Operator, MOST_KEYS - 1).is_ok());
        assert!(made(&asking_for(&["work:read"]), &Granter::Operator, MOST_KEYS).is_err());
    }

    #[test]
    fn a_key_expires_by_the_clock_and_is_revoked_once() {
        let expire = Timestamp::EPOCH.saturating_add(Duration::from_secs(10));
        let command = Create {
            expire_time: Some(expire),
            ..asking_for(&["work:read"])
        };
        let key = made(&command, &Granter::Operator, 0).unwrap();
        let early = expire.saturating_sub(Duration::from_micros(1));
        assert_eq!(
            (key.status(early), key.status(expire)),
            (Status::Active, Status::Expired)
        );
        let revoked = ApiKey::after(Some(key.clone()), &revoke(&key, early).unwrap()).unwrap();
        assert_eq!(revoked.status(early), Status::Revoked);
        assert!(revoke(&revoked, early).is_err() && revoke(&key, expire).is_err());
        let past = Create {
            expire_time: Some(Timestamp::EPOCH),
            ..asking_for(&["work:read"])
        };
        assert_eq!(made(&past, &Granter::Operator, 0), Err(Refusal::ExpiredAlready));
    }
}
