//! Work that is offered to providers, from its publication until it can be bid on no more.

use std::{fmt, time::Duration};

use aex_types::{Money, ProviderId, TenantId, Timestamp, WorkId};

use super::{category::Category, subscription::Wish};

/// Providers that one work is offered to: the oldest of those that it fits.
pub const MOST: usize = 1000;

/// What a provider is shown of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The work.
    pub work_id: WorkId,
    /// Its category.
    pub category: Category,
    /// What is to be done.
    pub description: String,
    /// The most that is paid.
    pub max_price: Money,
    /// How bids are ranked: `lowest_price`, `best_quality`, `balanced`.
    pub bid_strategy: String,
    /// The longest that an answer may take.
    pub max_latency: Option<Duration>,
    /// Fields that the result must have.
    pub required_fields: Vec<String>,
    /// Where it may be done; none means anywhere.
    pub regions: Vec<Category>,
    /// The least tier that may win, for example `VERIFIED`; empty means any.
    pub min_trust_tier: String,
    /// The first characters of the payload, when it is text.
    pub payload_preview: String,
    /// When bidding ends.
    pub close_time: Timestamp,
}

/// Work as it was published: what is shown of it, and to whom it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// What is shown.
    pub shown: Shown,
    /// The tenant that wants it.
    pub consumer_id: TenantId,
    /// The consumer belongs to the exchange's own house.
    pub internal: bool,
    /// Only providers of the exchange's own house may win.
    pub internal_only: bool,
}

/// An active provider with a live subscription that may fit.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that owns it.
    pub tenant_id: TenantId,
    /// It belongs to the exchange's own house.
    pub internal: bool,
    /// What the subscription asks for.
    pub wish: Wish,
}

impl Published {
    /// Is the work offered to the candidate? A tenant does not sell to itself, unless it is of the house.
    pub fn fits(&self, candidate: &Candidate) -> bool {
        let is_own = candidate.tenant_id == self.consumer_id;
        let may_trade = !is_own || (candidate.internal && self.internal);
        let may_win = !self.internal_only || candidate.internal;
        may_trade && may_win && candidate.wish.matches(&self.shown)
    }
}

/// A provider that work is offered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that owns it.
    pub tenant_id: TenantId,
}

/// Work that is, or was, offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opportunity {
    /// What is shown of it.
    pub shown: Shown,
    /// To whom it is offered, each once.
    pub providers: Vec<Offered>,
    /// Why it can be bid on no more.
    pub closed: Option<Reason>,
    /// The version of its last event.
    pub version: u64,
    /// When it was opened.
    pub create_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// Why work can be bid on no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The time for bids is over.
    WindowClosed,
    /// A contract stands.
    Awarded,
    /// Its consumer withdrew it.
    Cancelled,
    /// It came to nothing.
    Failed,
}

impl Reason {
    /// Every reason, and how it is spelled.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::WindowClosed, "window_closed"),
        (Self::Awarded, "awarded"),
        (Self::Cancelled, "cancelled"),
        (Self::Failed, "failed"),
    ];

    /// The reason of this spelling.
    pub fn spelled(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, spelled)| *spelled == text)
            .map(|(reason, _)| *reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WindowClosed => "window_closed",
            Self::Awarded => "awarded",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        })
    }
}

/// One thing that happened to an opportunity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which work.
    pub work_id: WorkId,
    /// The opportunity's version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to an opportunity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/provider_registry/v1/event.proto"
)]
pub enum Change {
    Opened {
        shown: Box<Shown>,
        providers: Vec<Offered>,
    },
    Closed {
        reason: Reason,
    },
}

/// Offers work to those it fits.
pub fn open(work: &Published, providers: Vec<Offered>, now: Timestamp) -> Event {
    Event {
        work_id: work.shown.work_id,
        version: 1,
        time: now,
        change: Change::Opened {
            shown: Box::new(work.shown.clone()),
            providers,
        },
    }
}

/// An opportunity ends once; the reasons after the first say nothing new.
pub fn close(opportunity: &Opportunity, reason: Reason, now: Timestamp) -> Option<Event> {
    if opportunity.closed.is_some() {
        return None;
    }
    Some(Event {
        work_id: opportunity.shown.work_id,
        version: opportunity.version + 1,
        time: now.max(opportunity.update_time),
        change: Change::Closed { reason },
    })
}

impl Opportunity {
    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event.change.clone()) {
            (None, Change::Opened { shown, providers }) => Some(Self {
                shown: *shown,
                providers,
                closed: None,
                version: event.version,
                create_time: event.time,
                update_time: event.time,
            }),
            (Some(before), Change::Closed { reason })
                if before.closed.is_none()
                    && event.version == before.version + 1
                    && event.work_id == before.shown.work_id =>
            {
                Some(Self {
                    closed: Some(reason),
                    version: event.version,
                    update_time: event.time,
                    ..before
                })
            }
            _ => None,
        }
    }
}
