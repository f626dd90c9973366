//! The event log, read and verified as operators may.

use aex_event_ledger::domain::chain::Hash;
use aex_kit::LARGEST_MESSAGE;
use aex_proto::{
    POOL,
    aex::{
        common::v1::Event,
        event_ledger::v1::{
            EventFilter, ListEventsRequest, StoredEvent, VerifyChainRequest,
            event_ledger_service_client::EventLedgerServiceClient,
        },
    },
    prost_reflect::{DynamicMessage, ReflectMessage as _},
};
use prost::Message as _;

use crate::{
    calls::Caller,
    problem::Problem,
    rules::{Facts, Finding},
};

/// Events of one page.
const PAGE: i32 = 1_000;

/// Has the ledger compute the chain of hashes again, from the first event to the last; answers the first event that does
/// not fit.
pub(crate) async fn verify(operator: &Caller) -> Result<Option<Finding>, Problem> {
    let mut ledger = EventLedgerServiceClient::new(operator.wire.clone());
    let mut from_sequence = 1;
    loop {
        let request = VerifyChainRequest {
            from_sequence,
            limit: 0,
        };
        let found = ledger.verify_chain(request).await?.into_inner();
        if !found.problem.is_empty() {
            return Ok(Some(Finding {
                invariant: "ledger.chain".to_owned(),
                subject: found.broken_sequence.to_string(),
                detail: found.problem,
                since: None,
            }));
        }
        if found.next_sequence == 0 {
            return Ok(None);
        }
        from_sequence = found.next_sequence;
    }
}

/// A reading of the log, page by page.
pub(crate) struct Reader {
    ledger: EventLedgerServiceClient<aex_kit::Wire>,
    request: ListEventsRequest,
    is_over: bool,
}

impl Reader {
    /// Everything that a producer told, or that all did.
    pub(crate) fn new(operator: &Caller, producer: Option<&str>) -> Self {
        let filter = producer.map(|producer| EventFilter {
            producer: producer.to_owned(),
            ..EventFilter::default()
        });
        Self {
            ledger: EventLedgerServiceClient::new(operator.wire.clone())
                .max_decoding_message_size(LARGEST_MESSAGE),
            request: ListEventsRequest {
                filter,
                page_size: PAGE,
                page_token: String::new(),
            },
            is_over: false,
        }
    }

    /// The next events, in their order; none at the end.
    pub(crate) async fn page(&mut self) -> Result<Option<Vec<StoredEvent>>, Problem> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.ledger.list_events(self.request.clone()).await?.into_inner();
        self.is_over = page.next_page_token.is_empty();
        self.request.page_token = page.next_page_token;
        Ok(Some(page.events))
    }
}

/// Follows the chain through events that are read in their order.
#[derive(Debug)]
pub(crate) struct Chain {
    place: u64,
    hash: Hash,
}

impl Chain {
    pub(crate) const fn new() -> Self {
        Self {
            place: 0,
            hash: Hash::START,
        }
    }

    /// The event that comes next, when it is the one that the chain goes on with.
    pub(crate) fn next(&mut self, stored: &StoredEvent) -> Result<Event, Problem> {
        self.place += 1;
        self.hash = self.hash.then(&stored.event);
        if stored.sequence != self.place || stored.hash != self.hash.bytes().as_slice() {
            return Err(Problem::new(format!(
                "the log is not whole at event {}",
                self.place
            )));
        }
        Ok(Event::decode(stored.event.as_ref())?)
    }
}

/// States the journal of each event that has one, as the log knows it.
pub(crate) async fn journals(operator: &Caller, facts: &mut Facts) -> Result<(), Problem> {
    let mut reader = Reader::new(operator, Some("settlement"));
    while let Some(page) = reader.page().await? {
        for stored in page {
            // Bytes that cannot be read are a broken chain, which is told apart.
            let Ok(event) = Event::decode(stored.event.as_ref()) else {
                continue;
            };
            if let Some(journal) = journal(&event) {
                let since = stored.append_time.as_ref().and_then(aex_error::wire::read_time);
                facts.state("ledger.journal", journal, event.r#type, since);
            }
        }
    }
    Ok(())
}

/// The journal that an event of settlement tells of.
fn journal(event: &Event) -> Option<String> {
    let descriptor = POOL.get_message_by_name(&event.payload_type)?;
    let field = descriptor.get_field_by_name("journal")?;
    let payload = DynamicMessage::decode(descriptor, event.payload.as_ref()).ok()?;
    if !payload.has_field(&field) {
        return None;
    }
    let value = payload.get_field(&field);
    let journal = value.as_message()?;
    let id = journal.descriptor().get_field_by_name("journal_id")?;
    journal.get_field(&id).as_str().map(str::to_owned)
}
