//! What becomes of a question to another service: an answer, a definite refusal, or neither.

use std::time::Duration;

use aex_error::Unanswered;
use aex_kit::Call;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::Error;

/// The longest that one question may take, so that its asker has time left to answer for itself.
const QUESTION: Duration = Duration::from_secs(4);
/// The time that an asker keeps for itself.
const RESERVE: Duration = Duration::from_millis(500);

/// What was said to a question.
#[derive(Debug)]
pub(crate) enum Answer<A, N = Refused> {
    /// What was asked for.
    Given(A),
    /// A definite refusal: asked again, it would be the same.
    Refused(N),
}

/// A definite refusal, in the words of the one who refused.
#[derive(Debug)]
pub(crate) struct Refused {
    service: &'static str,
    reason: String,
    status: Status,
}

impl<A> Answer<A> {
    /// What was asked for. The refusal with this reason is an error of our own; another one is not expected.
    pub(super) fn or(self, reason: &str, ours: Error) -> Result<A, Error> {
        match self {
            Self::Given(answer) => Ok(answer),
            Self::Refused(no) if no.is(reason) => Err(ours),
            Self::Refused(no) => Err(no.into()),
        }
    }
}

impl Refused {
    /// Is it for this reason?
    pub(super) fn is(&self, reason: &str) -> bool {
        self.reason == reason
    }

    /// Why.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// What was said about it; for the log.
    pub(crate) fn words(&self) -> String {
        format!("{} says {}: {}", self.service, self.reason, self.status.message())
    }
}

impl From<Refused> for Error {
    fn from(no: Refused) -> Self {
        Unanswered::by(no.service, no.status).into()
    }
}

/// Asks, and waits no longer than one question may take. An error is neither answer nor refusal: ask again.
pub(super) async fn asked<A>(
    call: &Call,
    service: &'static str,
    question: impl Future<Output = Result<tonic::Response<A>, Status>>,
) -> Result<Answer<A>, Error> {
    let most = call.time_left().saturating_sub(RESERVE).min(QUESTION);
    let status = match tokio::time::timeout(most, question).await {
        Ok(Ok(answer)) => return Ok(Answer::Given(answer.into_inner())),
        Ok(Err(status)) => status,
        Err(_) => Status::deadline_exceeded(format!("{service} is slow")),
    };
    match definite(service, &status) {
        Some(reason) => Ok(Answer::Refused(Refused {
            service,
            reason,
            status,
        })),
        None => Err(Unanswered::by(service, status).into()),
    }
}

/// Why the service refuses for good; `None` where it may answer otherwise next time.
///
/// What is asked for is wrong, or is not there: that is the service's own word, and it says why. That the exchange may not
/// ask (PERMISSION_DENIED, UNAUTHENTICATED) says nothing about a trade: its operators mend it, and the question stands.
fn definite(service: &str, status: &Status) -> Option<String> {
    if !matches!(
        status.code(),
        Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument
    ) {
        return None;
    }
    let details = status.get_error_details();
    let info = details.error_info()?;
    let is_its_own = ["common", service]
        .iter()
        .any(|name| info.domain.strip_suffix(".aex") == Some(name));
    is_its_own.then(|| info.reason.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn said(code: Code, domain: &str) -> Status {
        let details = ErrorDetails::with_error_info("CURRENCY_UNSUPPORTED", domain, HashMap::new());
        Status::with_error_details(code, "no", details)
    }

    #[test]
    fn a_refusal_is_definite_when_the_service_itself_says_what_is_wrong() {
        for code in [Code::NotFound, Code::FailedPrecondition, Code::InvalidArgument] {
            for domain in ["settlement.aex", "common.aex"] {
                let reason = definite("settlement", &said(code, domain));
                assert_eq!(reason.as_deref(), Some("CURRENCY_UNSUPPORTED"), "{code:?}");
            }
            // Somebody on the way, or somebody else.
            assert_eq!(definite("settlement", &Status::new(code, "no")), None);
            assert_eq!(definite("settlement", &said(code, "work-publisher.aex")), None);
        }
        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::Aborted,
            Code::ResourceExhausted,
            Code::Unimplemented,
            Code::PermissionDenied,
            Code::Unauthenticated,
        ] {
            assert_eq!(
                definite("settlement", &said(code, "settlement.aex")),
                None,
                "{code:?}"
            );
        }
    }
}
