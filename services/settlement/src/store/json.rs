//! Rows on their way into a table: one JSON array as one parameter, read by PostgreSQL as rows of the table's type.
//! Every value is spelled as text, so that numbers stay exact.

use std::fmt::Display;

use aex_store::Failure;
use serde::{Serialize, Serializer};

/// A value as PostgreSQL reads it from text.
pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A value or none.
#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(super) fn maybe<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// Rows as one parameter.
pub(super) fn rows<T: Serialize>(rows: &[T]) -> Result<String, Failure> {
    serde_json::to_string(rows).map_err(|error| Failure::corrupt(error.to_string()))
}
