//! What an error means to a caller, and the status that tells it.

use std::{collections::HashMap, error::Error, fmt::Display, time::Duration};

use aex_proto::{Reason, Violation, aex::common::v1::ErrorReason as Common};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// An error that can tell its caller what it means.
pub trait Explain: Error {
    /// Code, reason and details.
    fn explain(&self) -> Fault;
}

/// The meaning of an error: what the caller's program acts on.
#[derive(Debug, Clone)]
pub struct Fault {
    code: Code,
    reason: &'static str,
    domain: &'static str,
    metadata: HashMap<String, String>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
}

/// A fault for a reason; its words come from the error's `Display`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a reason is a small enum, named in place"
)]
pub fn fault(code: Code, reason: impl Reason) -> Fault {
    Fault {
        code,
        reason: reason.name(),
        domain: reason.domain(),
        metadata: HashMap::new(),
        violations: Vec::new(),
        retry_after: matches!(code, Code::Unavailable | Code::Aborted | Code::ResourceExhausted)
            .then_some(RETRY_AFTER),
    }
}

/// When to call again, unless the fault says otherwise.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Fault {
    /// Adds a word of the message to the metadata, so that programs need not read the message.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Display) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    /// Names the fields that are wrong.
    #[must_use]
    pub fn violations(mut self, violations: &[Violation]) -> Self {
        self.violations = violations.to_vec();
        self
    }

    /// Says when to call again.
    #[must_use]
    pub const fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says that calling again will not help.
    #[must_use]
    pub const fn final_(mut self) -> Self {
        self.retry_after = None;
        self
    }

    /// The code of the status.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The reason's name.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The only maker of a status. The cause of an INTERNAL or an UNAVAILABLE goes to the log, never to the
/// caller.
pub fn status(error: &dyn Explain) -> Status {
    let fault = error.explain();
    let message = if fault.code == Code::Internal {
        tracing::error!(cause = %chain(error), "internal error");
        "internal error; the request id leads the operator to its cause".to_owned()
    } else {
        if fault.code == Code::Unavailable && error.source().is_some() {
            tracing::warn!(cause = %chain(error), "a call was refused");
        }
        error.to_string()
    };
    let mut details = ErrorDetails::with_error_info(fault.reason, fault.domain, fault.metadata);
    for violation in fault.violations.into_iter().take(MOST_VIOLATIONS) {
        details.add_bad_request_violation(
            short(violation.field, MOST_WORDS),
            short(violation.description, MOST_WORDS),
        );
    }
    if let Some(after) = fault.retry_after {
        details.set_retry_info(Some(after));
    }
    Status::with_error_details(fault.code, short(message, MOST_MESSAGE), details)
}

/// A status travels in HTTP/2 headers, of which a peer takes 16 KiB, spelled in base 64: what is longer is cut.
const MOST_VIOLATIONS: usize = 24;
const MOST_WORDS: usize = 160;
const MOST_MESSAGE: usize = 512;

fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// An error with all its causes, for a log. The words of a cause are for operators, never for a caller.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// A call that its caller may not make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No credential came with the call.
    #[error("a credential is needed: send `authorization: Bearer <key>`")]
    CredentialMissing,
    /// The credential opens nothing.
    #[error("the credential is not valid here")]
    CredentialInvalid,
    /// The credential ended while a watch was open.
    #[error("the credential ended")]
    CredentialEnded,
    /// The caller is not of an audience of the method.
    #[error("this method is not for this caller")]
    Audience,
    /// The key lacks a scope.
    #[error("the key needs one of the scopes {}", needed.join(", "))]
    Scope {
        /// What would do.
        needed: Vec<String>,
    },
    /// The tenant is suspended or terminated.
    #[error("the tenant is not active")]
    TenantSuspended,
}

impl Explain for Denied {
    fn explain(&self) -> Fault {
        match self {
            Self::CredentialMissing => fault(Code::Unauthenticated, Common::CredentialMissing),
            Self::CredentialInvalid => fault(Code::Unauthenticated, Common::CredentialInvalid),
            Self::CredentialEnded => fault(Code::Unauthenticated, Common::CredentialEnded),
            Self::Audience => fault(Code::PermissionDenied, Common::AudienceDenied),
            Self::Scope { needed } => {
                fault(Code::PermissionDenied, Common::ScopeDenied).with("scopes", needed.join(" "))
            }
            Self::TenantSuspended => fault(Code::PermissionDenied, Common::TenantSuspended),
        }
    }
}
