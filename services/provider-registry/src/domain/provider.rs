//! A provider and what may happen to it.

use aex_types::{ProviderId, TenantId, Text, Timestamp};

use super::category::Category;

/// Bytes of a name.
pub const NAME_LIMIT: usize = 120;
/// Bytes of a description.
pub const DESCRIPTION_LIMIT: usize = 1000;
/// Bytes of a reason.
pub const REASON_LIMIT: usize = 200;
/// Bytes of an endpoint.
pub const ENDPOINT_LIMIT: usize = 512;
/// Providers of one tenant.
pub const MOST: usize = 100;

/// Where agents are reached: an https URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint(Text<ENDPOINT_LIMIT>);

/// A text that is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an https URL")]
pub struct EndpointError;

impl std::str::FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let host = text.strip_prefix("https://").ok_or(EndpointError)?;
        if host.is_empty() || host.starts_with('/') {
            return Err(EndpointError);
        }
        text.parse().map(Self).map_err(|_| EndpointError)
    }
}

impl Endpoint {
    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A seller of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// The tenant that owns it.
    pub tenant_id: TenantId,
    /// What it says of itself.
    pub profile: Profile,
    /// Where it stands.
    pub status: Status,
    /// Belongs to the exchange's own house.
    pub internal: bool,
    /// The version of its last event.
    pub version: u64,
    /// When it was registered.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// What a provider says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Name shown to people.
    pub display_name: Text<NAME_LIMIT>,
    /// What it offers, in words.
    pub description: Option<Text<DESCRIPTION_LIMIT>>,
    /// Where its agents are reached.
    pub endpoint: Endpoint,
    /// Categories that it works in, each once.
    pub capabilities: Vec<Category>,
}

/// Where a provider stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Bids and is found.
    Active,
    /// Stopped by itself.
    Inactive,
    /// Stopped by an operator, or with its tenant.
    Suspended {
        /// Why, as shown to its tenant.
        reason: Text<REASON_LIMIT>,
        /// It works again when its tenant does.
        with_tenant: bool,
    },
}

impl Status {
    /// Is it suspended until its tenant works again?
    pub const fn is_with_tenant(&self) -> bool {
        matches!(
            self,
            Self::Suspended {
                with_tenant: true,
                ..
            }
        )
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Suspended { .. } => "SUSPENDED",
        })
    }
}

/// One thing that happened to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which provider.
    pub provider_id: ProviderId,
    /// The tenant that owns it.
    pub tenant_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/provider_registry/v1/event.proto"
)]
pub enum Change {
    Registered { profile: Profile, internal: bool },
    Updated { profile: Profile },
    StatusChanged { previous: Status, status: Status },
}

/// Changes what a provider says of itself; `None` leaves a field as it is.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Update {
    pub provider_id: ProviderId,
    pub display_name: Option<Text<NAME_LIMIT>>,
    pub description: Option<Option<Text<DESCRIPTION_LIMIT>>>,
    pub endpoint: Option<Endpoint>,
    pub capabilities: Option<Vec<Category>>,
}

/// Suspends a provider.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Suspend {
    pub provider_id: ProviderId,
    pub reason: Text<REASON_LIMIT>,
}

/// Why something may not happen to a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("provider {provider_id} is {status}")]
    StatusInvalid { provider_id: ProviderId, status: Status },
    #[error("tenant {tenant_id} has {MOST} providers, and may have no more")]
    LimitReached { tenant_id: TenantId },
}

/// The owner of a provider to come.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The tenant.
    pub tenant_id: TenantId,
    /// It belongs to the exchange's own house, and so do its providers.
    pub internal: bool,
    /// How many providers it has.
    pub providers: usize,
}

/// A provider begins active, if its tenant may have one more.
pub fn register(id: ProviderId, owner: Owner, profile: Profile, now: Timestamp) -> Result<Event, Refusal> {
    if owner.providers >= MOST {
        return Err(Refusal::LimitReached {
            tenant_id: owner.tenant_id,
        });
    }
    Ok(Event {
        provider_id: id,
        tenant_id: owner.tenant_id,
        version: 1,
        time: now,
        change: Change::Registered {
            profile,
            internal: owner.internal,
        },
    })
}

/// A provider may change what it says of itself in every status; a change to what already is needs no event.
pub fn update(provider: &Provider, command: &Update, now: Timestamp) -> Vec<Event> {
    let before = &provider.profile;
    let profile = Profile {
        display_name: command
            .display_name
            .as_ref()
            .unwrap_or(&before.display_name)
            .clone(),
        description: command
            .description
            .as_ref()
            .unwrap_or(&before.description)
            .clone(),
        endpoint: command.endpoint.as_ref().unwrap_or(&before.endpoint).clone(),
        capabilities: command
            .capabilities
            .as_ref()
            .unwrap_or(&before.capabilities)
            .clone(),
    };
    if profile == *before {
        return Vec::new();
    }
    vec![provider.next(Change::Updated { profile }, now)]
}

/// Only an active provider can be deactivated.
pub fn deactivate(provider: &Provider, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match provider.status {
        Status::Active => Ok(provider.become_(Status::Inactive, now)),
        Status::Inactive | Status::Suspended { .. } => Err(provider.refuse()),
    }
}

/// Only an inactive provider can be activated: a suspension is not its tenant's to end.
pub fn activate(provider: &Provider, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match provider.status {
        Status::Inactive => Ok(provider.become_(Status::Active, now)),
        Status::Active | Status::Suspended { .. } => Err(provider.refuse()),
    }
}

/// Every provider that is not suspended can be.
pub fn suspend(provider: &Provider, command: &Suspend, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match provider.status {
        Status::Active | Status::Inactive => {
            let reason = command.reason.clone();
            let with_tenant = false;
            Ok(provider.become_(Status::Suspended { reason, with_tenant }, now))
        }
        Status::Suspended { .. } => Err(provider.refuse()),
    }
}

/// Only a provider that an operator suspended can be reinstated; it is active then. One that was suspended with its tenant
/// waits for that.
pub fn reinstate(provider: &Provider, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    match provider.status {
        Status::Suspended {
            with_tenant: false, ..
        } => Ok(provider.become_(Status::Active, now)),
        Status::Active | Status::Inactive | Status::Suspended { .. } => Err(provider.refuse()),
    }
}

/// What became of a provider's tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was suspended or terminated, for this reason.
    Stopped(Text<REASON_LIMIT>),
    /// It is active again.
    Active,
}

/// An active provider stops with its tenant, and works again with it; nothing else changes with that.
pub fn follow_tenant(provider: &Provider, standing: &Standing, now: Timestamp) -> Vec<Event> {
    match (&provider.status, standing) {
        (Status::Active, Standing::Stopped(reason)) => {
            let (reason, with_tenant) = (reason.clone(), true);
            provider.become_(Status::Suspended { reason, with_tenant }, now)
        }
        (
            Status::Suspended {
                with_tenant: true, ..
            },
            Standing::Active,
        ) => provider.become_(Status::Active, now),
        _ => Vec::new(),
    }
}

impl Provider {
    fn become_(&self, status: Status, now: Timestamp) -> Vec<Event> {
        let previous = self.status.clone();
        vec![self.next(Change::StatusChanged { previous, status }, now)]
    }

    fn refuse(&self) -> Refusal {
        Refusal::StatusInvalid {
            provider_id: self.id,
            status: self.status.clone(),
        }
    }

    /// The next event: one version on, and never earlier than the one before.
    fn next(&self, change: Change, now: Timestamp) -> Event {
        Event {
            provider_id: self.id,
            tenant_id: self.tenant_id,
            version: self.version + 1,
            time: now.max(self.update_time),
            change,
        }
    }

    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        let change = event.change.clone();
        let Some(before) = before else {
            let Change::Registered { profile, internal } = change else {
                return None;
            };
            return Some(Self {
                id: event.provider_id,
                tenant_id: event.tenant_id,
                profile,
                status: Status::Active,
                internal,
                version: event.version,
                create_time: event.time,
                update_time: event.time,
            });
        };
        if event.version != before.version + 1
            || event.provider_id != before.id
            || event.tenant_id != before.tenant_id
        {
            return None;
        }
        let mut after = Self {
            version: event.version,
            update_time: event.time,
            ..before
        };
        match change {
            Change::Registered { .. } => return None,
            Change::Updated { profile } => after.profile = profile,
            Change::StatusChanged { status, .. } => after.status = status,
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn profile(name: &str) -> Profile {
        Profile {
            display_name: name.parse().unwrap(),
            description: None,
            endpoint: "https://ada.example".parse().unwrap(),
            capabilities: vec!["vision".parse().unwrap()],
        }
    }

    fn registered() -> Event {
        let owner = Owner {
            tenant_id: TenantId::from(uuid::Uuid::from_u128(1)),
            internal: false,
            providers: 0,
        };
        let id = ProviderId::from(uuid::Uuid::from_u128(2));
        register(id, owner, profile("Ada"), Timestamp::EPOCH).unwrap()
    }

    fn attempt(provider: &Provider, step: u8, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        let provider_id = provider.id;
        match step {
            0 => deactivate(provider, now),
            1 => activate(provider, now),
            2 => suspend(
                provider,
                &Suspend {
                    provider_id,
                    reason: "fraud".parse().unwrap(),
                },
                now,
            ),
            3 => reinstate(provider, now),
            4 => Ok(follow_tenant(
                provider,
                &Standing::Stopped("fraud".parse().unwrap()),
                now,
            )),
            5 => Ok(follow_tenant(provider, &Standing::Active, now)),
            _ => Ok(update(
                provider,
                &Update {
                    provider_id,
                    display_name: Some(format!("name {step}").parse().unwrap()),
                    description: None,
                    endpoint: None,
                    capabilities: None,
                },
                now,
            )),
        }
    }

    /// Which step leads from where to where; whatever is not here is refused.
    fn expected(status: &Status, step: u8) -> Option<&'static str> {
        let with_tenant = status.is_with_tenant();
        match (status.to_string().as_str(), step, with_tenant) {
            ("ACTIVE", 0, _) => Some("INACTIVE"),
            ("INACTIVE", 1, _) | ("SUSPENDED", 3, false) | ("SUSPENDED", 5, true) => Some("ACTIVE"),
            ("ACTIVE" | "INACTIVE", 2, _) | ("ACTIVE", 4, _) => Some("SUSPENDED"),
            _ => None,
        }
    }

    proptest! {
        /// Every way through the states: refusals change nothing, versions are dense, time never goes back, and folding
        /// the events again gives the same provider.
        #[test]
        fn a_provider_reaches_no_illegal_state(steps in prop::collection::vec((0..8_u8, 0..10_u64), 0..40)) {
            let mut live = Provider::after(None, &registered()).unwrap();
            let mut events = vec![registered()];
            for (step, seconds) in steps {
                let now = Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds));
                let decided = attempt(&live, step, now);
                if step < 4 {
                    let led = expected(&live.status, step);
                    prop_assert_eq!(decided.is_ok(), led.is_some());
                }
                let before = live.status.clone();
                for event in decided.unwrap_or_default() {
                    prop_assert_eq!(event.version, live.version + 1);
                    prop_assert!(event.time >= live.update_time);
                    live = Provider::after(Some(live), &event).unwrap();
                    events.push(event);
                }
                let led = expected(&before, step).map_or_else(|| before.to_string(), str::to_owned);
                prop_assert_eq!(live.status.to_string(), led);
            }
            let replayed = events.iter().try_fold(None, |before, event| Provider::after(before, event).map(Some));
            prop_assert_eq!(replayed.flatten(), Some(live));
        }
    }

    #[test]
    fn the_hundred_and_first_provider_is_refused() {
        let tenant_id = TenantId::from(uuid::Uuid::from_u128(1));
        let id = ProviderId::from(uuid::Uuid::from_u128(2));
        let owner = |providers| Owner {
            tenant_id,
            internal: false,
            providers,
        };
        assert!(register(id, owner(MOST - 1), profile("Ada"), Timestamp::EPOCH).is_ok());
        assert_eq!(
            register(id, owner(MOST), profile("Ada"), Timestamp::EPOCH),
            Err(Refusal::LimitReached { tenant_id })
        );
    }

    #[test]
    fn an_endpoint_is_an_https_url() {
        assert!("https://ada.example/a2a".parse::<Endpoint>().is_ok());
        for wrong in [
            "http://ada.example",
            "https://",
            "https:///path",
            "ada.example",
            "",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_event_that_skips_a_version_does_not_fold() {
        let provider = Provider::after(None, &registered()).unwrap();
        let mut event = deactivate(&provider, Timestamp::EPOCH).unwrap().remove(0);
        event.version += 1;
        assert_eq!(Provider::after(Some(provider), &event), None);
        assert_eq!(Provider::after(None, &event), None);
    }
}
