//! What ends a measurement: anything that did not go as it should.

use std::{error::Error, fmt};

use tonic_types::StatusExt as _;

/// Why a measurement is worth nothing.
#[derive(Debug)]
pub(crate) struct Problem(String);

impl Problem {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A call that was refused.
    pub(crate) fn of(what: &str, status: &tonic::Status) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map_or("", |info| info.reason.as_str());
        Self(format!(
            "{what}: {:?} {reason} {}",
            status.code(),
            status.message()
        ))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: Error> From<E> for Problem {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(current) = cause {
            text = format!("{text}: {current}");
            cause = current.source();
        }
        Self(text)
    }
}
