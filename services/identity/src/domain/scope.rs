//! What a key may do.

use std::{fmt, str::FromStr};

/// The areas of the exchange and what can be done in each.
const AREAS: &[(&str, &[&str])] = &[
    ("billing", &["read", "write"]),
    ("bids", &["read", "write"]),
    ("contracts", &["read", "write"]),
    ("events", &["read"]),
    ("keys", &["read", "write"]),
    ("providers", &["read", "write"]),
    ("tenant", &["read", "write"]),
    ("trust", &["read"]),
    ("work", &["read", "write"]),
];

/// One permission: `work:read`, all of an area `work:*`, or everything `*`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A text that is no scope of the exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be `*`, or one of {}", known().join(", "))]
pub struct UnknownScope;

fn known() -> Vec<String> {
    AREAS
        .iter()
        .flat_map(|(area, actions)| {
            actions
                .iter()
                .chain(&["*"])
                .map(move |action| format!("{area}:{action}"))
        })
        .collect()
}

impl Scope {
    /// The scope, spelled.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Does this scope contain the other one?
    pub fn contains(&self, other: &Self) -> bool {
        self.0 == "*" || self == other || {
            let area = |scope: &Self| scope.0.split_once(':').map(|(area, _)| area.to_owned());
            self.0.ends_with(":*") && area(self).is_some() && area(self) == area(other)
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let is_known = text == "*"
            || text.split_once(':').is_some_and(|(area, action)| {
                AREAS
                    .iter()
                    .any(|(known, actions)| *known == area && (action == "*" || actions.contains(&action)))
            });
        if is_known {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnknownScope)
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        text.parse().unwrap()
    }

    #[test]
    fn only_scopes_of_the_exchange_are_scopes() {
        for wrong in [
            "",
            "work",
            "work:",
            ":read",
            "work:delete",
            "works:read",
            "**",
            "*:*",
            "work:read ",
            "events:write",
        ] {
            assert_eq!(wrong.parse::<Scope>(), Err(UnknownScope), "{wrong}");
        }
        for right in known() {
            assert!(right.parse::<Scope>().is_ok(), "{right}");
        }
    }

    #[test]
    fn an_area_contains_its_own_scopes_and_everything_contains_all() {
        assert!(scope("*").contains(&scope("*")) && scope("*").contains(&scope("work:*")));
        assert!(scope("work:*").contains(&scope("work:read")) && scope("work:*").contains(&scope("work:*")));
        assert!(!scope("work:*").contains(&scope("bids:read")) && !scope("work:*").contains(&scope("*")));
        assert!(
            !scope("work:read").contains(&scope("work:write"))
                && !scope("work:read").contains(&scope("work:*"))
        );
    }
}
