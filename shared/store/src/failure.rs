//! What can go wrong between a service and its tables.

use aex_error::{Code, Explain, Fault, fault};
use aex_proto::aex::common::v1::ErrorReason as Common;

/// What can go wrong between a service and its tables, sorted by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Collided with another transaction; tried again and again, in vain.
    #[error("the call collided with others; call again with the same key")]
    Contention(#[source] sqlx::Error),
    /// The database cannot be reached, or has no connection free.
    #[error("the database is away for now; call again with the same key")]
    Unavailable(#[source] sqlx::Error),
    /// Too many transactions wait for a connection.
    #[error("too many calls are under way")]
    Overloaded,
    /// The call's time ran out.
    #[error("the time ran out; the outcome is unknown, call again with the same key")]
    Deadline,
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The page token is damaged or belongs to another filter.
    #[error("the page token is not valid for this request")]
    PageToken,
    /// The resume token is older than what is kept for watchers, or was never given.
    #[error("a watch cannot be resumed after {0}: open it with 0, and read anew what it is about")]
    ResumeToken(u64),
    /// Stored data is not what it must be.
    #[error("stored data is broken: {0}")]
    Corrupt(String),
    /// Any other answer of the database.
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

impl Failure {
    /// Stored data is not what it must be.
    pub fn corrupt(problem: impl Into<String>) -> Self {
        Self::Corrupt(problem.into())
    }

    /// A row that was in the way is gone: the transaction runs again.
    pub(crate) fn gone() -> Self {
        Self::Contention(sqlx::Error::RowNotFound)
    }

    /// Is it the refusal of a second row where one is allowed?
    pub fn is_duplicate(&self, constraint: &str) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error)) if error.constraint() == Some(constraint))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let state = match &error {
            sqlx::Error::Database(refusal) => refusal.code().map(std::borrow::Cow::into_owned),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => return Self::Unavailable(error),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                return Self::Corrupt(error.to_string());
            }
            _ => None,
        };
        match state.as_deref() {
            // Serialization failure, deadlock, lock not available.
            Some("40001" | "40P01" | "55P03") => Self::Contention(error),
            // Cancelled by `statement_timeout`.
            Some("57014") => Self::Deadline,
            // Shutting down, starting up, no connection left, the disk is full, memory is short, the disk fails,
            // connection lost.
            Some("57P01" | "57P02" | "57P03" | "53300" | "53100" | "53200" | "58030") => {
                Self::Unavailable(error)
            }
            Some(code) if code.starts_with("08") => Self::Unavailable(error),
            _ => Self::Database(error),
        }
    }
}

impl Explain for Failure {
    fn explain(&self) -> Fault {
        match self {
            Self::Contention(_) => fault(Code::Aborted, Common::Contention),
            Self::Unavailable(_) => {
                fault(Code::Unavailable, Common::DependencyUnavailable).with("dependency", "database")
            }
            Self::Overloaded => fault(Code::Unavailable, Common::Overloaded),
            Self::Deadline => fault(Code::DeadlineExceeded, Common::DeadlineExceeded),
            Self::KeyReused => fault(Code::InvalidArgument, Common::IdempotencyKeyReused),
            Self::PageToken => fault(Code::InvalidArgument, Common::PageTokenInvalid),
            Self::ResumeToken(token) => {
                fault(Code::FailedPrecondition, Common::ResumeTokenInvalid).with("resume_token", token)
            }
            Self::Corrupt(_) | Self::Database(_) => fault(Code::Internal, Common::Internal),
        }
    }
}
