//! What the consumer wants done in a day.

use aex_proto::aex::work_publisher::v1::BidStrategy;
use aex_types::Amount;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::index};
use serde::Serialize;

use crate::images::Image;

/// Images of one batch.
pub(crate) const BATCH: usize = 20;
/// One of so many works is left to the exchange: its best bid wins when the window ends.
const AUTO_AWARDED: usize = 10;

/// How well a batch has to be read, and what that is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Good enough for a guess.
    Rough,
    /// As most want it.
    Normal,
    /// Almost without a mistake.
    Fine,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 3] = [Self::Rough, Self::Normal, Self::Fine];

    /// The name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rough => "rough",
            Self::Normal => "normal",
            Self::Fine => "fine",
        }
    }

    /// The percentage of images that has to be right.
    pub(crate) const fn percent(self) -> usize {
        match self {
            Self::Rough => 70,
            Self::Normal => 85,
            Self::Fine => 95,
        }
    }

    /// The most that is paid for a batch, in dollars.
    pub(crate) fn most(self) -> Amount {
        let micros = match self {
            Self::Rough => 300_000,
            Self::Normal => 700_000,
            Self::Fine => 1_000_000,
        };
        Amount::from_micros(micros).unwrap_or_default()
    }

    /// How the exchange ranks the bids.
    pub(crate) const fn strategy(self) -> BidStrategy {
        match self {
            Self::Rough => BidStrategy::LowestPrice,
            Self::Normal => BidStrategy::Balanced,
            Self::Fine => BidStrategy::BestQuality,
        }
    }
}

/// One batch to be read.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Its place in the day, from 1.
    pub(crate) number: usize,
    /// How well it has to be read.
    pub(crate) kind: Kind,
    /// The exchange chooses the winner.
    pub(crate) is_auto: bool,
    /// The images, and what they show, which the consumer keeps to itself.
    pub(crate) truth: Vec<Image>,
}

impl Plan {
    /// What bidders read.
    pub(crate) fn description(&self) -> String {
        format!(
            "Read {} handwritten digits of 8 by 8 pixels. Answer {{\"digits\":[…]}} in the order of the images. Accepted \
             when at least {} % are right.",
            self.truth.len(),
            self.kind.percent()
        )
    }
}

/// The works of a day. The same seed makes the same works.
pub(crate) fn day(works: usize, seed: u64, market: &[Image]) -> Vec<Plan> {
    let mut dice = StdRng::seed_from_u64(seed);
    let plan = |number: usize| {
        let kind = Kind::ALL.get(dice.random_range(0..Kind::ALL.len())).copied();
        let chosen = index::sample(&mut dice, market.len(), BATCH.min(market.len()));
        Plan {
            number,
            kind: kind.unwrap_or(Kind::Normal),
            is_auto: number.is_multiple_of(AUTO_AWARDED),
            truth: chosen
                .into_iter()
                .filter_map(|index| market.get(index).cloned())
                .collect(),
        }
    };
    (1..=works).map(plan).collect()
}

/// A moment of the day at which the exchange is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    /// So many works have ended.
    pub(crate) after: usize,
    /// It waits for an award, to come into the middle of it.
    pub(crate) in_award: bool,
}

/// When the exchange is killed: spread by chance over the day, every second time within an award.
pub(crate) fn kills(count: usize, works: usize, seed: u64) -> Vec<Kill> {
    let mut dice = StdRng::seed_from_u64(seed ^ 0x6b69_6c6c);
    (0..count)
        .map(|kill| {
            // One in each of `count` equal parts of the day, so that no two come at once.
            let (from, to) = (works * kill / count, works * (kill + 1) / count);
            Kill {
                after: dice.random_range(from..to.max(from + 1)),
                in_award: !kill.is_multiple_of(2),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images;

    #[test]
    fn the_same_seed_makes_the_same_works_and_another_seed_others() {
        let market = images::load().unwrap().market;
        let shown = |seed| -> Vec<_> {
            day(30, seed, &market)
                .into_iter()
                .map(|plan| (plan.number, plan.kind, plan.is_auto, plan.truth))
                .collect()
        };
        assert_eq!(shown(1), shown(1));
        assert_ne!(shown(1), shown(2));
    }

    #[test]
    fn a_day_has_works_of_all_kinds_and_some_are_left_to_the_exchange() {
        let market = images::load().unwrap().market;
        let plans = day(100, 1, &market);
        assert_eq!(plans.len(), 100);
        assert_eq!(plans.iter().filter(|plan| plan.is_auto).count(), 10);
        for kind in Kind::ALL {
            assert!(
                plans.iter().filter(|plan| plan.kind == kind).count() > 20,
                "{}",
                kind.name()
            );
        }
        assert!(
            plans
                .iter()
                .all(|plan| plan.truth.len() == BATCH && plan.description().len() < 4_000)
        );
    }

    #[test]
    fn the_exchange_is_killed_as_often_as_asked_and_within_the_day() {
        for (count, works) in [(0, 100), (1, 100), (5, 100), (3, 3), (4, 2)] {
            let kills = kills(count, works, 7);
            assert_eq!(kills.len(), count);
            assert!(kills.iter().all(|kill| kill.after < works));
            assert!(kills.is_sorted_by_key(|kill| kill.after));
            assert_eq!(kills.iter().filter(|kill| kill.in_award).count(), count / 2);
        }
    }
}
