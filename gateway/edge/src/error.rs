//! Everything that the edge itself says no with.

use aex_error::{Code, Denied, Explain, Fault, fault};
use aex_proto::aex::common::v1::ErrorReason as Common;

/// A call that the edge refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such method here")]
    MethodUnknown,
    #[error("header names with underscores are not taken: {0}")]
    HeaderName(String),
    #[error("the metadata is larger than {0} bytes")]
    MetadataTooLarge(usize),
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the time ran out; the outcome is unknown, call again with the same key")]
    DeadlineExceeded,
    #[error("the key cannot be checked right now; call again")]
    IdentityAway,
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Explain for Refusal {
    fn explain(&self) -> Fault {
        match self {
            Self::MethodUnknown => fault(Code::Unimplemented, Common::MethodUnknown),
            Self::HeaderName(name) => {
                fault(Code::InvalidArgument, Common::RequestUnreadable).with("header", name)
            }
            Self::MetadataTooLarge(limit) | Self::TooLarge(limit) => {
                fault(Code::ResourceExhausted, Common::MessageTooLarge)
                    .with("limit_bytes", limit)
                    .final_()
            }
            Self::DeadlineExceeded => fault(Code::DeadlineExceeded, Common::DeadlineExceeded),
            Self::IdentityAway => {
                fault(Code::Unavailable, Common::DependencyUnavailable).with("dependency", "identity")
            }
            Self::Denied(denied) => denied.explain(),
        }
    }
}
