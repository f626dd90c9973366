//! What a transaction has read and will change.

use std::{collections::BTreeMap, fmt::Debug};

use crate::Failure;

/// Entities that a transaction holds, by their ids, and what becomes of them: each event meets what those before it left
/// behind, so that in the end every entity that changed is saved once.
#[derive(Debug)]
pub struct Held<K, T> {
    before: BTreeMap<K, T>,
    after: BTreeMap<K, T>,
}

impl<K, T> Default for Held<K, T> {
    fn default() -> Self {
        Self {
            before: BTreeMap::new(),
            after: BTreeMap::new(),
        }
    }
}

impl<K: Ord, T> FromIterator<(K, T)> for Held<K, T> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entities: I) -> Self {
        Self {
            before: entities.into_iter().collect(),
            after: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy, T> Held<K, T> {
    /// Holds one more, as it was read.
    pub fn add(&mut self, id: K, entity: T) {
        self.before.insert(id, entity);
    }

    /// One of them, as it stands by now.
    pub fn get(&self, id: K) -> Option<&T> {
        self.after.get(&id).or_else(|| self.before.get(&id))
    }

    /// One of them, as it stood when it was read.
    pub fn before(&self, id: K) -> Option<&T> {
        self.before.get(&id)
    }

    /// All that were read, as they were.
    pub fn read(&self) -> impl Iterator<Item = &T> {
        self.before.values()
    }

    /// All that there are, as they stand by now.
    pub fn all(&self) -> impl Iterator<Item = &T> {
        let unchanged = self.before.iter().filter(|(id, _)| !self.after.contains_key(id));
        self.after.values().chain(unchanged.map(|(_, entity)| entity))
    }

    /// Those that an event has met, in the order of their ids.
    pub fn changed(&self) -> impl Iterator<Item = (K, &T)> {
        self.after.iter().map(|(id, entity)| (*id, entity))
    }

    /// Those that changed: the ones that were read, and the ones that are new.
    pub fn known_and_new(&self) -> (Vec<&T>, Vec<&T>) {
        let (known, new): (Vec<_>, Vec<_>) = self
            .after
            .iter()
            .partition(|(id, _)| self.before.contains_key(id));
        let entities = |some: Vec<(_, _)>| some.into_iter().map(|(_, entity)| entity).collect();
        (entities(known), entities(new))
    }

    /// One of them, as it stands by now, taken out.
    pub fn take(&mut self, id: K) -> Option<T> {
        let before = self.before.remove(&id);
        self.after.remove(&id).or(before)
    }
}

impl<K: Ord + Copy, T: Clone> Held<K, T> {
    /// Lets one of them meet an event; `after` answers where it stands then, from where it stood. Answers that.
    ///
    /// # Errors
    ///
    /// [`Failure`] of corrupt data when the event does not follow.
    pub fn fold<E: Debug>(
        &mut self,
        id: K,
        event: &E,
        after: impl FnOnce(Option<T>, &E) -> Option<T>,
    ) -> Result<&T, Failure> {
        let stood = self.after.remove(&id).or_else(|| self.before.get(&id).cloned());
        let stands = after(stood, event)
            .ok_or_else(|| Failure::corrupt(format!("an event does not follow: {event:?}")))?;
        Ok(self.after.entry(id).or_insert(stands))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Times(i32);

    /// The first one of an entity makes it.
    fn times(stood: Option<i32>, event: &Times) -> Option<i32> {
        (event.0 > 0).then(|| stood.unwrap_or(1) * event.0)
    }

    #[test]
    fn each_event_meets_what_those_before_it_left_behind() {
        let mut held: Held<u8, i32> = [(1, 10), (2, 20)].into_iter().collect();
        held.fold(1, &Times(2), times).unwrap();
        assert_eq!(*held.fold(1, &Times(3), times).unwrap(), 60);
        held.fold(3, &Times(7), times).unwrap();
        assert_eq!(
            (held.get(1), held.before(1), held.get(2)),
            (Some(&60), Some(&10), Some(&20))
        );
        assert_eq!((held.get(3), held.before(3), held.get(4)), (Some(&7), None, None));
        assert_eq!(held.known_and_new(), (vec![&60], vec![&7]));
        assert_eq!(held.changed().collect::<Vec<_>>(), [(1, &60), (3, &7)]);
        assert_eq!(held.read().collect::<Vec<_>>(), [&10, &20]);
        let mut all: Vec<_> = held.all().copied().collect();
        all.sort_unstable();
        assert_eq!(all, [7, 20, 60]);
        assert_eq!(
            (held.take(1), held.take(2), held.take(1)),
            (Some(60), Some(20), None)
        );
    }

    #[test]
    fn an_event_that_does_not_follow_is_refused() {
        let mut held: Held<u8, i32> = [(1, 10)].into_iter().collect();
        assert!(held.fold(1, &Times(0), times).is_err());
    }
}
