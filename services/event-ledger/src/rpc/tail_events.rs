//! Streams events from a position on: first what is stored, then what is appended.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::event_ledger::v1::{TailEventsRequest, TailEventsResponse};
use aex_types::TenantId;

use super::{ANSWER, viewer};
use crate::{App, Error, convert, domain::filter::Filter, ends::Ends};

pub(super) async fn tail_events(
    app: &App,
    call: Call,
    request: TailEventsRequest,
) -> Result<(Call, Tail), Error> {
    let filter = convert::filter(Check::of(&request), request.filter.as_ref())?;
    let tail = Tail {
        ends: app.ends.clone(),
        viewer: viewer(&call),
        filter,
        position: request.after_sequence,
    };
    Ok((call, tail))
}

/// One open tail.
pub(super) struct Tail {
    ends: Ends,
    viewer: Option<TenantId>,
    filter: Filter,
    /// Everything up to here was sent or filtered out.
    position: u64,
}

impl Watcher for Tail {
    type Reply = TailEventsResponse;
    type Error = Error;
    // What other replicas append wakes nobody here.
    const POLLS: bool = true;

    fn signal(&self) -> Signal {
        self.ends.appended()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<TailEventsResponse>, Error> {
        let batch = self
            .ends
            .after(call, self.position, &self.filter, self.viewer, ANSWER)
            .await?;
        self.position = self.position.max(batch.upto);
        if batch.events.is_empty() && batch.is_last {
            return Ok(Vec::new());
        }
        // Where a reading finds nothing for this reader it says how far it came: a reader that hears nothing for long would
        // open the tail anew, where it was.
        Ok(vec![TailEventsResponse {
            events: batch.events.iter().map(Into::into).collect(),
            resume_sequence: self.position,
        }])
    }

    fn heartbeat(&self) -> TailEventsResponse {
        TailEventsResponse {
            events: Vec::new(),
            resume_sequence: self.position,
        }
    }
}
