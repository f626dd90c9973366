//! Everything that trust-broker says no with.

use aex_error::{Explain, Fault, Invalid};
use aex_store::Failure;

/// Everything that trust-broker says no with. It has no reasons of its own: it answers for every provider, and keeps
/// what it is told.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Store(#[from] Failure),
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        match self {
            Self::Invalid(invalid) => invalid.explain(),
            Self::Store(failure) => failure.explain(),
        }
    }
}
