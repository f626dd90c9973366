//! Categories, and patterns over them.

use std::{fmt, str::FromStr};

/// The bytes of a category or a pattern.
pub const LIMIT: usize = 64;

/// What a kind of work is called: lower-case words joined by dots, at most 64 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Category(String);

/// A category whose segments may also be `*`. A `*` inside stands for exactly one segment, a last one for one or more.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

/// A text that is no category or no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be lower-case words joined by dots, like `vision.classification`")]
pub struct CategoryError;

fn is_word(segment: &str) -> bool {
    let spelled = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    !segment.is_empty() && segment.bytes().all(spelled)
}

impl Category {
    /// The category itself and all that lie above it, the widest first: `a.b.c` lies in `a`, `a.b` and `a.b.c`.
    pub fn lineage(&self) -> Vec<&str> {
        let dots = self.0.match_indices('.').filter_map(|(at, _)| self.0.get(..at));
        dots.chain([self.0.as_str()]).collect()
    }

    /// Its first segment.
    pub fn head(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// Does the category fit?
    pub fn matches(&self, category: &Category) -> bool {
        let mut wanted = self.0.split('.').peekable();
        let mut given = category.0.split('.');
        while let Some(segment) = wanted.next() {
            let Some(word) = given.next() else { return false };
            if segment == "*" && wanted.peek().is_none() {
                return true;
            }
            if segment != "*" && segment != word {
                return false;
            }
        }
        given.next().is_none()
    }

    /// Its first segment; `*` when it begins with any.
    pub fn head(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Category {
    type Err = CategoryError;

    fn from_str(text: &str) -> Result<Self, CategoryError> {
        if text.len() <= LIMIT && text.split('.').all(is_word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CategoryError)
        }
    }
}

impl FromStr for Pattern {
    type Err = CategoryError;

    fn from_str(text: &str) -> Result<Self, CategoryError> {
        if text.len() <= LIMIT && text.split('.').all(|segment| segment == "*" || is_word(segment)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CategoryError)
        }
    }
}

macro_rules! printed {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )*};
}

printed! { Category Pattern }

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same rule, said another way: over segments, from both ends known.
    fn naive(pattern: &[String], category: &[String]) -> bool {
        match (pattern, category) {
            ([], []) => true,
            ([last], [_, ..]) if last == "*" => true,
            ([first, pattern @ ..], [word, category @ ..]) => {
                (first == "*" || first == word) && naive(pattern, category)
            }
            _ => false,
        }
    }

    #[test]
    fn a_last_star_stands_for_one_or_more_and_another_for_exactly_one() {
        let table = [
            ("travel.booking", "travel.booking", true),
            ("travel.*", "travel.booking", true),
            ("travel.*", "travel.booking.flights", true),
            ("travel.*", "travel", false),
            ("*", "travel", true),
            ("*", "travel.booking", true),
            ("*.booking", "travel.booking", true),
            ("*.booking", "travel.hotels.booking", false),
            ("*.*", "travel", false),
            ("*.*", "travel.booking.flights", true),
            ("travel.*.flights", "travel.booking.flights", true),
            ("travel.*.flights", "travel.flights", false),
            ("travel", "travel.booking", false),
            ("travel.booking", "travel", false),
            ("travels.*", "travel.booking", false),
        ];
        for (pattern, category, expected) in table {
            let (pattern, category): (Pattern, Category) =
                (pattern.parse().unwrap(), category.parse().unwrap());
            assert_eq!(pattern.matches(&category), expected, "{pattern} {category}");
        }
    }

    #[test]
    fn what_is_no_category_is_refused() {
        for wrong in [
            "",
            ".",
            "a.",
            "A",
            "Travel.booking",
            "a b",
            "[a]",
            "a..b",
            &"a".repeat(65),
        ] {
            assert!(wrong.parse::<Category>().is_err(), "{wrong}");
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
        assert!("a.*".parse::<Category>().is_err());
        assert!("a*".parse::<Pattern>().is_err());
    }

    #[test]
    fn a_category_lies_in_all_that_are_above_it() {
        let category: Category = "a.b.c".parse().unwrap();
        assert_eq!(category.lineage(), ["a", "a.b", "a.b.c"]);
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(
            pattern in prop::collection::vec("[ab*]", 1..5),
            category in prop::collection::vec("[ab]", 1..6),
        ) {
            let expected = naive(&pattern, &category);
            let (pattern, category): (Pattern, Category) =
                (pattern.join(".").parse().unwrap(), category.join(".").parse().unwrap());
            prop_assert_eq!(pattern.matches(&category), expected);
            // What the tables are narrowed by never hides a match.
            prop_assert!(!expected || pattern.head() == "*" || pattern.head() == category.head());
        }
    }
}
