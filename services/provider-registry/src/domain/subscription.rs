//! A subscription of a provider: which work is offered to it.

use std::time::Duration;

use aex_types::{Money, ProviderId, SubscriptionId, TenantId, Timestamp};

use super::{
    category::{Category, Pattern},
    opportunity::Shown,
    provider::Provider,
};

/// Live subscriptions of one provider.
pub const MOST: usize = 100;

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The provider that it is for.
    pub provider_id: ProviderId,
    /// The tenant that owns both.
    pub tenant_id: TenantId,
    /// What it asks of work.
    pub wish: Wish,
    /// The version of its last event.
    pub version: u64,
    /// When it was made.
    pub create_time: Timestamp,
    /// When it was cancelled.
    pub cancel_time: Option<Timestamp>,
}

/// What a subscription asks of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The work is of one of these categories; at least one, each once.
    pub categories: Vec<Pattern>,
    /// It pays at least this, in this currency.
    pub min_budget: Option<Money>,
    /// It allows at least this long, or sets no limit; whole microseconds.
    pub min_latency: Option<Duration>,
    /// It may be done in one of these regions, or anywhere; none means any.
    pub regions: Vec<Category>,
}

/// One thing that happened to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which subscription.
    pub subscription_id: SubscriptionId,
    /// The provider that it is for.
    pub provider_id: ProviderId,
    /// The tenant that owns both.
    pub tenant_id: TenantId,
    /// Its version afterwards.
    pub version: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub change: Change,
}

/// What can happen to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is documented at its event in aex/provider_registry/v1/event.proto"
)]
pub enum Change {
    Created { wish: Wish },
    Cancelled,
}

/// Subscribes.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "as in the request")]
pub struct Create {
    pub provider_id: ProviderId,
    pub wish: Wish,
}

/// Why something may not happen to a subscription.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Refusal {
    #[error("provider {provider_id} has {MOST} subscriptions, and may have no more")]
    LimitReached { provider_id: ProviderId },
    #[error("subscription {subscription_id} is cancelled")]
    Cancelled { subscription_id: SubscriptionId },
}

/// A subscription begins live, when its provider may have one more.
pub fn create(
    id: SubscriptionId,
    provider: &Provider,
    live: usize,
    wish: Wish,
    now: Timestamp,
) -> Result<Event, Refusal> {
    if live >= MOST {
        return Err(Refusal::LimitReached {
            provider_id: provider.id,
        });
    }
    Ok(Event {
        subscription_id: id,
        provider_id: provider.id,
        tenant_id: provider.tenant_id,
        version: 1,
        time: now,
        change: Change::Created { wish },
    })
}

/// A subscription is cancelled once.
pub fn cancel(subscription: &Subscription, now: Timestamp) -> Result<Event, Refusal> {
    if subscription.cancel_time.is_some() {
        return Err(Refusal::Cancelled {
            subscription_id: subscription.id,
        });
    }
    Ok(Event {
        subscription_id: subscription.id,
        provider_id: subscription.provider_id,
        tenant_id: subscription.tenant_id,
        version: subscription.version + 1,
        time: now.max(subscription.create_time),
        change: Change::Cancelled,
    })
}

impl Wish {
    /// Is the work what is asked for?
    pub fn matches(&self, work: &Shown) -> bool {
        let pays = self.min_budget.is_none_or(|least| {
            least.currency == work.max_price.currency && least.amount <= work.max_price.amount
        });
        let allows = match (self.min_latency, work.max_latency) {
            (Some(least), Some(most)) => most >= least,
            _ => true,
        };
        let is_near = self.regions.is_empty()
            || work.regions.is_empty()
            || self.regions.iter().any(|region| work.regions.contains(region));
        pays && allows
            && is_near
            && self
                .categories
                .iter()
                .any(|pattern| pattern.matches(&work.category))
    }
}

impl Subscription {
    /// The state after an event, live and in replay. `None` when the event does not follow the state.
    pub fn after(before: Option<Self>, event: &Event) -> Option<Self> {
        match (before, event.change.clone()) {
            (None, Change::Created { wish }) => Some(Self {
                id: event.subscription_id,
                provider_id: event.provider_id,
                tenant_id: event.tenant_id,
                wish,
                version: event.version,
                create_time: event.time,
                cancel_time: None,
            }),
            (Some(before), Change::Cancelled)
                if before.cancel_time.is_none()
                    && event.version == before.version + 1
                    && event.subscription_id == before.id =>
            {
                Some(Self {
                    version: event.version,
                    cancel_time: Some(event.time),
                    ..before
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aex_types::{Amount, Currency, WorkId};
    use proptest::prelude::*;

    use super::*;

    fn categories(texts: &[&str]) -> Vec<Category> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn money(currency: &str, micros: u64) -> Money {
        let currency: Currency = currency.parse().unwrap();
        Money {
            currency,
            amount: Amount::from_micros(micros).unwrap(),
        }
    }

    fn work(price: Money, max_latency: Option<Duration>, regions: &[&str]) -> Shown {
        Shown {
            work_id: WorkId::from(uuid::Uuid::from_u128(1)),
            category: "vision.classification".parse().unwrap(),
            description: "digits".to_owned(),
            max_price: price,
            bid_strategy: "balanced".to_owned(),
            max_latency,
            required_fields: Vec::new(),
            regions: categories(regions),
            min_trust_tier: String::new(),
            payload_preview: String::new(),
            close_time: Timestamp::EPOCH,
        }
    }

    fn wish() -> Wish {
        Wish {
            categories: vec!["audio.*".parse().unwrap(), "vision.*".parse().unwrap()],
            min_budget: None,
            min_latency: None,
            regions: Vec::new(),
        }
    }

    #[test]
    fn each_filter_holds_for_itself() {
        let free = work(money("USD", 1_000_000), None, &[]);
        assert!(wish().matches(&free));
        let other = Wish {
            categories: vec!["audio.*".parse().unwrap()],
            ..wish()
        };
        assert!(!other.matches(&free));
        for (currency, micros, expected) in [
            ("USD", 1_000_000, true),
            ("USD", 1_000_001, false),
            ("EUR", 1, false),
        ] {
            let asks = Wish {
                min_budget: Some(money(currency, micros)),
                ..wish()
            };
            assert_eq!(asks.matches(&free), expected, "{currency} {micros}");
        }
        let slow = Wish {
            min_latency: Some(Duration::from_millis(500)),
            ..wish()
        };
        assert!(slow.matches(&free), "work without a limit allows any time");
        assert!(slow.matches(&work(money("USD", 1), Some(Duration::from_millis(500)), &[])));
        assert!(!slow.matches(&work(money("USD", 1), Some(Duration::from_millis(499)), &[])));
        let near = Wish {
            regions: categories(&["eu", "us"]),
            ..wish()
        };
        assert!(near.matches(&free), "work without regions may be done anywhere");
        assert!(near.matches(&work(money("USD", 1), None, &["asia", "us"])));
        assert!(!near.matches(&work(money("USD", 1), None, &["asia"])));
        assert!(wish().matches(&work(money("USD", 1), None, &["asia"])));
    }

    proptest! {
        /// A wish without its filters never matches less, and a wish with one more category never either.
        #[test]
        fn filters_only_take_away(
            least in prop::option::of(0..5_u64), need in prop::option::of(1..5_u64), price in 0..5_u64,
            allowed in prop::option::of(1..5_u64), mine in prop::sample::subsequence(vec!["eu", "us", "asia"], 0..=3),
            theirs in prop::sample::subsequence(vec!["eu", "us", "asia"], 0..=3),
        ) {
            let work = work(money("USD", price), allowed.map(Duration::from_millis), &theirs);
            let narrow = Wish {
                categories: vec!["vision.*".parse().unwrap()],
                min_budget: least.map(|micros| money("USD", micros)),
                min_latency: need.map(Duration::from_millis),
                regions: categories(&mine),
            };
            let expected = least.is_none_or(|least| least <= price)
                && need.zip(allowed).is_none_or(|(need, allowed)| need <= allowed)
                && (mine.is_empty() || theirs.is_empty() || mine.iter().any(|region| theirs.contains(region)));
            prop_assert_eq!(narrow.matches(&work), expected);
            prop_assert!(wish().matches(&work));
        }
    }
}
