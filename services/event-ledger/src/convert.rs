//! The wall between the wire and the domain: requests in, all faults at once; events and consumers out.

use std::collections::BTreeSet;

use aex_error::{Check, Invalid, wire};
use aex_proto::aex::{common::v1::Event, event_ledger::v1 as pb};
use aex_store::Failure;
use aex_types::TenantId;
use bytes::Bytes;
use prost::Message as _;

use crate::{
    Error,
    domain::{
        consumer::Consumer,
        event::{Aggregate, NewEvent},
        filter::Filter,
    },
    log::Stored,
    recent::Entry,
};

/// The longest type of an event, in bytes; also the longest name of an aggregate's kind or of a producer.
const NAME: usize = 64;
/// The longest id of an aggregate, in bytes.
const AGGREGATE_ID: usize = 128;
/// The most tenants that may see one event.
const VIEWERS: usize = 64;

/// The events of a request, all of them told by its caller.
pub(crate) fn new_events(request: &pb::AppendRequest, caller: &str) -> Result<Vec<NewEvent>, Error> {
    let mut check = Check::of(request);
    let mut events = Vec::with_capacity(request.events.len());
    let mut foreign = None;
    for (index, bytes) in request.events.iter().enumerate() {
        if bytes.is_empty() {
            // The contract's rules have named it.
            continue;
        }
        let place = format!("events[{index}]");
        let Ok(event) = Event::decode(bytes.clone()) else {
            check.note(&place, "is not an event");
            continue;
        };
        if event.producer != caller && foreign.is_none() {
            foreign = Some((index, event.producer.clone()));
        }
        events.extend(new_event(&mut check, &place, event, bytes));
    }
    let events = check.finish(|| Some(events))?;
    match foreign {
        None => Ok(events),
        Some((index, producer)) => Err(Error::ProducerMismatch {
            index,
            producer,
            caller: caller.to_owned(),
        }),
    }
}

fn new_event(check: &mut Check, place: &str, event: Event, bytes: &Bytes) -> Option<NewEvent> {
    let id = check.parse(&format!("{place}.event_id"), &event.event_id);
    if !is_type(&event.r#type) {
        check.note(
            &format!("{place}.type"),
            format!("must be lower-case words joined by dots, at most {NAME} bytes"),
        );
    }
    for (field, value, most) in [
        ("producer", &event.producer, NAME),
        ("aggregate_type", &event.aggregate_type, NAME),
        ("aggregate_id", &event.aggregate_id, AGGREGATE_ID),
    ] {
        if value.is_empty() || value.len() > most || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            check.note(
                &format!("{place}.{field}"),
                format!("must be 1 to {most} visible ASCII characters"),
            );
        }
    }
    if i64::try_from(event.aggregate_version).map_or(true, |version| version < 1) {
        check.note(&format!("{place}.aggregate_version"), "must be at least 1");
    }
    if event.visible_to.len() > VIEWERS {
        check.note(
            &format!("{place}.visible_to"),
            format!("must have at most {VIEWERS} elements"),
        );
        return None;
    }
    let visible_to: Option<Vec<TenantId>> =
        check.parse_all(&format!("{place}.visible_to"), &event.visible_to);
    let visible_to: BTreeSet<TenantId> = visible_to?.into_iter().collect();
    Some(NewEvent {
        id: id?,
        event_type: event.r#type,
        aggregate: Aggregate {
            id: event.aggregate_id,
            kind: event.aggregate_type,
            producer: event.producer,
        },
        version: event.aggregate_version,
        visible_to: visible_to.into_iter().collect(),
        bytes: bytes.clone(),
    })
}

/// A type that a filter can name.
fn is_type(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.len() <= NAME
        && text
            .split('.')
            .all(|word| !word.is_empty() && word.bytes().all(is_plain))
}

/// A request's filter, read while the rest of the request is checked.
pub(crate) fn filter(mut check: Check, filter: Option<&pb::EventFilter>) -> Result<Filter, Invalid> {
    let Some(filter) = filter else {
        return check.finish(|| Some(Filter::default()));
    };
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let types = check.parse_all("filter.types", &filter.types);
    check.finish(|| {
        Some(Filter {
            types: types?,
            aggregate_id: given(&filter.aggregate_id),
            producer: given(&filter.producer),
        })
    })
}

/// A stored event with what filters ask for, read from its bytes.
pub(crate) fn entry(stored: Stored) -> Result<Entry, Failure> {
    let broken = || Failure::corrupt(format!("event {} cannot be read", stored.sequence));
    let event = Event::decode(stored.bytes.clone()).map_err(|_| broken())?;
    let visible_to = event.visible_to.iter().map(|tenant| tenant.parse());
    Ok(Entry {
        visible_to: visible_to.collect::<Result<_, _>>().map_err(|_| broken())?,
        event_type: event.r#type,
        aggregate_id: event.aggregate_id,
        producer: event.producer,
        stored,
    })
}

impl From<&Stored> for pb::StoredEvent {
    fn from(stored: &Stored) -> Self {
        Self {
            sequence: stored.sequence,
            event: stored.bytes.clone(),
            hash: Bytes::copy_from_slice(stored.hash.bytes()),
            append_time: Some(wire::time(stored.append_time)),
        }
    }
}

impl From<Consumer> for pb::Consumer {
    fn from(consumer: Consumer) -> Self {
        Self {
            name: consumer.name,
            sequence: consumer.sequence,
            update_time: Some(wire::time(consumer.update_time)),
        }
    }
}
