//! Terms and bids for tests.

use std::{collections::BTreeSet, time::Duration};

use aex_types::{AgentId, Amount, BidId, Currency, Money, ProviderId, TenantId, Tier, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    bid::{Bid, Facts, Sample, Sla, Standing},
    score::Score,
    strategy::Strategy as Wish,
    terms::{Rules, Terms},
};

/// The moment when the books of tests are sealed.
pub(super) const SEALED_AT: Timestamp = Timestamp::EPOCH;

pub(super) fn usd(amount: &str) -> Money {
    Money {
        currency: Currency::USD,
        amount: amount.parse().unwrap(),
    }
}

pub(super) fn at(seconds: u64) -> Timestamp {
    SEALED_AT.saturating_add(Duration::from_secs(seconds))
}

pub(super) fn tags(tags: &[&str]) -> BTreeSet<String> {
    tags.iter().map(|&tag| tag.to_owned()).collect()
}

/// A budget of 50 dollars and nothing else.
pub(super) fn terms() -> Terms {
    Terms {
        max_price: usd("50"),
        strategy: Wish::Balanced,
        max_latency: None,
        min_trust_tier: None,
        internal_only: false,
        regions: BTreeSet::new(),
        required_fields: BTreeSet::new(),
        rules: Rules::default(),
    }
}

/// An unknown provider.
pub(super) fn standing() -> Standing {
    Standing {
        trust: Score::clamped(0.3),
        tier: Tier::Unverified,
    }
}

/// A plain bid of 25 dollars; the provider's id is the bid's.
pub(super) fn bid(id: u128) -> Bid {
    let uuid = Uuid::from_u128(id);
    Bid {
        id: BidId::from(uuid),
        provider_id: ProviderId::from(uuid),
        provider_tenant_id: TenantId::from(uuid),
        agent_id: Some(AgentId::from(uuid)),
        revision: 1,
        price: usd("25"),
        confidence: Score::clamped(0.9),
        estimated_latency: None,
        sla: None,
        sample: None,
        regions: BTreeSet::new(),
        expires_at: at(60),
        received_at: SEALED_AT,
    }
}

pub(super) fn facts(id: u128) -> Facts {
    Facts::of(&terms(), &bid(id), &standing())
}

fn any_tags() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-d]", 0..4)
}

fn any_span() -> impl Strategy<Value = Option<Duration>> {
    prop::option::of((0..5_000_u64).prop_map(Duration::from_millis))
}

fn any_score() -> impl Strategy<Value = Score> {
    // Few values, so that ties are common.
    prop_oneof![
        (0..=4_u8).prop_map(|four| Score::clamped(f64::from(four) / 4.0)),
        any::<f64>().prop_map(Score::clamped)
    ]
}

fn any_tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

fn any_money() -> impl Strategy<Value = Money> {
    let micros = prop_oneof![1..6_u64, 1..100_000_000_u64];
    (micros, prop::bool::weighted(0.05)).prop_map(|(micros, is_euro)| Money {
        currency: if is_euro {
            "EUR".parse().unwrap()
        } else {
            Currency::USD
        },
        amount: Amount::from_micros(micros).unwrap(),
    })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (
        prop::option::weighted(0.2, any_score()),
        prop::array::uniform2(prop::bool::weighted(0.2)),
    )
        .prop_map(|(confidence_floor, [region_covered, sample_required])| Rules {
            confidence_floor,
            region_covered,
            sample_required,
        })
}

pub(super) fn any_standing() -> impl Strategy<Value = Standing> {
    (any_score(), any_tier()).prop_map(|(trust, tier)| Standing { trust, tier })
}

pub(super) fn any_terms() -> impl Strategy<Value = Terms> {
    let wish = prop::sample::select(Wish::ALL.to_vec());
    let tier = prop::option::weighted(0.2, any_tier());
    (
        any_money(),
        wish,
        any_span(),
        tier,
        prop::bool::weighted(0.1),
        any_tags(),
        any_tags(),
        any_rules(),
    )
        .prop_map(
            |(
                max_price,
                strategy,
                max_latency,
                min_trust_tier,
                internal_only,
                regions,
                required_fields,
                rules,
            )| Terms {
                max_price,
                strategy,
                max_latency,
                min_trust_tier,
                internal_only,
                regions,
                required_fields,
                rules,
            },
        )
}

pub(super) fn any_bid(id: u128) -> impl Strategy<Value = Bid> {
    let sla = prop::option::of(
        (0..5_000_u64, any_score()).prop_map(|(millis, availability)| Sla {
            max_latency: Duration::from_millis(millis),
            availability,
        }),
    );
    let sample = prop::option::of((0..5_000_u64, any_tags()).prop_map(|(millis, fields)| Sample {
        latency: Duration::from_millis(millis),
        fields,
    }));
    let times = (0..4_u64, prop::bool::weighted(0.1));
    (
        any_money(),
        any_score(),
        any_span(),
        sla,
        sample,
        any_tags(),
        times,
    )
        .prop_map(
            move |(price, confidence, estimated_latency, sla, sample, regions, (second, is_expired))| Bid {
                price,
                confidence,
                estimated_latency,
                sla,
                sample,
                regions,
                received_at: at(second),
                expires_at: if is_expired {
                    SEALED_AT.saturating_sub(Duration::from_secs(1))
                } else {
                    at(9)
                },
                ..bid(id)
            },
        )
}

/// Up to so many bids, of different ids and providers.
pub(super) fn any_bids(most: usize) -> impl Strategy<Value = Vec<Bid>> {
    prop::collection::vec(any_bid(0), 0..=most).prop_map(|bids| {
        let numbered = (1..).zip(bids).map(|(id, one)| {
            let Bid {
                id,
                provider_id,
                agent_id,
                ..
            } = bid(id);
            Bid {
                id,
                provider_id,
                agent_id,
                ..one
            }
        });
        numbered.collect()
    })
}
