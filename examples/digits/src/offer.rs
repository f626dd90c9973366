//! What each agent asks and promises.

use std::time::Duration;

use aex_types::Amount;

use crate::methods::Method;

/// What the poor agent claims to be: it never looked whether it is true.
const BOAST: f64 = 0.97;

/// The terms of one agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Offer {
    /// For one batch, in millionths of a dollar.
    price_micros: u64,
    /// From the award to the delivery. The methods themselves take well under a millisecond; this stands for the queue
    /// of a machine that many use.
    pub(crate) turnaround: Duration,
    /// How sure it says it is, 0 to 1.
    pub(crate) confidence: f64,
}

impl Offer {
    /// The terms of a method whose accuracy was found to be `found`.
    pub(crate) fn of(method: Method, found: f64) -> Self {
        let (price_micros, turnaround_ms) = match method {
            Method::Knn => (450_000, 120),
            Method::Logistic => (400_000, 40),
            Method::Bayes => (260_000, 60),
            Method::Centroid => (220_000, 20),
            Method::Ink => (80_000, 5),
        };
        Self {
            price_micros,
            turnaround: Duration::from_millis(turnaround_ms),
            confidence: if method == Method::Ink { BOAST } else { found },
        }
    }

    /// The price of one batch, in dollars.
    pub(crate) fn price(self) -> Amount {
        Amount::from_micros(self.price_micros).unwrap_or_default()
    }

    /// Whether work that pays at most this is worth a bid.
    pub(crate) fn fits(self, most: &str) -> bool {
        most.parse::<Amount>().is_ok_and(|most| self.price() <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images;

    #[test]
    fn all_agents_but_the_poor_one_promise_what_they_found() {
        let images = images::load().unwrap();
        for method in Method::ALL {
            let found = method.cross_validated(&images.training);
            let promised = Offer::of(method, found).confidence;
            if method == Method::Ink {
                assert!(promised > found + 0.5);
            } else {
                assert!((promised - found).abs() < f64::EPSILON);
            }
        }
    }

    #[test]
    fn an_agent_bids_within_the_budget_only() {
        let offer = Offer::of(Method::Centroid, 0.9);
        assert_eq!(offer.price().to_string(), "0.22");
        assert!(
            offer.fits("0.22")
                && offer.fits("1")
                && !offer.fits("0.219999")
                && !offer.fits("")
                && !offer.fits("1e3")
        );
    }
}
