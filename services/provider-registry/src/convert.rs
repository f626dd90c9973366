//! The wall between the wire and the domain: requests in, all faults at once, and resources out. Opportunities and
//! events have their own files.

mod event;
mod opportunity;
mod tenant;

use std::{str::FromStr, time::Duration};

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::provider_registry::v1 as pb;
use aex_types::ProviderId;
use prost::bytes::Bytes;

pub(crate) use self::{
    event::Replayed,
    opportunity::{ends_bidding, published, read_shown, shown_bytes, told_closed, told_opened},
    tenant::standing,
};
use crate::domain::{
    agent::{self, Agent},
    provider::{self, Profile, Provider},
    subscription::{self, Subscription, Wish},
};

impl TryFrom<&pb::RegisterProviderRequest> for Profile {
    type Error = Invalid;

    fn try_from(request: &pb::RegisterProviderRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let display_name = check.parse("display_name", &request.display_name);
        let description = check.maybe("description", &request.description);
        let endpoint = check.parse("endpoint", &request.endpoint);
        let capabilities = check.parse_all("capabilities", &request.capabilities);
        check.finish(|| {
            Some(Self {
                display_name: display_name?,
                description: description?,
                endpoint: endpoint?,
                capabilities: once(capabilities?),
            })
        })
    }
}

impl TryFrom<&pb::UpdateProviderRequest> for provider::Update {
    type Error = Invalid;

    fn try_from(request: &pb::UpdateProviderRequest) -> Result<Self, Invalid> {
        const PATHS: &str = "may name `display_name`, `description`, `endpoint` and `capabilities`";
        let mut check = Check::of(request);
        let provider_id = check.parse("provider_id", &request.provider_id);
        let (mut display_name, mut description) = (Some(None), Some(None));
        let (mut endpoint, mut capabilities) = (Some(None), Some(None));
        for path in request.update_mask.iter().flat_map(|mask| &mask.paths) {
            match path.as_str() {
                "display_name" => display_name = check.parse("display_name", &request.display_name).map(Some),
                "description" => description = check.maybe("description", &request.description).map(Some),
                "endpoint" => endpoint = check.parse("endpoint", &request.endpoint).map(Some),
                "capabilities" => {
                    let given = check.parse_all("capabilities", &request.capabilities);
                    capabilities = given.map(once).map(Some);
                }
                _ => check.note("update_mask", PATHS),
            }
        }
        check.finish(|| {
            Some(Self {
                provider_id: provider_id?,
                display_name: display_name?,
                description: description?,
                endpoint: endpoint?,
                capabilities: capabilities?,
            })
        })
    }
}

impl TryFrom<&pb::SuspendProviderRequest> for provider::Suspend {
    type Error = Invalid;

    fn try_from(request: &pb::SuspendProviderRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let provider_id = check.parse("provider_id", &request.provider_id);
        let reason = check.parse("reason", &request.reason);
        check.finish(|| {
            Some(Self {
                provider_id: provider_id?,
                reason: reason?,
            })
        })
    }
}

impl TryFrom<&pb::RegisterAgentRequest> for agent::Register {
    type Error = Invalid;

    fn try_from(request: &pb::RegisterAgentRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let provider_id = check.parse("provider_id", &request.provider_id);
        let display_name = check.parse("display_name", &request.display_name);
        check.finish(|| {
            Some(Self {
                provider_id: provider_id?,
                display_name: display_name?,
                public_key: request.public_key.as_ref().try_into().ok()?,
                proof: request.proof.as_ref().try_into().ok()?,
            })
        })
    }
}

impl TryFrom<&pb::CreateSubscriptionRequest> for subscription::Create {
    type Error = Invalid;

    fn try_from(request: &pb::CreateSubscriptionRequest) -> Result<Self, Invalid> {
        let mut check = Check::of(request);
        let provider_id = check.parse("provider_id", &request.provider_id);
        let categories = check.parse_all("categories", &request.categories);
        let min_budget = match &request.min_budget {
            None => Some(None),
            given => check.money("min_budget", given.as_ref()).map(Some),
        };
        let min_latency = check.maybe_span("min_latency", request.min_latency.as_ref());
        let regions = check.parse_all("regions", &request.regions);
        check.finish(|| {
            Some(Self {
                provider_id: provider_id?,
                wish: Wish {
                    categories: once(categories?),
                    min_budget: min_budget?,
                    min_latency: min_latency?.map(whole_micros),
                    regions: once(regions?),
                },
            })
        })
    }
}

/// The provider of a request that may leave it empty when the caller's key is bound to one.
pub(crate) fn bound_or_named(bound: Option<ProviderId>, named: &str) -> Result<ProviderId, Invalid> {
    match (bound, named) {
        (Some(bound), "") => Ok(bound),
        (None, "") => Err(Invalid::field(
            "provider_id",
            "must be given, unless the key is bound to one",
        )),
        (_, named) => named
            .parse()
            .map_err(|error: aex_types::IdError| Invalid::field("provider_id", error.to_string())),
    }
}

/// One id of a request that has nothing else to read.
pub(crate) fn id<T: FromStr<Err: std::fmt::Display>>(
    mut check: Check,
    field: &str,
    text: &str,
) -> Result<T, Invalid> {
    let id = check.parse(field, text);
    check.finish(|| id)
}

/// Each value once, in the order of its first standing.
fn once<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

/// A span as the tables keep it.
fn whole_micros(span: Duration) -> Duration {
    Duration::from_micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
}

fn status_out(status: &provider::Status) -> (pb::ProviderStatus, String) {
    match status {
        provider::Status::Active => (pb::ProviderStatus::Active, String::new()),
        provider::Status::Inactive => (pb::ProviderStatus::Inactive, String::new()),
        provider::Status::Suspended { reason, .. } => (pb::ProviderStatus::Suspended, reason.to_string()),
    }
}

fn status_in(status: pb::ProviderStatus, reason: &str, with_tenant: bool) -> Option<provider::Status> {
    match status {
        pb::ProviderStatus::Unspecified => None,
        pb::ProviderStatus::Active => Some(provider::Status::Active),
        pb::ProviderStatus::Inactive => Some(provider::Status::Inactive),
        pb::ProviderStatus::Suspended => Some(provider::Status::Suspended {
            reason: reason.parse().ok()?,
            with_tenant,
        }),
    }
}

impl From<Provider> for pb::Provider {
    fn from(provider: Provider) -> Self {
        let (status, status_reason) = status_out(&provider.status);
        let profile = provider.profile;
        Self {
            provider_id: provider.id.to_string(),
            tenant_id: provider.tenant_id.to_string(),
            display_name: profile.display_name.into(),
            description: profile.description.map(String::from).unwrap_or_default(),
            endpoint: profile.endpoint.as_str().to_owned(),
            capabilities: wire::texts(&profile.capabilities),
            status: status.into(),
            status_reason,
            internal: provider.internal,
            create_time: Some(wire::time(provider.create_time)),
            update_time: Some(wire::time(provider.update_time)),
        }
    }
}

/// A provider as strangers see it: why it is suspended is told to its tenant alone.
pub(crate) fn public_profile(provider: Provider) -> pb::Provider {
    pb::Provider {
        status_reason: String::new(),
        ..provider.into()
    }
}

impl From<Agent> for pb::Agent {
    fn from(agent: Agent) -> Self {
        let status = match agent.retire_time {
            None => pb::AgentStatus::Active,
            Some(_) => pb::AgentStatus::Retired,
        };
        Self {
            agent_id: agent.id.to_string(),
            provider_id: agent.provider_id.to_string(),
            display_name: agent.display_name.into(),
            public_key: Bytes::copy_from_slice(&agent.public_key),
            status: status.into(),
            create_time: Some(wire::time(agent.create_time)),
            retire_time: agent.retire_time.map(wire::time),
        }
    }
}

impl From<Subscription> for pb::Subscription {
    fn from(subscription: Subscription) -> Self {
        let status = match subscription.cancel_time {
            None => pb::SubscriptionStatus::Active,
            Some(_) => pb::SubscriptionStatus::Cancelled,
        };
        let wish = subscription.wish;
        Self {
            subscription_id: subscription.id.to_string(),
            provider_id: subscription.provider_id.to_string(),
            categories: wire::texts(&wish.categories),
            min_budget: wish.min_budget.as_ref().map(wire::money),
            min_latency: wish.min_latency.map(wire::span),
            regions: wire::texts(&wish.regions),
            status: status.into(),
            create_time: Some(wire::time(subscription.create_time)),
        }
    }
}
