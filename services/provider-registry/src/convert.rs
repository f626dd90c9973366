//! The wall between the wire and the domain: requests in, all faults at once; resources and events out, and events in
//! again for replay.

use std::{str::FromStr, time::Duration};

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{
    common::v1::{Event as Stored, Tier},
    provider_registry::v1 as pb,
    work_publisher::v1 as work,
};
use aex_store::{Fact, Failure};
use aex_types::{ProviderId, Timestamp};
use prost::{Message as _, bytes::Bytes};

use crate::domain::{
    agent::{self, Agent},
    category::Category,
    opportunity::{self, Offered, Opportunity, Published, Shown},
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

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn read_texts<T: FromStr>(texts: &[String]) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// Empty means absent; the outer `None` says that it cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
fn maybe<T: FromStr>(text: &str) -> Option<Option<T>> {
    if text.is_empty() {
        Some(None)
    } else {
        text.parse().ok().map(Some)
    }
}

fn status_out(status: &provider::Status) -> (pb::ProviderStatus, String) {
    match status {
        provider::Status::Active => (pb::ProviderStatus::Active, String::new()),
        provider::Status::Inactive => (pb::ProviderStatus::Inactive, String::new()),
        provider::Status::Suspended { reason } => (pb::ProviderStatus::Suspended, reason.to_string()),
    }
}

fn status_in(status: pb::ProviderStatus, reason: &str) -> Option<provider::Status> {
    match status {
        pb::ProviderStatus::Unspecified => None,
        pb::ProviderStatus::Active => Some(provider::Status::Active),
        pb::ProviderStatus::Inactive => Some(provider::Status::Inactive),
        pb::ProviderStatus::Suspended => Some(provider::Status::Suspended {
            reason: reason.parse().ok()?,
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
            capabilities: texts(&profile.capabilities),
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
            categories: texts(&wish.categories),
            min_budget: wish.min_budget.as_ref().map(wire::money),
            min_latency: wish.min_latency.map(wire::span),
            regions: texts(&wish.regions),
            status: status.into(),
            create_time: Some(wire::time(subscription.create_time)),
        }
    }
}

impl From<&Shown> for pb::Opportunity {
    fn from(shown: &Shown) -> Self {
        Self {
            work_id: shown.work_id.to_string(),
            category: shown.category.to_string(),
            description: shown.description.clone(),
            max_price: Some(wire::money(&shown.max_price)),
            bid_strategy: shown.bid_strategy.clone(),
            max_latency: shown.max_latency.map(wire::span),
            required_fields: shown.required_fields.clone(),
            regions: texts(&shown.regions),
            min_trust_tier: shown.min_trust_tier.clone(),
            payload_preview: shown.payload_preview.clone(),
            close_time: Some(wire::time(shown.close_time)),
        }
    }
}

impl TryFrom<&pb::Opportunity> for Shown {
    type Error = Failure;

    fn try_from(wire_form: &pb::Opportunity) -> Result<Self, Failure> {
        let read = || {
            let max_latency = match &wire_form.max_latency {
                None => None,
                Some(span) => Some(wire::read_span(span)?),
            };
            Some(Self {
                work_id: wire_form.work_id.parse().ok()?,
                category: wire_form.category.parse().ok()?,
                description: wire_form.description.clone(),
                max_price: wire::read_money(wire_form.max_price.as_ref()?)?,
                bid_strategy: wire_form.bid_strategy.clone(),
                max_latency,
                required_fields: wire_form.required_fields.clone(),
                regions: read_texts(&wire_form.regions)?,
                min_trust_tier: wire_form.min_trust_tier.clone(),
                payload_preview: wire_form.payload_preview.clone(),
                close_time: wire::read_time(wire_form.close_time.as_ref()?)?,
            })
        };
        read().ok_or_else(|| {
            Failure::corrupt(format!("the opportunity of {} cannot be read", wire_form.work_id))
        })
    }
}

/// What is shown of an opportunity, as the table keeps it.
pub(crate) fn shown_bytes(shown: &Shown) -> Vec<u8> {
    pb::Opportunity::from(shown).encode_to_vec()
}

/// What is shown of an opportunity, from the table.
pub(crate) fn read_shown(bytes: &[u8]) -> Result<Shown, Failure> {
    let wire_form = pb::Opportunity::decode(bytes).map_err(|error| Failure::corrupt(error.to_string()))?;
    Shown::try_from(&wire_form)
}

/// What the watchers of a provider are told of work that opens.
pub(crate) fn told_opened(shown: &Shown) -> pb::WatchOpportunitiesResponse {
    pb::WatchOpportunitiesResponse {
        opened: Some(shown.into()),
        ..Default::default()
    }
}

/// What they are told of work that closes.
pub(crate) fn told_closed(opportunity: &Opportunity) -> pb::WatchOpportunitiesResponse {
    pb::WatchOpportunitiesResponse {
        closed_work_id: opportunity.shown.work_id.to_string(),
        ..Default::default()
    }
}

/// Work as work-publisher told of it.
pub(crate) fn published(stored: &Stored) -> Result<Published, Failure> {
    let read = || {
        let told: work::WorkSubmitted = payload(stored)?;
        let bid_strategy = match told.bid_strategy() {
            work::BidStrategy::LowestPrice => "lowest_price",
            work::BidStrategy::BestQuality => "best_quality",
            work::BidStrategy::Balanced | work::BidStrategy::Unspecified => "balanced",
        };
        let constraints = told.constraints.clone().unwrap_or_default();
        let min_trust_tier = match constraints.min_trust_tier() {
            Tier::Unspecified => "",
            tier => tier.as_str_name().trim_start_matches("TIER_"),
        };
        let max_latency = match &constraints.max_latency {
            None => None,
            Some(span) => Some(wire::read_span(span)?),
        };
        Some(Published {
            shown: Shown {
                work_id: told.work_id.parse().ok()?,
                category: told.category.parse().ok()?,
                max_price: wire::read_money(told.max_price.as_ref()?)?,
                bid_strategy: bid_strategy.to_owned(),
                max_latency,
                regions: read_texts(&constraints.regions)?,
                min_trust_tier: min_trust_tier.to_owned(),
                close_time: wire::read_time(told.close_time.as_ref()?)?,
                required_fields: constraints.required_fields,
                description: told.description,
                payload_preview: told.payload_preview,
            },
            consumer_id: told.consumer_id.parse().ok()?,
            internal: told.internal,
            internal_only: constraints.internal_only,
        })
    };
    read().ok_or_else(|| unreadable(stored))
}

/// Does work-publisher's event leave the work where bids are taken no more?
pub(crate) fn ends_bidding(stored: &Stored) -> Option<opportunity::Reason> {
    match stored.r#type.as_str() {
        "work.bid_window_closed" => Some(opportunity::Reason::WindowClosed),
        "work.awarded" => Some(opportunity::Reason::Awarded),
        "work.cancelled" => Some(opportunity::Reason::Cancelled),
        "work.failed" => Some(opportunity::Reason::Failed),
        "work.award_released" => {
            let told: work::WorkAwardReleased = payload(stored)?;
            (told.status() == work::WorkStatus::Evaluating).then_some(opportunity::Reason::WindowClosed)
        }
        _ => None,
    }
}

impl From<&provider::Event> for Fact {
    fn from(event: &provider::Event) -> Self {
        let (provider_id, tenant_id) = (event.provider_id.to_string(), event.tenant_id.to_string());
        let at = (event.provider_id, event.version, event.time);
        let fact = match event.change.clone() {
            provider::Change::Registered { profile, internal } => fact(
                "provider.registered",
                at,
                &pb::ProviderRegistered {
                    provider_id,
                    tenant_id,
                    display_name: profile.display_name.into(),
                    description: profile.description.map(String::from).unwrap_or_default(),
                    endpoint: profile.endpoint.as_str().to_owned(),
                    capabilities: texts(&profile.capabilities),
                    internal,
                },
            ),
            provider::Change::Updated { profile } => fact(
                "provider.updated",
                at,
                &pb::ProviderUpdated {
                    provider_id,
                    tenant_id,
                    display_name: profile.display_name.into(),
                    description: profile.description.map(String::from).unwrap_or_default(),
                    endpoint: profile.endpoint.as_str().to_owned(),
                    capabilities: texts(&profile.capabilities),
                },
            ),
            provider::Change::StatusChanged { previous, status } => {
                let (status, reason) = status_out(&status);
                fact(
                    "provider.status_changed",
                    at,
                    &pb::ProviderStatusChanged {
                        provider_id,
                        tenant_id,
                        previous_status: status_out(&previous).0.into(),
                        status: status.into(),
                        reason,
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
            } => fact(
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
            agent::Change::Retired => fact(
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
            subscription::Change::Created { wish } => fact(
                "subscription.created",
                at,
                &pb::SubscriptionCreated {
                    subscription_id,
                    provider_id,
                    tenant_id,
                    categories: texts(&wish.categories),
                    min_budget: wish.min_budget.as_ref().map(wire::money),
                    min_latency: wish.min_latency.map(wire::span),
                    regions: texts(&wish.regions),
                },
            ),
            subscription::Change::Cancelled => fact(
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
                fact(
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
            opportunity::Change::Closed { reason } => fact(
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

fn fact<I: std::fmt::Display, P: prost::Message + prost::Name>(
    kind: &str,
    (aggregate, version, time): (I, u64, Timestamp),
    payload: &P,
) -> Fact {
    Fact::new(kind, aggregate, version, time, payload)
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
        read.ok_or_else(|| unreadable(stored))
    }
}

fn unreadable(stored: &Stored) -> Failure {
    Failure::corrupt(format!(
        "event {} of type {} cannot be read",
        stored.event_id, stored.r#type
    ))
}

fn payload<P: prost::Message + Default>(stored: &Stored) -> Option<P> {
    P::decode(stored.payload.clone()).ok()
}

fn time(stored: &Stored) -> Option<Timestamp> {
    stored.occur_time.as_ref().and_then(wire::read_time)
}

fn profile(name: &str, description: &str, endpoint: &str, capabilities: &[String]) -> Option<Profile> {
    Some(Profile {
        display_name: name.parse().ok()?,
        description: maybe(description)?,
        endpoint: endpoint.parse().ok()?,
        capabilities: read_texts::<Category>(capabilities)?,
    })
}

fn provider_event(stored: &Stored) -> Option<provider::Event> {
    let (provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "provider.registered" => {
            let p: pb::ProviderRegistered = payload(stored)?;
            let profile = profile(&p.display_name, &p.description, &p.endpoint, &p.capabilities)?;
            let internal = p.internal;
            (
                p.provider_id,
                p.tenant_id,
                provider::Change::Registered { profile, internal },
            )
        }
        "provider.updated" => {
            let p: pb::ProviderUpdated = payload(stored)?;
            let profile = profile(&p.display_name, &p.description, &p.endpoint, &p.capabilities)?;
            (p.provider_id, p.tenant_id, provider::Change::Updated { profile })
        }
        "provider.status_changed" => {
            let p: pb::ProviderStatusChanged = payload(stored)?;
            let status = status_in(p.status(), &p.reason)?;
            // The reason of a suspension that ended is not told again, and no state depends on it.
            let previous = status_in(p.previous_status(), "-")?;
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
        time: time(stored)?,
        change,
    })
}

fn agent_event(stored: &Stored) -> Option<agent::Event> {
    let (agent_id, provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "agent.registered" => {
            let p: pb::AgentRegistered = payload(stored)?;
            let change = agent::Change::Registered {
                display_name: p.display_name.parse().ok()?,
                public_key: p.public_key.as_ref().try_into().ok()?,
            };
            (p.agent_id, p.provider_id, p.tenant_id, change)
        }
        "agent.retired" => {
            let p: pb::AgentRetired = payload(stored)?;
            (p.agent_id, p.provider_id, p.tenant_id, agent::Change::Retired)
        }
        _ => return None,
    };
    Some(agent::Event {
        agent_id: agent_id.parse().ok()?,
        provider_id: provider_id.parse().ok()?,
        tenant_id: tenant_id.parse().ok()?,
        version: stored.aggregate_version,
        time: time(stored)?,
        change,
    })
}

fn subscription_event(stored: &Stored) -> Option<subscription::Event> {
    let (subscription_id, provider_id, tenant_id, change) = match stored.r#type.as_str() {
        "subscription.created" => {
            let p: pb::SubscriptionCreated = payload(stored)?;
            let min_budget = match &p.min_budget {
                None => None,
                Some(money) => Some(wire::read_money(money)?),
            };
            let min_latency = match &p.min_latency {
                None => None,
                Some(span) => Some(wire::read_span(span)?),
            };
            let wish = Wish {
                categories: read_texts(&p.categories)?,
                min_budget,
                min_latency,
                regions: read_texts(&p.regions)?,
            };
            (
                p.subscription_id,
                p.provider_id,
                p.tenant_id,
                subscription::Change::Created { wish },
            )
        }
        "subscription.cancelled" => {
            let p: pb::SubscriptionCancelled = payload(stored)?;
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
        time: time(stored)?,
        change,
    })
}

fn opportunity_event(stored: &Stored) -> Option<opportunity::Event> {
    let (work_id, change) = match stored.r#type.as_str() {
        "opportunity.opened" => {
            let p: pb::OpportunityOpened = payload(stored)?;
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
            let p: pb::OpportunityClosed = payload(stored)?;
            let reason = opportunity::Reason::spelled(&p.reason)?;
            (p.work_id, opportunity::Change::Closed { reason })
        }
        _ => return None,
    };
    Some(opportunity::Event {
        work_id: work_id.parse().ok()?,
        version: stored.aggregate_version,
        time: time(stored)?,
        change,
    })
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
