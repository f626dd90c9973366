//! The outcomes that count.
//!
//! Of one consumer the newest 14 outcomes count, and of all of these the newest 200. Fourteen outcomes weigh
//! at most `10 * 1 + 4 * 0.5 = 12`, which is 40 % of the 30 that the newest 50 outcomes weigh: whoever trades
//! with a friend again and again gains no more by it than that. A provider with fewer outcomes may owe a greater
//! share to one consumer; what holds its score back then is the prior.
//!
//! The rule looks at what stands before an outcome and at nothing else, and so three things hold that a share
//! computed afterwards would break: the window does not depend on the order in which outcomes arrive; what
//! has left it never comes back, so the window alone is enough to go on; and one more success never lowers a
//! score.
//!
//! A store that reads a window back takes, of the outcomes that were recorded as counted, the newest 14 of each
//! consumer by (completion time, contract id), and of these the newest 200.

use aex_types::TenantId;

use super::{
    evidence::{Evidence, weight},
    outcome::Outcome,
};

/// The most outcomes that count.
pub const MOST_OUTCOMES: usize = 200;
/// The most outcomes of one consumer that count.
pub const MOST_OF_ONE_CONSUMER: usize = 14;

/// The outcomes that count, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window(Vec<Outcome>);

impl Window {
    /// Takes an outcome in, if it counts, and lets go what no longer does. A contract that is in the window
    /// already is not taken twice.
    pub fn insert(&mut self, outcome: Outcome) {
        let newer = |one: &Outcome| one.place() > outcome.place();
        let place = self.0.partition_point(newer);
        if self
            .0
            .get(place)
            .is_some_and(|one| one.place() == outcome.place())
        {
            return;
        }
        self.0.insert(place, outcome);
        self.drop_surplus_of(outcome.consumer_id);
        self.0.truncate(MOST_OUTCOMES);
    }

    fn drop_surplus_of(&mut self, consumer_id: TenantId) {
        let mut seen = 0;
        self.0.retain(|one| {
            seen += usize::from(one.consumer_id == consumer_id);
            one.consumer_id != consumer_id || seen <= MOST_OF_ONE_CONSUMER
        });
    }

    /// The outcomes, the newest first.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.0
    }

    /// The outcomes, the newest first, each with its weight, from 0.1 to 1.
    pub fn weighed(&self) -> impl Iterator<Item = (&Outcome, f64)> {
        self.0
            .iter()
            .enumerate()
            .map(|(rank, outcome)| (outcome, weight(rank)))
    }

    /// What they say together.
    pub fn evidence(&self) -> Evidence {
        Evidence::of(self.0.iter().map(|outcome| outcome.kind))
    }
}

impl FromIterator<Outcome> for Window {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut window = Self::default();
        for outcome in outcomes {
            window.insert(outcome);
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::{fixtures, outcome::Kind};
    use super::*;

    /// The rule, said plainly: the newest 14 of each consumer, and of these the newest 200.
    fn plain(outcomes: &[Outcome]) -> Vec<Outcome> {
        let mut newest = outcomes.to_vec();
        newest.sort_by_key(|outcome| std::cmp::Reverse(outcome.place()));
        newest.dedup();
        let mut seen = BTreeMap::<_, usize>::new();
        newest.retain(|outcome| {
            let count = seen.entry(outcome.consumer_id).or_default();
            *count += 1;
            *count <= MOST_OF_ONE_CONSUMER
        });
        newest.truncate(MOST_OUTCOMES);
        newest
    }

    #[test]
    fn of_one_consumer_the_newest_fourteen_count() {
        let of_friend = (0..30).map(|id| fixtures::outcome(id, 1, Kind::Success));
        let window: Window = of_friend.collect();
        let ids: Vec<_> = window
            .outcomes()
            .iter()
            .map(|one| one.contract_id.uuid().as_u128())
            .collect();
        assert_eq!(ids, (16..30).rev().collect::<Vec<_>>());
        let weight: f64 = window.weighed().map(|(_, weight)| weight).sum();
        assert_eq!(
            weight.to_bits(),
            12.0_f64.to_bits(),
            "40 % of the weight of the newest 50"
        );
    }

    #[test]
    fn of_all_outcomes_the_newest_two_hundred_count() {
        let window: Window = (0..300)
            .map(|id| fixtures::outcome(id, id, Kind::Success))
            .collect();
        assert_eq!(window.outcomes().len(), 200);
        let weight: f64 = window.weighed().map(|(_, weight)| weight).sum();
        assert!((weight - 52.5).abs() < 1e-9);
        assert_eq!(window.evidence().raw_base().get().to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn outcomes_of_one_moment_stand_in_the_order_of_their_ids() {
        let at_once = |id| Outcome {
            completed_at: fixtures::at(0),
            ..fixtures::outcome(id, id, Kind::Success)
        };
        let one: Window = [1, 2, 3].map(at_once).into_iter().collect();
        let other: Window = [3, 1, 2, 1].map(at_once).into_iter().collect();
        assert_eq!(one, other);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(outcomes in fixtures::any_outcomes(400), seed: u64) {
            let shuffled = fixtures::shuffled(&outcomes, seed);
            let window: Window = shuffled.iter().copied().collect();
            prop_assert_eq!(window.outcomes(), plain(&outcomes));
        }

        #[test]
        fn no_consumer_weighs_more_than_twelve(outcomes in fixtures::any_outcomes(400)) {
            let window: Window = outcomes.into_iter().collect();
            let mut weights = BTreeMap::<_, f64>::new();
            for (outcome, weight) in window.weighed() {
                *weights.entry(outcome.consumer_id).or_default() += weight;
            }
            prop_assert!(weights.values().all(|&weight| weight <= 12.0));
        }
    }
}
