//! Opportunities: made from what work-publisher tells, kept in their table, shown to providers.

use aex_error::wire;
use aex_proto::aex::{
    common::v1::{Event as Stored, Tier},
    provider_registry::v1 as pb,
    work_publisher::v1 as work,
};
use aex_store::{Failure, stored};
use prost::Message as _;

use crate::domain::opportunity::{self, Opportunity, Published, Shown};

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
            regions: wire::texts(&shown.regions),
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
            Some(Self {
                work_id: wire_form.work_id.parse().ok()?,
                category: wire_form.category.parse().ok()?,
                description: wire_form.description.clone(),
                max_price: wire::read_money(wire_form.max_price.as_ref()?)?,
                bid_strategy: wire_form.bid_strategy.clone(),
                max_latency: wire::maybe_of(wire_form.max_latency.as_ref(), wire::read_span)?,
                required_fields: wire_form.required_fields.clone(),
                regions: wire::read_texts(&wire_form.regions)?,
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
        let told: work::WorkSubmitted = stored::payload(stored)?;
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
        Some(Published {
            shown: Shown {
                work_id: told.work_id.parse().ok()?,
                category: told.category.parse().ok()?,
                max_price: wire::read_money(told.max_price.as_ref()?)?,
                bid_strategy: bid_strategy.to_owned(),
                max_latency: wire::maybe_of(constraints.max_latency.as_ref(), wire::read_span)?,
                regions: wire::read_texts(&constraints.regions)?,
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
    read().ok_or_else(|| stored::unreadable(stored))
}

/// Does work-publisher's event leave the work where bids are taken no more?
pub(crate) fn ends_bidding(stored: &Stored) -> Option<opportunity::Reason> {
    match stored.r#type.as_str() {
        "work.bid_window_closed" => Some(opportunity::Reason::WindowClosed),
        "work.awarded" => Some(opportunity::Reason::Awarded),
        "work.cancelled" => Some(opportunity::Reason::Cancelled),
        "work.failed" => Some(opportunity::Reason::Failed),
        "work.award_released" => {
            let told: work::WorkAwardReleased = stored::payload(stored)?;
            (told.status() == work::WorkStatus::Evaluating).then_some(opportunity::Reason::WindowClosed)
        }
        _ => None,
    }
}
