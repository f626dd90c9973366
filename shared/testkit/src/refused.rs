//! A refusal as a program reads it.

use std::{collections::HashMap, fmt::Debug, fs, path::Path};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// A refusal as a program reads it: code, reason, details. Making one fails when the status has no ErrorInfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status code.
    pub code: Code,
    /// ErrorInfo's reason.
    pub reason: String,
    /// ErrorInfo's domain.
    pub domain: String,
    /// ErrorInfo's metadata.
    pub metadata: HashMap<String, String>,
    /// The fields that BadRequest names.
    pub fields: Vec<String>,
    /// For people.
    pub message: String,
}

impl Refused {
    /// Code and reason, for comparing with one look.
    pub fn why(&self) -> (Code, &str) {
        (self.code, &self.reason)
    }
}

impl From<Status> for Refused {
    #[expect(clippy::panic, reason = "a status without ErrorInfo fails the test")]
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let Some(info) = details.error_info() else {
            panic!("a status without ErrorInfo: {status:?}")
        };
        note(&info.domain, &info.reason);
        let violations = details
            .bad_request()
            .map(|bad| bad.field_violations.as_slice())
            .unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.reason.clone(),
            domain: info.domain.clone(),
            metadata: info.metadata.clone(),
            fields: violations
                .iter()
                .map(|violation| violation.field.clone())
                .collect(),
            message: status.message().to_owned(),
        }
    }
}

impl<T: Debug> From<Result<T, Status>> for Refused {
    #[expect(clippy::panic, reason = "an answer where a refusal was due fails the test")]
    fn from(answer: Result<T, Status>) -> Self {
        match answer {
            Err(status) => status.into(),
            Ok(answer) => panic!("answered where a refusal was due: {answer:?}"),
        }
    }
}

/// Leaves a mark that a test produced the reason; after all tests a check names the reasons that none did.
fn note(domain: &str, reason: &str) {
    let marks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/reasons");
    let _ = fs::create_dir_all(&marks).and_then(|()| fs::write(marks.join(format!("{domain}.{reason}")), []));
}
