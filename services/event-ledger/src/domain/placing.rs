//! Gives events their places. Many requests are placed in one go; one that cannot be placed is refused alone, and those
//! around it are placed as if it had never come.

use std::collections::HashMap;

use aex_types::EventId;
use bytes::Bytes;

use super::{
    chain::Hash,
    event::{Aggregate, NewEvent},
};

/// The end of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The last place that was given; 0 when the log is empty.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// The end of an empty log.
    pub const START: Self = Self {
        sequence: 0,
        hash: Hash::START,
    };
}

/// What the log holds of what the requests bring.
#[derive(Debug, Default)]
pub struct Known<'a> {
    /// Events that were appended before: place and bytes.
    pub stored: HashMap<EventId, (u64, Bytes)>,
    /// The last version of each aggregate; absent means that it has none.
    pub last: HashMap<&'a Aggregate, u64>,
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Its place.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// The event.
    pub event: &'a NewEvent,
}

/// A request that cannot be placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another event has this id.
    #[error("another event was appended under the id {0}")]
    IdReused(EventId),
    /// A version was left out, or comes a second time.
    #[error("{aggregate_id} comes next at version {next}, not {given}")]
    OutOfOrder {
        /// Whose version.
        aggregate_id: String,
        /// What would be right.
        next: u64,
        /// What came.
        given: u64,
    },
}

/// What became of the requests.
#[derive(Debug)]
pub struct Placement<'a> {
    /// The end of the log afterwards.
    pub head: Head,
    /// What is to be written.
    pub new: Vec<Placed<'a>>,
    /// For each request the place of each of its events, or why it is refused.
    pub answers: Vec<Result<Vec<u64>, Refusal>>,
}

/// Places requests behind the head, one after the other.
pub fn place<'a>(head: Head, known: Known<'a>, requests: &[&'a [NewEvent]]) -> Placement<'a> {
    let mut placing = Placing {
        head,
        known,
        new: Vec::new(),
    };
    let answers = requests.iter().map(|events| placing.request(events)).collect();
    Placement {
        head: placing.head,
        new: placing.new,
        answers,
    }
}

struct Placing<'a> {
    head: Head,
    known: Known<'a>,
    new: Vec<Placed<'a>>,
}

impl<'a> Placing<'a> {
    fn request(&mut self, events: &'a [NewEvent]) -> Result<Vec<u64>, Refusal> {
        let begun = (self.head, self.new.len());
        let places: Result<Vec<_>, _> = events.iter().map(|event| self.event(event)).collect();
        if places.is_err() {
            self.take_back(begun);
        }
        places
    }

    fn event(&mut self, event: &'a NewEvent) -> Result<u64, Refusal> {
        if let Some((sequence, bytes)) = self.known.stored.get(&event.id) {
            return if *bytes == event.bytes {
                Ok(*sequence)
            } else {
                Err(Refusal::IdReused(event.id))
            };
        }
        let last = self.known.last.entry(&event.aggregate).or_default();
        let next = last.saturating_add(1);
        if event.version != next {
            return Err(Refusal::OutOfOrder {
                aggregate_id: event.aggregate.id.clone(),
                next,
                given: event.version,
            });
        }
        *last = next;
        self.head = Head {
            sequence: self.head.sequence + 1,
            hash: self.head.hash.then(&event.bytes),
        };
        let sequence = self.head.sequence;
        self.known
            .stored
            .insert(event.id, (sequence, event.bytes.clone()));
        self.new.push(Placed {
            sequence,
            hash: self.head.hash,
            event,
        });
        Ok(sequence)
    }

    /// Forgets what a refused request began.
    fn take_back(&mut self, (head, count): (Head, usize)) {
        for placed in self.new.drain(count..) {
            self.known.stored.remove(&placed.event.id);
            if let Some(last) = self.known.last.get_mut(&placed.event.aggregate) {
                *last = last.saturating_sub(1);
            }
        }
        self.head = head;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn event(id: u128, aggregate: u8, version: u64, word: &str) -> NewEvent {
        NewEvent {
            id: Uuid::from_u128(id).into(),
            event_type: "thing.changed".to_owned(),
            aggregate: Aggregate {
                id: format!("thing_{aggregate}"),
                kind: "thing".to_owned(),
                producer: "identity".to_owned(),
            },
            version,
            visible_to: Vec::new(),
            bytes: Bytes::from(format!("{id} {aggregate} {version} {word}")),
        }
    }

    /// A log in memory: what a database holds between two batches.
    #[derive(Debug)]
    struct Log {
        head: Head,
        stored: HashMap<EventId, (u64, Bytes)>,
        last: HashMap<Aggregate, u64>,
        chain: Vec<(u64, Bytes, Hash)>,
    }

    impl Log {
        fn new() -> Self {
            Self {
                head: Head::START,
                stored: HashMap::new(),
                last: HashMap::new(),
                chain: Vec::new(),
            }
        }

        fn append(&mut self, requests: &[Vec<NewEvent>]) -> Vec<Result<Vec<u64>, Refusal>> {
            let known = Known {
                stored: self.stored.clone(),
                last: requests
                    .iter()
                    .flatten()
                    .map(|event| {
                        (
                            &event.aggregate,
                            self.last.get(&event.aggregate).copied().unwrap_or_default(),
                        )
                    })
                    .collect(),
            };
            let slices: Vec<_> = requests.iter().map(Vec::as_slice).collect();
            let placement = place(self.head, known, &slices);
            self.head = placement.head;
            for placed in placement.new {
                let bytes = placed.event.bytes.clone();
                self.stored
                    .insert(placed.event.id, (placed.sequence, bytes.clone()));
                self.last
                    .insert(placed.event.aggregate.clone(), placed.event.version);
                self.chain.push((placed.sequence, bytes, placed.hash));
            }
            placement.answers
        }

        /// Dense, and each link made of the one before.
        fn check(&self) {
            let mut head = Head::START;
            for (sequence, bytes, hash) in &self.chain {
                head = Head {
                    sequence: head.sequence + 1,
                    hash: head.hash.then(bytes),
                };
                assert_eq!((head.sequence, head.hash), (*sequence, *hash));
            }
            assert_eq!(head, self.head);
        }
    }

    #[test]
    fn a_bad_request_is_refused_alone_and_leaves_no_trace() {
        let mut log = Log::new();
        let answers = log.append(&[
            vec![event(1, 1, 1, "a")],
            vec![event(2, 1, 2, "a"), event(3, 1, 4, "a")],
            vec![event(4, 1, 2, "a")],
            vec![event(1, 1, 1, "other")],
            vec![event(1, 1, 1, "a"), event(2, 1, 3, "a")],
        ]);
        let out_of_order = Refusal::OutOfOrder {
            aggregate_id: "thing_1".to_owned(),
            next: 3,
            given: 4,
        };
        assert_eq!(
            answers,
            [
                Ok(vec![1]),
                Err(out_of_order),
                Ok(vec![2]),
                Err(Refusal::IdReused(Uuid::from_u128(1).into())),
                Ok(vec![1, 3]),
            ]
        );
        log.check();
    }

    #[test]
    fn services_do_not_share_the_versions_of_one_id() {
        let mut other = event(2, 1, 1, "a");
        "settlement".clone_into(&mut other.aggregate.producer);
        assert_eq!(
            Log::new().append(&[vec![event(1, 1, 1, "a")], vec![other]]),
            [Ok(vec![1]), Ok(vec![2])]
        );
    }

    fn requests() -> impl Strategy<Value = Vec<Vec<NewEvent>>> {
        // Few ids, aggregates and versions, so that requests meet each other in every way.
        let one = (0_u128..24, 0_u8..3, 1_u64..6, "[ab]")
            .prop_map(|(id, aggregate, version, word)| event(id, aggregate, version, &word));
        prop::collection::vec(prop::collection::vec(one, 1..4), 1..40)
    }

    proptest! {
        #[test]
        fn however_requests_share_commits_the_log_and_the_answers_are_the_same(
            requests in requests(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut alone = Log::new();
            let one_by_one: Vec<_> = requests.iter().flat_map(|one| alone.append(std::slice::from_ref(one))).collect();
            alone.check();

            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(requests.len() + 1)).collect();
            cuts.extend([0, requests.len()]);
            cuts.sort_unstable();
            let mut shared = Log::new();
            let together: Vec<_> =
                cuts.windows(2).flat_map(|cut| shared.append(&requests[cut[0]..cut[1]])).collect();
            shared.check();
            prop_assert_eq!(one_by_one, together);
            prop_assert_eq!(alone.chain, shared.chain);
        }
    }
}
