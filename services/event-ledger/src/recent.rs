//! The end of the log in memory, so that readers who follow it do not ask the database: a thousand tails cost what one
//! costs. It holds an unbroken run of events; whoever is behind it reads the database until it has caught up.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aex_types::TenantId;

use crate::{
    config,
    domain::filter::Filter,
    log::{Batch, Measure, Stored},
};

/// An event with what filters ask for.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) stored: Stored,
    pub(crate) event_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) producer: String,
    pub(crate) visible_to: Vec<TenantId>,
}

/// The end of the log in memory.
#[derive(Debug)]
pub(crate) struct Recent {
    limits: config::Recent,
    run: Mutex<Option<Run>>,
}

#[derive(Debug)]
struct Run {
    /// The last place that is known to be given.
    last: u64,
    /// The events that end there.
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Run {
    const fn after(last: u64) -> Self {
        Self {
            last,
            entries: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The place before its first event.
    fn before(&self) -> u64 {
        self.last.saturating_sub(self.entries.len() as u64)
    }
}

impl Recent {
    pub(crate) const fn new(limits: config::Recent) -> Self {
        Self {
            limits,
            run: Mutex::new(None),
        }
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last place that is known to be given; `None` before anybody looked.
    pub(crate) fn last(&self) -> Option<u64> {
        self.run().as_ref().map(|run| run.last)
    }

    /// The log is known to end here, and nothing of it is at hand.
    pub(crate) fn begin_after(&self, last: u64) {
        let mut run = self.run();
        if run.as_ref().is_none_or(|run| run.last < last) {
            *run = Some(Run::after(last));
        }
    }

    /// Adds committed events, in order and without a gap among them. Events that are here already are left out; when
    /// others stand between, written by another replica, the run begins anew.
    pub(crate) fn extend(&self, entries: Vec<Entry>) {
        let mut run = self.run();
        for entry in entries {
            let sequence = entry.stored.sequence;
            let before = sequence.saturating_sub(1);
            let run = run.get_or_insert_with(|| Run::after(before));
            if sequence <= run.last {
                continue;
            }
            if run.last != before {
                *run = Run::after(before);
            }
            run.last = sequence;
            run.bytes += entry.stored.bytes.len();
            run.entries.push_back(entry);
            while run.entries.len() > self.limits.max_events || run.bytes > self.limits.max_bytes {
                let Some(oldest) = run.entries.pop_front() else {
                    break;
                };
                run.bytes -= oldest.stored.bytes.len();
            }
        }
    }

    /// What follows a place; `None` when that is not at hand.
    pub(crate) fn after(
        &self,
        place: u64,
        filter: &Filter,
        viewer: Option<TenantId>,
        measure: Measure,
    ) -> Option<Batch> {
        let run = self.run();
        let run = run.as_ref()?;
        let skipped = place.checked_sub(run.before())?;
        let mut batch = Batch {
            events: Vec::new(),
            upto: place.max(run.last),
            is_last: true,
        };
        let mut bytes = 0;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        for entry in run.entries.iter().skip(skipped) {
            let seen = viewer.is_none_or(|tenant| entry.visible_to.contains(&tenant));
            if !seen || !filter.wants(&entry.event_type, &entry.aggregate_id, &entry.producer) {
                continue;
            }
            bytes += entry.stored.bytes.len();
            let is_full = batch.events.len() == measure.events || bytes > measure.bytes;
            if is_full && !batch.events.is_empty() {
                batch.upto = entry.stored.sequence.saturating_sub(1);
                batch.is_last = false;
                break;
            }
            batch.events.push(entry.stored.clone());
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use aex_types::Timestamp;
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::domain::chain::Hash;

    const ADA: u128 = 1;
    const ALL: Measure = Measure {
        events: 100,
        bytes: 1 << 20,
    };

    fn tenant(number: u128) -> TenantId {
        Uuid::from_u128(number).into()
    }

    /// Odd ones are of Ada.
    fn entries(range: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
        let entry = |sequence: u64| Entry {
            stored: Stored {
                sequence,
                bytes: Bytes::from(vec![0; 10]),
                hash: Hash::START,
                append_time: Timestamp::EPOCH,
            },
            event_type: "work.submitted".to_owned(),
            aggregate_id: "work_1".to_owned(),
            producer: "work-publisher".to_owned(),
            visible_to: if sequence % 2 == 1 {
                vec![tenant(ADA)]
            } else {
                Vec::new()
            },
        };
        range.map(entry).collect()
    }

    fn recent(max_events: usize, max_bytes: usize) -> Recent {
        Recent::new(config::Recent {
            max_events,
            max_bytes,
        })
    }

    fn read(
        recent: &Recent,
        place: u64,
        viewer: Option<TenantId>,
        measure: Measure,
    ) -> Option<(Vec<u64>, u64)> {
        let batch = recent.after(place, &Filter::default(), viewer, measure)?;
        Some((
            batch.events.iter().map(|event| event.sequence).collect(),
            batch.upto,
        ))
    }

    #[test]
    fn it_knows_what_it_does_not_hold() {
        let recent = recent(3, 1000);
        assert_eq!(read(&recent, 0, None, ALL), None);
        recent.begin_after(5);
        assert_eq!(read(&recent, 4, None, ALL), None);
        assert_eq!(read(&recent, 5, None, ALL), Some((vec![], 5)));
        recent.extend(entries(6..=10));
        assert_eq!(read(&recent, 6, None, ALL), None, "the oldest two were let go");
        assert_eq!(read(&recent, 7, None, ALL), Some((vec![8, 9, 10], 10)));
        assert_eq!(
            read(&recent, 12, None, ALL),
            Some((vec![], 12)),
            "beyond the end there is nothing"
        );
    }

    #[test]
    fn events_of_another_replica_in_between_are_not_passed_over() {
        let recent = recent(100, 1000);
        recent.extend(entries(1..=3));
        recent.extend(entries(2..=4));
        assert_eq!(read(&recent, 0, None, ALL), Some((vec![1, 2, 3, 4], 4)));
        recent.extend(entries(7..=8));
        assert_eq!(read(&recent, 4, None, ALL), None);
        assert_eq!(read(&recent, 6, None, ALL), Some((vec![7, 8], 8)));
        recent.begin_after(8);
        assert_eq!(read(&recent, 6, None, ALL), Some((vec![7, 8], 8)));
    }

    #[test]
    fn a_viewer_is_led_past_what_it_may_not_see_and_a_batch_has_its_measure() {
        let recent = recent(100, 50);
        recent.extend(entries(1..=4));
        assert_eq!(read(&recent, 0, Some(tenant(ADA)), ALL), Some((vec![1, 3], 4)));
        assert_eq!(read(&recent, 1, Some(tenant(2)), ALL), Some((vec![], 4)));
        let two = Measure {
            events: 2,
            bytes: 1000,
        };
        assert_eq!(read(&recent, 0, None, two), Some((vec![1, 2], 2)));
        let tight = Measure { events: 9, bytes: 5 };
        assert_eq!(read(&recent, 0, Some(tenant(ADA)), tight), Some((vec![1], 2)));
        recent.extend(entries(5..=6));
        assert_eq!(read(&recent, 0, None, ALL), None, "the bytes are bounded");
        assert_eq!(read(&recent, 1, None, ALL), Some((vec![2, 3, 4, 5, 6], 6)));
    }
}
