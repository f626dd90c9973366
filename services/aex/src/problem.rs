//! Why a command failed, in one line.

use std::fmt;

/// One line that says what is wrong and, where it is known, what to do.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl Problem {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self(words.into().replace('\n', " / "))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut words = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            let cause_words = cause.to_string();
            if !words.contains(&cause_words) {
                words.push_str(": ");
                words.push_str(&cause_words);
            }
            next = cause.source();
        }
        Self::new(words)
    }
}
