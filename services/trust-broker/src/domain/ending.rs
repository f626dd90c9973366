//! Which outcome the end of a contract is.
//!
//! | how it ended | outcome |
//! |---|---|
//! | settled | SUCCESS |
//! | the provider reported that it did not succeed, or gave up | FAILURE_PROVIDER |
//! | the consumer rejected the result | FAILURE_PROVIDER |
//! | the consumer gave up | FAILURE_CONSUMER |
//! | its time was over before anything was delivered | EXPIRED |
//! | void before it was awarded | none |

use super::outcome::Kind;

/// How a contract ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Completed, and settlement has moved the money.
    Settled,
    /// The provider completed it and said that it did not succeed.
    ReportedFailure,
    /// The provider gave up.
    FailedByProvider,
    /// The consumer gave up.
    FailedByConsumer,
    /// The consumer rejected the result.
    Rejected,
    /// Its time was over.
    Expired,
    /// It never came to an award.
    Void,
}

impl Ending {
    /// What it says about the provider; `None` when it says nothing.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Settled => Some(Kind::Success),
            Self::ReportedFailure | Self::FailedByProvider | Self::Rejected => Some(Kind::FailureProvider),
            Self::FailedByConsumer => Some(Kind::FailureConsumer),
            Self::Expired => Some(Kind::Expired),
            Self::Void => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_says_what_it_says() {
        let read = [
            (Ending::Settled, Some(Kind::Success)),
            (Ending::ReportedFailure, Some(Kind::FailureProvider)),
            (Ending::FailedByProvider, Some(Kind::FailureProvider)),
            (Ending::FailedByConsumer, Some(Kind::FailureConsumer)),
            (Ending::Rejected, Some(Kind::FailureProvider)),
            (Ending::Expired, Some(Kind::Expired)),
            (Ending::Void, None),
        ];
        for (ending, kind) in read {
            assert_eq!(ending.kind(), kind, "{ending:?}");
        }
    }
}
