//! Why a command failed, in one line.

use std::fmt;

/// One line that says what is wrong and, where it is known, what to do.
#[derive(Debug)]
pub(crate) struct Problem {
    words: String,
    exit: u8,
}

/// What a process ends with that was refused, or that found something broken.
const REFUSED: u8 = 1;
/// What a process ends with that was told what it cannot do, before it asked anybody.
const USAGE: u8 = 2;
/// What a process ends with that got no answer: its outcome is unknown, and the same command may be given again.
const NO_ANSWER: u8 = 3;

impl Problem {
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self {
            words: words.into().replace('\n', " / "),
            exit: REFUSED,
        }
    }

    /// The command line says something that cannot be meant.
    pub(crate) fn usage(words: impl Into<String>) -> Self {
        Self {
            exit: USAGE,
            ..Self::new(words)
        }
    }

    /// Nobody answered.
    pub(crate) fn unreached(words: impl Into<String>) -> Self {
        Self {
            exit: NO_ANSWER,
            ..Self::new(words)
        }
    }

    /// The process has lost a task that it cannot be without.
    pub(crate) fn broken() -> Self {
        Self::new(
            "a task of the exchange has panicked: the log says which; nothing that was acknowledged is lost, start it again",
        )
    }

    /// The same, and what else there is to say when nobody answered.
    pub(crate) fn when_unanswered(mut self, more: &str) -> Self {
        if self.exit == NO_ANSWER {
            self.words = format!("{}; {more}", self.words);
        }
        self
    }

    /// What the process ends with.
    pub(crate) const fn exit(&self) -> u8 {
        self.exit
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
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
