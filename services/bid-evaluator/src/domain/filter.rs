//! Which bids are fit to be judged.
//!
//! The rules are asked in the order of [`Reason`]; the first that hits is the reason.

use std::{fmt, str::FromStr};

use aex_types::{Tier, Timestamp};

use super::{
    bid::{Bid, Standing},
    terms::Terms,
};

/// Why a bid is not judged. The names are sent to providers and consumers and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its price is of another currency than the budget, so that the two cannot be compared.
    CurrencyDiffers,
    /// It costs more than the work may cost.
    PriceExceedsBudget,
    /// It had expired when the book was sealed.
    BidExpired,
    /// It promises a latency, and that is above the work's limit. No promise at all only costs score.
    LatencyNotMet,
    /// Its provider is of a lesser tier than the work asks.
    TierBelowMinimum,
    /// The work is for the exchange's own house, and its provider is not of it.
    ProviderNotInternal,
    /// It is less sure of itself than the deployment asks.
    ConfidenceBelowFloor,
    /// It names no region that the work names.
    RegionNotCovered,
    /// The deployment asks for a sample and it has none.
    SampleRequired,
}

/// A text that is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no reason to disqualify a bid")]
pub struct ReasonError;

impl Reason {
    /// Every reason, in the order in which the rules are asked.
    pub const ALL: [Self; 9] = [
        Self::CurrencyDiffers,
        Self::PriceExceedsBudget,
        Self::BidExpired,
        Self::LatencyNotMet,
        Self::TierBelowMinimum,
        Self::ProviderNotInternal,
        Self::ConfidenceBelowFloor,
        Self::RegionNotCovered,
        Self::SampleRequired,
    ];

    /// The reason, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CurrencyDiffers => "Currency differs from budget",
            Self::PriceExceedsBudget => "Price exceeds budget",
            Self::BidExpired => "Bid expired",
            Self::LatencyNotMet => "SLA does not meet latency requirements",
            Self::TierBelowMinimum => "Trust tier below minimum",
            Self::ProviderNotInternal => "Provider not internal",
            Self::ConfidenceBelowFloor => "Confidence below floor",
            Self::RegionNotCovered => "Region not covered",
            Self::SampleRequired => "MVP sample required",
        }
    }

    /// Does the rule of this reason hit?
    fn hits(self, terms: &Terms, bid: &Bid, standing: &Standing, sealed_at: Timestamp) -> bool {
        match self {
            Self::CurrencyDiffers => bid.price.currency != terms.max_price.currency,
            Self::PriceExceedsBudget => bid.price.amount > terms.max_price.amount,
            Self::BidExpired => bid.expires_at < sealed_at,
            Self::LatencyNotMet => {
                let promised = bid.sla.map(|sla| sla.max_latency);
                terms
                    .latency_limit()
                    .is_some_and(|limit| promised.is_some_and(|promised| promised > limit))
            }
            Self::TierBelowMinimum => terms.min_trust_tier.is_some_and(|least| standing.tier < least),
            Self::ProviderNotInternal => terms.internal_only && standing.tier != Tier::Internal,
            Self::ConfidenceBelowFloor => terms
                .rules
                .confidence_floor
                .is_some_and(|floor| bid.confidence < floor),
            Self::RegionNotCovered => {
                terms.rules.region_covered
                    && !terms.regions.is_empty()
                    && terms.regions.is_disjoint(&bid.regions)
            }
            Self::SampleRequired => terms.rules.sample_required && bid.sample.is_none(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = ReasonError;

    fn from_str(text: &str) -> Result<Self, ReasonError> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(ReasonError)
    }
}

/// Why a bid is not fit to be judged; `None` when it is. Its expiry is held against the moment when the book
/// was sealed.
pub fn disqualify(terms: &Terms, bid: &Bid, standing: &Standing, sealed_at: Timestamp) -> Option<Reason> {
    Reason::ALL
        .into_iter()
        .find(|reason| reason.hits(terms, bid, standing, sealed_at))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{
        bid::{Sample, Sla},
        fixtures,
        score::Score,
    };
    use super::*;

    fn found(terms: &Terms, bid: &Bid) -> Option<Reason> {
        disqualify(terms, bid, &fixtures::standing(), fixtures::SEALED_AT)
    }

    fn promise(millis: u64) -> Sla {
        Sla {
            max_latency: Duration::from_millis(millis),
            availability: Score::ONE,
        }
    }

    #[test]
    fn the_first_rule_that_hits_is_the_reason() {
        let mut terms = fixtures::terms();
        terms.max_price = fixtures::usd("0.15");
        terms.max_latency = Some(Duration::from_millis(500));
        let mut bid = fixtures::bid(1);
        bid.price = fixtures::usd("0.15");
        bid.sla = Some(promise(500));
        bid.expires_at = fixtures::SEALED_AT;
        assert_eq!(found(&terms, &bid), None, "each at its limit");
        bid.sla = Some(promise(600));
        assert_eq!(found(&terms, &bid), Some(Reason::LatencyNotMet));
        bid.expires_at = fixtures::SEALED_AT.saturating_sub(Duration::from_micros(1));
        assert_eq!(found(&terms, &bid), Some(Reason::BidExpired));
        bid.price = fixtures::usd("0.150001");
        assert_eq!(found(&terms, &bid), Some(Reason::PriceExceedsBudget));
        bid.price.currency = "EUR".parse().unwrap();
        assert_eq!(found(&terms, &bid), Some(Reason::CurrencyDiffers));
    }

    #[test]
    fn a_bid_without_a_promise_passes_the_latency_rule() {
        let terms = Terms {
            max_latency: Some(Duration::from_millis(500)),
            ..fixtures::terms()
        };
        for sla in [None, Some(promise(0))] {
            assert_eq!(
                found(
                    &terms,
                    &Bid {
                        sla,
                        ..fixtures::bid(1)
                    }
                ),
                None
            );
        }
        let unasked = Terms {
            max_latency: Some(Duration::ZERO),
            ..terms
        };
        assert_eq!(
            found(
                &unasked,
                &Bid {
                    sla: Some(promise(9000)),
                    ..fixtures::bid(1)
                }
            ),
            None,
            "a limit of zero is none"
        );
    }

    #[test]
    fn the_work_may_ask_for_a_tier_or_for_the_house() {
        let bid = fixtures::bid(1);
        let mut terms = Terms {
            min_trust_tier: Some(Tier::Trusted),
            ..fixtures::terms()
        };
        let asked = |terms: &Terms, tier| {
            disqualify(
                terms,
                &bid,
                &Standing {
                    tier,
                    ..fixtures::standing()
                },
                fixtures::SEALED_AT,
            )
        };
        assert_eq!(asked(&terms, Tier::Verified), Some(Reason::TierBelowMinimum));
        assert_eq!(asked(&terms, Tier::Trusted), None);
        terms.internal_only = true;
        assert_eq!(asked(&terms, Tier::Preferred), Some(Reason::ProviderNotInternal));
        assert_eq!(asked(&terms, Tier::Internal), None);
    }

    #[test]
    fn what_a_deployment_may_ask_is_not_asked_by_default() {
        let mut terms = Terms {
            regions: fixtures::tags(&["eu", "us"]),
            ..fixtures::terms()
        };
        let bid = Bid {
            confidence: Score::ZERO,
            regions: fixtures::tags(&["ap"]),
            ..fixtures::bid(1)
        };
        assert_eq!(found(&terms, &bid), None, "all off");

        terms.rules.sample_required = true;
        assert_eq!(found(&terms, &bid), Some(Reason::SampleRequired));
        terms.rules.region_covered = true;
        assert_eq!(found(&terms, &bid), Some(Reason::RegionNotCovered));
        terms.rules.confidence_floor = Some(Score::clamped(0.5));
        assert_eq!(found(&terms, &bid), Some(Reason::ConfidenceBelowFloor));

        let sample = Sample {
            latency: Duration::ZERO,
            fields: fixtures::tags(&[]),
        };
        let fit = Bid {
            confidence: Score::clamped(0.5),
            regions: fixtures::tags(&["ap", "us"]),
            sample: Some(sample),
            ..bid
        };
        assert_eq!(found(&terms, &fit), None);
        terms.regions.clear();
        assert_eq!(
            found(
                &terms,
                &Bid {
                    regions: fixtures::tags(&[]),
                    ..fit
                }
            ),
            None,
            "anywhere"
        );
    }

    #[test]
    fn reading_a_reason_undoes_printing_it() {
        for reason in Reason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
        }
        assert_eq!("price exceeds budget".parse::<Reason>(), Err(ReasonError));
    }
}
