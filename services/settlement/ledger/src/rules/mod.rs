//! The posting rules: each looks at the working set and says what a command does, or why it does not.

mod close;
mod deposit;
mod hold;
mod settle;

use aex_types::{JournalId, Timestamp};

use crate::{Books, Change, Command, Refusal, Subject, draft::Draft};

/// What a rule says, when it does not refuse.
pub(crate) enum Verdict {
    /// It is to be done.
    New(Box<Decision>),
    /// It was done before, on the same terms, by this journal if any.
    Already(Option<JournalId>),
}

/// What is to be done.
pub(crate) struct Decision {
    pub subject: Subject,
    pub change: Change,
    pub draft: Option<Draft>,
}

impl Verdict {
    /// It is to be done, and moves money unless its draft turned out empty.
    fn posting(subject: Subject, change: Change, draft: Draft) -> Self {
        Self::New(Box::new(Decision {
            subject,
            change,
            draft: draft.unless_empty(),
        }))
    }

    /// It is to be done, and moves nothing.
    fn memo(subject: Subject, change: Change) -> Self {
        Self::New(Box::new(Decision {
            subject,
            change,
            draft: None,
        }))
    }
}

/// What a command does to the books as they are. `now` is not earlier than the last event of what it is about.
pub(crate) fn decide(books: &Books, command: &Command, now: Timestamp) -> Result<Verdict, Refusal> {
    match command {
        Command::RequestDeposit(command) => deposit::request(books, command),
        Command::ConfirmDeposit(command) => deposit::confirm(books, command),
        Command::RejectDeposit(command) => deposit::reject(books, command),
        Command::PlaceHold(command) => hold::place(books, command),
        Command::Release(command) => hold::release(books, command, now),
        Command::Settle(command) => settle::settle(books, command, now),
        Command::Elapse(command) => close::elapse(books, command, now),
    }
}
