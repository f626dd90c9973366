//! Events of the registry: out, and in again for replay.

use aex_error::wire;
use aex_proto::aex::{common::v1::Event as Stored, provider_registry::v1 as pb};
use aex_store::{Fact, Failure, stored};
use prost::bytes::Bytes;

use super::{status_in, status_out};
use crate::domain::{
    agent,
    opportunity::{self, Offered, Shown},
    provider::{self, Profile},
    subscription::{self, Wish},
};

impl From<&provider::Event> for Fact {
    fn from(event: &provider::Event) -> Self {
        let (provider_id, tenant_id) = (event.provider_id.to_string(), event.tenant_id.to_string());
        let at = (event.provider_id, event.version, event.time);
        let fact = match event.change.clone() {
            provider::Change::Registered { profile, internal } => Fact::new(
                "provider.registered",
                at,
                &pb::ProviderRegistered {
                    provider_id,
                    tenant_id,
                    display_name: profile.display_name.into(),
                    description: profile.description.map(String::from).unwrap_or_default(),
                    endpoint: profile.endpoint.as_str().to_owned(),
                    capabilities: wire::texts(&profile.capabilities),
                    internal,
                },
            ),
            provider::Change::Updated { profile } => Fact::new(
                "provider.updated",
                at,
                &pb::ProviderUpdated {
                    provider_id,
                    tenant_id,
                    display_name: profile.display_name.into(),
                    description: profile.description.map(String::from).unwrap_or_default(),
                    endpoint: profile.endpoint.as_str().to_owned(),
                    capabilities: wire::texts(&profile.capabilities),
                },
            ),
            provider::Change::StatusChanged { previous, status } => {
                let with_tenant = status.is_with_tenant();
                let (status, reason) = status_out(&status);
                Fact::new(
                    "provider.status_changed",
                    at,
                    &pb::ProviderStatusChanged {
                        provider_id,
                        tenant_id,
                        previous_status: status_out(&previous).0.into(),
                        status: status.into(),
                        reason,
                        with_tenant,
                    },
                )
            }
        };
        fact.visible_to([event.tenant_id])
    }
}

impl From<&agent::Event> for Fact {
    fn from(event: &agent::Event) -> Self {
        let (agent_id, provider_id) = (event.agent_id.to_string(), event.provider_id.to_string());
        let tenant_id = event.tenant_id.to_string();
        let at = (event.agent_id, event.version, event.time);
        let fact = match event.change.clone() {
            agent::Change::Registered {
                display_name,
                public_key,
            } => Fact::new(
                "agent.registered",
                at,
                &pb::AgentRegistered {
                    agent_id,
                    provider_id,
                    tenant_id,
                    display_name: display_name.into(),
                    public_key: Bytes::copy_from_slice(&public_key),
                },
            ),
            agent::Change::Retired => Fact::new(
                "agent.retired",
                at,
                &pb::AgentRetired {
                    agent_id,
                    provider_id,
                    tenant_id,
                },
            ),
        };
        fact.visible_to([event.tenant_id])
    }
}

impl From<&subscription::Event> for Fact {
    fn from(event: &subscription::Event) -> Self {
        let (subscription_id, provider_id) =
            (event.subscription_id.to_string(), event.provider_id.to_string());
        let tenant_id = event.tenant_id.to_string();
        let at = (event.subscription_id, event.version, event.time);
        let fact = match event.change.clone() {
            subscription::Change::Created { wish } => Fact::new(
                "subscription.created",
                at,
                &pb::SubscriptionCreated {
                    subscription_id,
                    provider_id,
                    tenant_id,
                    categories: wire::texts(&wish.categories),
                    min_budget: wish.min_budget.as_ref().map(wire::money),
                    min_latency: wish.min_latency.map(wire::span),
                    regions: wire::texts(&wish.regions),
                },
            ),
            subscription::Change::Cancelled => Fact::new(
                "subscription.cancelled",
                at,
                &pb::SubscriptionCancelled {
                    subscription_id,
                    provider_id,
                    tenant_id,
                },
            ),
        };
        fact.visible_to([event.tenant_id])
    }
}

impl From<&opportunity::Event> for Fact {
    fn from(event: &opportunity::Event) -> Self {
        let work_id = event.work_id.to_string();
        let at = (event.work_id, event.version, event.time);
        // Visible to nobody: it names all who were asked, and they are competitors. `WatchOpportunities` tells each its own.
        match &event.change {
            opportunity::Change::Opened { shown, providers } => {
                let offered = |offered: &Offered| pb::OfferedProvider {
                    provider_id: offered.provider_id.to_string(),
                    tenant_id: offered.tenant_id.to_string(),
                };
                Fact::new(
                    "opportunity.opened",
                    at,
                    &pb::OpportunityOpened {
                        work_id,
                        providers_notified: u32::try_from(providers.len()).unwrap_or(u32::MAX),
                        providers: providers.iter().map(offered).collect(),
                        opportunity: Some(shown.as_ref().into()),
                    },
                )
            }
            opportunity::Change::Closed { reason } => Fact::new(
                "opportunity.closed",
                at,
                &pb::OpportunityClosed {
                    work_id,
                    reason: reason.to_string(),
                },
            ),
        }
    }
}

/// An event of the registry, as the ledger kept it.
#[derive(Debug)]
pub(crate) enum Replayed {
    Provider(provider::Event),
    Agent(agent::Event),
    Subscription(subscription::Event),
    Opportunity(opportunity::Event),
}

impl TryFrom<&Stored> for Replayed {
    type Error = Failure;

    fn try_from(stored: &Stored) -> Result<Self, Failure> {
        let read = match stored.aggregate_type.as_str() {
            "provider" => provider_event(stored).map(Self::Provider),
            "agent" => agent_event(stored).map(Self::Agent),
            "subscription" => subscription_event(stored).map(Self::Subscription),
            "opportunity" => opportunity_event(stored).map(Self::Opportunity),
            _ => None,
        };
        read.ok_or_else(|| stored::unreadable(stored))
    }
}

fn profile(name: &str, description: &str, endpoint: &str, capabilities: &[String]) -> Option<Profile> {
    Some(Profile {
        display_name: name.parse().ok()?,
        description: wire::maybe(description)?,
        endpoint: endpoint.parse().ok()?,
        capabilities: wire::read_texts(capabilities)?,
    })
}

fn provider_event(stored: &Stored) -> Option<provider::Event> {
    let (provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "provider.registered" => {
            let p: pb::ProviderRegistered = stored::payload(stored)?;
            let profile = profile(&p.display_name, &p.description, &p.endpoint, &p.capabilities)?;
            let internal = p.internal;
            (
                p.provider_id,
                p.tenant_id,
                provider::Change::Registered { profile, internal },
            )
        }
        "provider.updated" => {
            let p: pb::ProviderUpdated = stored::payload(stored)?;
            let profile = profile(&p.display_name, &p.description, &p.endpoint, &p.capabilities)?;
            (p.provider_id, p.tenant_id, provider::Change::Updated { profile })
        }
        "provider.status_changed" => {
            let p: pb::ProviderStatusChanged = stored::payload(stored)?;
            let status = status_in(p.status(), &p.reason, p.with_tenant)?;
            // The reason of a suspension that ended is not told again, and no state depends on it.
            let previous = status_in(p.previous_status(), "-", false)?;
            (
                p.provider_id,
                p.tenant_id,
                provider::Change::StatusChanged { previous, status },
            )
        }
        _ => return None,
    };
    Some(provider::Event {
        provider_id: provider_id.parse().ok()?,
        tenant_id: tenant_id.parse().ok()?,
        version: stored.aggregate_version,
        time: stored::occurred(stored)?,
        change,
    })
}

fn agent_event(stored: &Stored) -> Option<agent::Event> {
    let (agent_id, provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "agent.registered" => {
            let p: pb::AgentRegistered = stored::payload(stored)?;
            let change = agent::Change::Registered {
                display_name: p.display_name.parse().ok()?,
                public_key: p.public_key.as_ref().try_into().ok()?,
            };
            (p.agent_id, p.provider_id, p.tenant_id, change)
        }
        "agent.retired" => {
            let p: pb::AgentRetired = stored::payload(stored)?;
            (p.agent_id, p.provider_id, p.tenant_id, agent::Change::Retired)
        }
        _ => return None,
    };
    Some(agent::Event {
        agent_id: agent_id.parse().ok()?,
        provider_id: provider_id.parse().ok()?,
        tenant_id: tenant_id.parse().ok()?,
        version: stored.aggregate_version,
        time: stored::occurred(stored)?,
        change,
    })
}

fn subscription_event(stored: &Stored) -> Option<subscription::Event> {
    let (subscription_id, provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "subscription.created" => {
            let p: pb::SubscriptionCreated = stored::payload(stored)?;
            let wish = Wish {
                categories: wire::read_texts(&p.categories)?,
                min_budget: wire::maybe_of(p.min_budget.as_ref(), wire::read_money)?,
                min_latency: wire::maybe_of(p.min_latency.as_ref(), wire::read_span)?,
                regions: wire::read_texts(&p.regions)?,
            };
            (
                p.subscription_id,
                p.provider_id,
                p.tenant_id,
                subscription::Change::Created { wish },
            )
        }
        "subscription.cancelled" => {
            let p: pb::SubscriptionCancelled = stored::payload(stored)?;
            (
                p.subscription_id,
                p.provider_id,
                p.tenant_id,
                subscription::Change::Cancelled,
            )
        }
        _ => return None,
    };
    Some(subscription::Event {
        subscription_id: subscription_id.parse().ok()?,
        provider_id: provider_id.parse().ok()?,
        tenant_id: tenant_id.parse().ok()?,
        version: stored.aggregate_version,
        time: stored::occurred(stored)?,
        change,
    })
}

fn opportunity_event(stored: &Stored) -> Option<opportunity::Event> {
    let (work_id, change) = match stored.r#type.as_str() {
        "opportunity.opened" => {
            let p: pb::OpportunityOpened = stored::payload(stored)?;
            let shown = Box::new(Shown::try_from(p.opportunity.as_ref()?).ok()?);
            let offered = |offered: &pb::OfferedProvider| {
                Some(Offered {
                    provider_id: offered.provider_id.parse().ok()?,
                    tenant_id: offered.tenant_id.parse().ok()?,
                })
            };
            let providers = p.providers.iter().map(offered).collect::<Option<_>>()?;
            (p.work_id, opportunity::Change::Opened { shown, providers })
        }
        "opportunity.closed" => {
            let p: pb::OpportunityClosed = stored::payload(stored)?;
            let reason = opportunity::Reason::spelled(&p.reason)?;
            (p.work_id, opportunity::Change::Closed { reason })
        }
        _ => return None,
    };
    Some(opportunity::Event {
        work_id: work_id.parse().ok()?,
        version: stored.aggregate_version,
        time: stored::occurred(stored)?,
        change,
    })
}
