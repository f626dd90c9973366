//! An event ledger for tests: it takes what is appended and shows what a test puts into it.

use std::sync::{Arc, Mutex};

use aex_kit::{Hosted, Reply, Stream};
use aex_proto::aex::{
    common::v1::Event,
    event_ledger::v1::{
        self as pb,
        event_ledger_service_server::{EventLedgerService, EventLedgerServiceServer, SERVICE_NAME},
    },
};
use prost::{Message as _, Name};
use tokio::sync::{mpsc, watch};
use tonic::{
    Request, Response, Status, codegen::tokio_stream::wrappers::ReceiverStream, service::RoutesBuilder,
};

pub struct Ledger {
    events: Arc<Mutex<Vec<Event>>>,
    length: watch::Sender<usize>,
}

impl Ledger {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            events: Arc::default(),
            length: watch::Sender::new(0),
        })
    }

    fn put(&self, event: Event) -> u64 {
        let mut events = self.events.lock().unwrap();
        events.push(event);
        self.length.send_replace(events.len());
        events.len() as u64
    }

    /// Tells an event of another service.
    pub fn tell<P: Name>(&self, kind: &str, payload: &P) -> String {
        let event_id = format!("evt_test_{}", *self.length.borrow());
        self.put(Event {
            event_id: event_id.clone(),
            r#type: kind.to_owned(),
            payload_type: P::full_name(),
            payload: payload.encode_to_vec().into(),
            ..Event::default()
        });
        event_id
    }

    /// All that it has, oldest first.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until it has an event of a type that fits.
    pub async fn seen(&self, kind: &str, fits: impl Fn(&Event) -> bool) -> Event {
        let mut length = self.length.subscribe();
        loop {
            let events = self.events();
            if let Some(event) = events
                .into_iter()
                .find(|event| event.r#type == kind && fits(event))
            {
                return event;
            }
            let news = tokio::time::timeout(std::time::Duration::from_secs(20), length.changed());
            news.await.unwrap_or_else(|_| panic!("no {kind}")).unwrap();
        }
    }
}

impl Hosted for Ledger {
    const NAME: &'static str = "event-ledger";
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(EventLedgerServiceServer::from_arc(self));
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}

fn fits(types: &[String], event: &Event) -> bool {
    types.is_empty() || types.contains(&event.r#type)
}

#[tonic::async_trait]
impl EventLedgerService for Ledger {
    async fn append(&self, request: Request<pb::AppendRequest>) -> Reply<pb::AppendResponse> {
        for bytes in request.into_inner().events {
            self.put(Event::decode(bytes).unwrap());
        }
        Ok(Response::new(pb::AppendResponse::default()))
    }

    type TailEventsStream = Stream<pb::TailEventsResponse>;

    async fn tail_events(&self, request: Request<pb::TailEventsRequest>) -> Reply<Self::TailEventsStream> {
        let request = request.into_inner();
        let types = request.filter.unwrap_or_default().types;
        let (sender, receiver) = mpsc::channel(16);
        let (mut length, events) = (self.length.subscribe(), self.events());
        let mut batch = batch(&events, &types, request.after_sequence);
        let shared = Arc::clone(&self.events);
        tokio::spawn(async move {
            loop {
                let resume = batch.resume_sequence;
                if sender.send(Ok(batch)).await.is_err() || length.changed().await.is_err() {
                    return;
                }
                batch = self::batch(&shared.lock().unwrap(), &types, resume);
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_events(&self, _: Request<pb::ListEventsRequest>) -> Reply<pb::ListEventsResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_consumer(&self, _: Request<pb::GetConsumerRequest>) -> Reply<pb::GetConsumerResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn commit_consumer(
        &self,
        _: Request<pb::CommitConsumerRequest>,
    ) -> Reply<pb::CommitConsumerResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn verify_chain(&self, _: Request<pb::VerifyChainRequest>) -> Reply<pb::VerifyChainResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(&self, _: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        Err(Status::unimplemented("not asked"))
    }
}

fn batch(events: &[Event], types: &[String], after: u64) -> pb::TailEventsResponse {
    let stored = events.iter().zip(1..).filter(|(_, sequence)| *sequence > after);
    let stored = stored.filter(|(event, _)| fits(types, event));
    pb::TailEventsResponse {
        events: stored
            .map(|(event, sequence)| pb::StoredEvent {
                sequence,
                event: event.encode_to_vec().into(),
                ..Default::default()
            })
            .collect(),
        resume_sequence: events.len() as u64,
    }
}
