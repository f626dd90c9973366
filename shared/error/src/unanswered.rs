//! A question to another service that was not answered as it should be.

use aex_proto::aex::common::v1::ErrorReason as Common;
use tonic::{Code, Status};

use crate::{Explain, Fault, fault};

/// A question to another service that was not answered as it should be. What the service said goes to the log.
#[derive(Debug, thiserror::Error)]
#[error("{service} does not answer as it should; call again with the same key")]
pub struct Unanswered {
    service: &'static str,
    #[source]
    status: Box<Status>,
}

impl Unanswered {
    /// A service refused, was away or was late.
    pub fn by(service: &'static str, status: Status) -> Self {
        Self {
            service,
            status: Box::new(status),
        }
    }

    /// A service answered what cannot be read.
    pub fn unreadable(service: &'static str) -> Self {
        Self::by(service, Status::internal("the answer cannot be read"))
    }
}

impl Explain for Unanswered {
    fn explain(&self) -> Fault {
        match self.status.code() {
            Code::DeadlineExceeded => fault(Code::DeadlineExceeded, Common::DeadlineExceeded),
            Code::Unavailable | Code::ResourceExhausted | Code::Cancelled => {
                fault(Code::Unavailable, Common::DependencyUnavailable).with("dependency", self.service)
            }
            _ => fault(Code::Internal, Common::Internal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_away_is_named_and_who_is_wrong_is_not() {
        for (said, code, reason) in [
            (Code::Unavailable, Code::Unavailable, "DEPENDENCY_UNAVAILABLE"),
            (
                Code::ResourceExhausted,
                Code::Unavailable,
                "DEPENDENCY_UNAVAILABLE",
            ),
            (
                Code::DeadlineExceeded,
                Code::DeadlineExceeded,
                "DEADLINE_EXCEEDED",
            ),
            (Code::InvalidArgument, Code::Internal, "INTERNAL"),
        ] {
            let fault = Unanswered::by("settlement", Status::new(said, "no")).explain();
            assert_eq!((fault.code(), fault.reason()), (code, reason));
        }
        let unreadable = Unanswered::unreadable("settlement");
        assert_eq!(unreadable.explain().code(), Code::Internal);
        assert!(crate::chain(&unreadable).contains("the answer cannot be read"));
    }
}
