//! Which events a reader wants.

use std::str::FromStr;

/// Types of events: one, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Types {
    /// `work.submitted`.
    One(String),
    /// `work.*`, kept as `work.`; `*` is kept as the empty text.
    Below(String),
}

/// A pattern with a wildcard where none may stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("may have `*` as its last word only")]
pub struct Misplaced;

impl FromStr for Types {
    type Err = Misplaced;

    fn from_str(text: &str) -> Result<Self, Misplaced> {
        match text.strip_suffix('*') {
            Some(prefix) if prefix.contains('*') => Err(Misplaced),
            Some(prefix) => Ok(Self::Below(prefix.to_owned())),
            None if text.contains('*') => Err(Misplaced),
            None => Ok(Self::One(text.to_owned())),
        }
    }
}

impl Types {
    fn has(&self, event_type: &str) -> bool {
        match self {
            Self::One(one) => one == event_type,
            Self::Below(prefix) => event_type.starts_with(prefix.as_str()),
        }
    }
}

/// Which events a reader wants; an empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of one of these types; none means of all.
    pub types: Vec<Types>,
    /// Of this aggregate only.
    pub aggregate_id: Option<String>,
    /// Of this producer only.
    pub producer: Option<String>,
}

impl Filter {
    /// Does it want an event?
    pub fn wants(&self, event_type: &str, aggregate_id: &str, producer: &str) -> bool {
        (self.types.is_empty() || self.types.iter().any(|types| types.has(event_type)))
            && self
                .aggregate_id
                .as_deref()
                .is_none_or(|wanted| wanted == aggregate_id)
            && self.producer.as_deref().is_none_or(|wanted| wanted == producer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_all_that_begins_alike() {
        let wants = |pattern: &str, event_type: &str| {
            let filter = Filter {
                types: vec![pattern.parse().unwrap()],
                ..Filter::default()
            };
            filter.wants(event_type, "work_1", "work-publisher")
        };
        assert!(wants("work.*", "work.submitted") && wants("*", "work.submitted"));
        assert!(wants("work.submitted", "work.submitted"));
        assert!(!wants("work.*", "worker.registered") && !wants("work.sub", "work.submitted"));
        assert!(!wants("work.*", "work"));
        for misplaced in ["*.submitted", "work.*.late", "*.*"] {
            assert_eq!(misplaced.parse::<Types>(), Err(Misplaced), "{misplaced}");
        }
    }

    #[test]
    fn every_part_of_a_filter_must_fit() {
        let filter = Filter {
            types: Vec::new(),
            aggregate_id: Some("work_1".to_owned()),
            producer: Some("work-publisher".to_owned()),
        };
        assert!(filter.wants("work.submitted", "work_1", "work-publisher"));
        assert!(!filter.wants("work.submitted", "work_2", "work-publisher"));
        assert!(!filter.wants("work.submitted", "work_1", "bid-gateway"));
    }
}
