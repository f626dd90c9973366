//! A bid: one provider's offer for one work.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    time::Duration,
};

use aex_types::{AgentId, BidId, Money, ProviderId, TenantId, Timestamp, WorkId};
use serde::de::IgnoredAny;

/// Bytes of the name of a field that a work can require.
const LONGEST_FIELD: usize = 64;

/// One provider's offer for one work, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Bid {
    /// Its id.
    pub id: BidId,
    /// The work.
    pub work_id: WorkId,
    /// The tenant that wants the work.
    pub consumer_id: TenantId,
    /// The provider.
    pub provider_id: ProviderId,
    /// The tenant that owns the provider.
    pub provider_tenant_id: TenantId,
    /// What it offers.
    pub offer: Offer,
    /// Where it stands.
    pub status: Status,
    /// Why it is disqualified; empty otherwise.
    pub status_reason: String,
    /// Which of the provider's bids on this work it is: 1, 2, 3 …
    pub revision: u32,
    /// When it was received.
    pub receive_time: Timestamp,
    /// When it last changed.
    pub update_time: Timestamp,
}

/// What a provider offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The agent that would do it.
    pub agent_id: Option<AgentId>,
    /// What the provider wants; more than 0.
    pub price: Money,
    /// How sure it is to succeed, 0 to 1.
    pub confidence: f64,
    /// How it will do it.
    pub approach: String,
    /// How long it thinks it takes.
    pub estimated_latency: Option<Duration>,
    /// What it promises.
    pub sla: Option<Sla>,
    /// A piece of the work, done beforehand.
    pub sample: Option<Sample>,
    /// Where the agent is reached.
    pub endpoint: String,
    /// Where it would be done; none means anywhere.
    pub regions: Vec<String>,
    /// Until when it stands.
    pub expire_time: Timestamp,
}

/// What a provider promises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sla {
    /// The longest that an answer takes.
    pub max_latency: Option<Duration>,
    /// The share of time that it can be reached, 0 to 1.
    pub availability: f64,
}

/// A piece of the work, done beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What it was done on.
    pub input: String,
    /// What came out.
    pub output: String,
    /// How long it took.
    pub latency: Option<Duration>,
}

impl Sample {
    /// The names of the fields of its output, where that is a JSON object: of those at the top, the ones that a work can
    /// require. The rest is left out, and so no name is longer or stranger than a required one. Their number is bounded
    /// by the output, whose length is.
    pub fn fields(&self) -> BTreeSet<String> {
        #[expect(
            clippy::zero_sized_map_values,
            reason = "an object is read as a map, and its values are passed over"
        )]
        let read: BTreeMap<String, IgnoredAny> = serde_json::from_str(&self.output).unwrap_or_default();
        let names = read.into_keys().filter(|name| can_be_required(name));
        names.collect()
    }
}

/// As the contract of the work spells its `required_fields`.
fn can_be_required(name: &str) -> bool {
    (1..=LONGEST_FIELD).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Where a bid stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Takes part.
    Received,
    /// Replaced by a newer one of the same provider.
    Superseded,
    /// Taken back.
    Withdrawn,
    /// Valid, and ranked.
    Ranked,
    /// Not valid.
    Disqualified,
    /// Won.
    Awarded,
    /// Did not win.
    Lost,
}

impl Status {
    const ALL: [Self; 7] = [
        Self::Received,
        Self::Superseded,
        Self::Withdrawn,
        Self::Ranked,
        Self::Disqualified,
        Self::Awarded,
        Self::Lost,
    ];

    /// Can it still win?
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Received | Self::Ranked)
    }

    /// Did it drop out before the book was sealed?
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Superseded | Self::Withdrawn)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Received => "RECEIVED",
            Self::Superseded => "SUPERSEDED",
            Self::Withdrawn => "WITHDRAWN",
            Self::Ranked => "RANKED",
            Self::Disqualified => "DISQUALIFIED",
            Self::Awarded => "AWARDED",
            Self::Lost => "LOST",
        })
    }
}

/// A word that names no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a status")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.to_string() == word)
            .ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(output: &str) -> Vec<String> {
        let sample = Sample {
            input: String::new(),
            output: output.to_owned(),
            latency: None,
        };
        sample.fields().into_iter().collect()
    }

    #[test]
    fn a_sample_shows_the_names_at_the_top_of_its_json() {
        let shown =
            fields(r#" {"total": 1e999, "lines": [{"price": null}], "\u0063urrency": {}, "total": 2} "#);
        assert_eq!(shown, ["currency", "lines", "total"]);
        for nothing in [
            "",
            "7",
            "{}",
            r#"["total"]"#,
            r#"{"total": 1"#,
            r#"{"total": 1} {}"#,
            "total: 1",
        ] {
            assert!(fields(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_name_that_no_work_can_require_is_not_shown() {
        let longest = "x".repeat(LONGEST_FIELD);
        let output = format!(
            r#"{{"": 1, "two words": 1, "\u0000": 1, "prénom": 1, "{longest}": 1, "{longest}x": 1}}"#
        );
        assert_eq!(fields(&output), [longest]);
    }
}
