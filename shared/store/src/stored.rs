//! Reads events as the event ledger keeps them: a service's own for replay, and those of others.

use aex_error::wire;
use aex_proto::aex::common::v1::Event;
use aex_types::Timestamp;
use prost::Message;

use crate::Failure;

/// What an event says; `None` when it cannot be read.
pub fn payload<P: Message + Default>(event: &Event) -> Option<P> {
    P::decode(event.payload.clone()).ok()
}

/// When an event happened; `None` when it cannot be read.
pub fn occurred(event: &Event) -> Option<Timestamp> {
    wire::read_time(event.occur_time.as_ref()?)
}

/// Says that an event cannot be read.
pub fn unreadable(event: &Event) -> Failure {
    Failure::corrupt(format!(
        "event {} of type {} cannot be read",
        event.event_id, event.r#type
    ))
}
