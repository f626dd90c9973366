//! What a service states at an audit when its facts are of several kinds: they are paged by kind and id.

use std::{fmt, str::FromStr};

use aex_error::wire;
use aex_proto::aex::common::v1::AuditFact;
use aex_types::Timestamp;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Failure;

/// One fact, as its row says it; the columns have the names of the fields.
#[derive(Debug, sqlx::FromRow)]
pub struct Stated {
    /// What it is about: `hold.status`.
    pub kind: String,
    /// Of which thing.
    pub id: Uuid,
    /// What holds of that.
    pub value: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Stated {
    /// Where a page ends that it is the last one of.
    pub fn place(&self) -> Place {
        Place {
            kind: self.kind.clone(),
            id: self.id,
        }
    }

    /// The fact about its subject, which is the id as the contracts spell it.
    pub fn fact(self, subject: String) -> AuditFact {
        AuditFact {
            kind: self.kind,
            subject,
            value: self.value,
            since: Some(wire::time(Timestamp::from(self.since))),
        }
    }
}

/// The end of a page of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The kind of its last one.
    pub kind: String,
    /// And its id.
    pub id: Uuid,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

impl FromStr for Place {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let (kind, id) = text.split_once(' ').ok_or(Failure::PageToken)?;
        Ok(Self {
            kind: kind.to_owned(),
            id: id.parse().map_err(|_| Failure::PageToken)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        let place = Place {
            kind: "hold.status".to_owned(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(place.to_string().parse::<Place>().ok(), Some(place));
        for wrong in ["", "hold.status", "hold.status 7"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
