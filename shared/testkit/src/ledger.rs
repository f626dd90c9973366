//! An event ledger in memory: it takes what is appended, shows what a test puts into it, and can be followed.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aex_kit::{Hosted, Reply, Signal, Stream};
use aex_proto::aex::{
    common::v1::Event,
    event_ledger::v1::{
        self as pb,
        event_ledger_service_server::{EventLedgerService, EventLedgerServiceServer, SERVICE_NAME},
    },
};
use prost::{Message as _, Name};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, service::RoutesBuilder};

/// How long a test waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event ledger in memory. Clones are the same ledger.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    events: Arc<Mutex<Vec<Event>>>,
    appended: Signal,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Appends events as they are, as their producers would.
    pub fn append(&self, events: impl IntoIterator<Item = Event>) {
        self.stored().extend(events);
        self.appended.wake();
    }

    /// Appends an event of another service, of which only its type and payload matter; answers its id.
    pub fn tell<P: Name>(&self, kind: &str, payload: &P) -> String {
        let event_id = format!("evt_test_{}", self.stored().len());
        self.append([Event {
            event_id: event_id.clone(),
            r#type: kind.to_owned(),
            payload_type: P::full_name(),
            payload: payload.encode_to_vec().into(),
            ..Event::default()
        }]);
        event_id
    }

    /// All that it has, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.stored().clone()
    }

    /// What a producer has told from a place on, one aggregate after the other, without what is new each time that it is
    /// told: two runs that decide the same are told alike.
    pub fn told_since(&self, place: usize, producer: &str) -> Vec<Event> {
        let told = self.events().into_iter().skip(place);
        let told = told.filter(|event| event.producer == producer);
        let mut told: Vec<_> = told
            .map(|event| Event {
                event_id: String::new(),
                correlation_id: String::new(),
                traceparent: String::new(),
                ..event
            })
            .collect();
        told.sort_by(|one, other| one.aggregate_id.cmp(&other.aggregate_id));
        told
    }

    /// The first event of a type that fits, once it is there.
    pub async fn seen(&self, kind: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let found = |events: Vec<Event>| {
            let mut events = events.into_iter();
            events.find(|event| event.r#type == kind && fits(event))
        };
        self.once(kind, found).await
    }

    /// The events of a producer, once there are as many.
    pub async fn told_by(&self, producer: &str, count: usize) -> Vec<Event> {
        let found = |events: Vec<Event>| {
            let own = events.into_iter().filter(|event| event.producer == producer);
            Some(own.collect::<Vec<_>>()).filter(|own| own.len() >= count)
        };
        self.once(producer, found).await
    }

    async fn once<T>(&self, what: &str, found: impl Fn(Vec<Event>) -> Option<T>) -> T {
        let mut appended = self.appended.clone();
        let waiting = async {
            loop {
                if let Some(found) = found(self.events()) {
                    return found;
                }
                appended.wait().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("the ledger was not told: {what}"))
    }

    fn stored(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What follows a position, and how far that goes: as the real one, it tells what it passes over.
    fn after(&self, position: u64, types: &[String]) -> pb::TailEventsResponse {
        let stored = self.stored();
        let news = stored.iter().zip(1_u64..).filter(|(event, sequence)| {
            *sequence > position && (types.is_empty() || types.contains(&event.r#type))
        });
        pb::TailEventsResponse {
            events: news
                .map(|(event, sequence)| pb::StoredEvent {
                    sequence,
                    event: event.encode_to_vec().into(),
                    ..Default::default()
                })
                .collect(),
            resume_sequence: stored.len() as u64,
        }
    }
}

#[tonic::async_trait]
impl EventLedgerService for Ledger {
    type TailEventsStream = Stream<pb::TailEventsResponse>;

    async fn append(&self, request: Request<pb::AppendRequest>) -> Reply<pb::AppendResponse> {
        let events = request.into_inner().events.into_iter();
        self.append(events.map(|event| Event::decode(event).expect("a producer sends events")));
        Ok(Response::new(pb::AppendResponse::default()))
    }

    async fn tail_events(&self, request: Request<pb::TailEventsRequest>) -> Reply<Self::TailEventsStream> {
        let request = request.into_inner();
        let types = request.filter.unwrap_or_default().types;
        let (sender, receiver) = mpsc::channel(4);
        let (ledger, mut appended) = (self.clone(), self.appended.clone());
        let mut position = request.after_sequence;
        tokio::spawn(async move {
            loop {
                let batch = ledger.after(position, &types);
                if batch.resume_sequence > position {
                    position = batch.resume_sequence;
                    if sender.send(Ok(batch)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = appended.wait() => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_events(&self, _: Request<pb::ListEventsRequest>) -> Reply<pb::ListEventsResponse> {
        Err(unplayed())
    }

    async fn get_consumer(&self, _: Request<pb::GetConsumerRequest>) -> Reply<pb::GetConsumerResponse> {
        Err(unplayed())
    }

    async fn commit_consumer(
        &self,
        _: Request<pb::CommitConsumerRequest>,
    ) -> Reply<pb::CommitConsumerResponse> {
        Err(unplayed())
    }

    async fn verify_chain(&self, _: Request<pb::VerifyChainRequest>) -> Reply<pb::VerifyChainResponse> {
        Err(unplayed())
    }

    async fn audit(&self, _: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        Err(unplayed())
    }
}

fn unplayed() -> Status {
    Status::unimplemented("a ledger in memory only appends and tails")
}

impl Hosted for Ledger {
    const NAME: &'static str = "event-ledger";
    const PORT: u16 = 0;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(
            EventLedgerServiceServer::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE),
        );
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}
