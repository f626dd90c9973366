//! What matters most to a consumer, as weights.
//!
//! The total of a bid is `price * w1 + trust * w2 + confidence * w3 + sample * w4 + sla * w5`:
//!
//! | strategy | price | trust | confidence | sample | SLA |
//! |---|---|---|---|---|---|
//! | `lowest_price` | 50 % | 20 % | 10 % | 10 % | 10 % |
//! | `best_quality` | 10 % | 40 % | 20 % | 20 % | 10 % |
//! | `balanced` | 30 % | 30 % | 15 % | 15 % | 10 % |

use std::{fmt, str::FromStr};

use super::score::{Component, Components, Score};

/// What matters most to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Strategy {
    /// The price, before all.
    LowestPrice,
    /// Trust and a sample that convinces.
    BestQuality,
    /// Price and trust alike.
    #[default]
    Balanced,
}

/// A text that is no strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be lowest_price, best_quality or balanced")]
pub struct StrategyError;

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 3] = [Self::LowestPrice, Self::BestQuality, Self::Balanced];

    /// The name, as it is stored and sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LowestPrice => "lowest_price",
            Self::BestQuality => "best_quality",
            Self::Balanced => "balanced",
        }
    }

    /// The weights.
    pub const fn weights(self) -> Weights {
        match self {
            Self::LowestPrice => Weights {
                price: 50,
                trust: 20,
                confidence: 10,
                sample: 10,
                sla: 10,
            },
            Self::BestQuality => Weights {
                price: 10,
                trust: 40,
                confidence: 20,
                sample: 20,
                sla: 10,
            },
            Self::Balanced => Weights {
                price: 30,
                trust: 30,
                confidence: 15,
                sample: 15,
                sla: 10,
            },
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == text)
            .ok_or(StrategyError)
    }
}

/// How much each part counts, in percent. Together they are 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    price: u8,
    trust: u8,
    confidence: u8,
    sample: u8,
    sla: u8,
}

impl Weights {
    /// How much one part counts, in percent.
    pub const fn percent(self, component: Component) -> u8 {
        match component {
            Component::Price => self.price,
            Component::Trust => self.trust,
            Component::Confidence => self.confidence,
            Component::Sample => self.sample,
            Component::Sla => self.sla,
        }
    }

    /// What one part adds to the total: `percent * part / 100`, from 0 to 1.
    pub fn contribution(self, component: Component, part: Score) -> f64 {
        self.points(component, part) / 100.0
    }

    /// The total of the parts, from 0 to 1, to the nearest 10^-9. It is summed in one order, in hundredths.
    pub fn total(self, parts: &Components) -> Score {
        let points: f64 = Component::ALL
            .into_iter()
            .map(|one| self.points(one, parts.get(one)))
            .sum();
        Score::clamped(points / 100.0).rounded()
    }

    fn points(self, component: Component, part: Score) -> f64 {
        f64::from(self.percent(component)) * part.get()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        prelude::{prop, prop_assert, proptest},
        strategy::Strategy as Any,
    };

    use super::*;

    #[test]
    fn weights_are_a_hundred_together() {
        for strategy in Strategy::ALL {
            let sum: u8 = Component::ALL
                .into_iter()
                .map(|one| strategy.weights().percent(one))
                .sum();
            assert_eq!(sum, 100, "{strategy}");
        }
    }

    #[test]
    fn reading_undoes_printing_and_the_default_is_balanced() {
        for strategy in Strategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert_eq!("cheapest".parse::<Strategy>(), Err(StrategyError));
        assert_eq!(Strategy::default(), Strategy::Balanced);
    }

    #[test]
    fn the_total_of_a_published_sample_is_exact() {
        let parts = [0.85, 0.91, 0.88, 0.82, 0.90].map(Score::clamped);
        let [price, trust, confidence, sample, sla] = parts;
        let parts = Components {
            price,
            trust,
            confidence,
            sample,
            sla,
        };
        assert_eq!(Strategy::Balanced.weights().total(&parts), Score::clamped(0.873));
    }

    fn parts() -> impl Any<Value = Components> {
        prop::array::uniform5(0.0..=1.0_f64).prop_map(|parts| {
            let [price, trust, confidence, sample, sla] = parts.map(Score::clamped);
            Components {
                price,
                trust,
                confidence,
                sample,
                sla,
            }
        })
    }

    proptest! {
        #[test]
        fn a_total_lies_between_the_worst_and_the_best_part(parts in parts()) {
            for strategy in Strategy::ALL {
                let total = strategy.weights().total(&parts).get();
                let all = Component::ALL.map(|one| parts.get(one).get());
                let worst = all.into_iter().fold(1.0, f64::min);
                let best = all.into_iter().fold(0.0, f64::max);
                prop_assert!(total >= worst - 1e-9 && total <= best + 1e-9, "{worst} {total} {best}");
            }
        }

        #[test]
        fn a_better_part_never_lowers_the_total(parts in parts(), better in 0.0..=1.0_f64) {
            for strategy in Strategy::ALL {
                let improved = Components { trust: parts.trust.max(Score::clamped(better)), ..parts };
                prop_assert!(strategy.weights().total(&improved) >= strategy.weights().total(&parts));
            }
        }

        #[test]
        fn contributions_add_up_to_the_total(parts in parts()) {
            let weights = Strategy::Balanced.weights();
            let each = Component::ALL.into_iter().map(|one| weights.contribution(one, parts.get(one)));
            let sum: f64 = each.sum();
            prop_assert!((sum - weights.total(&parts).get()).abs() < 1e-9);
        }
    }
}
