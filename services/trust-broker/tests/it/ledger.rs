//! A ledger in memory: it appends and it can be followed, which is all that the broker asks of one.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use aex_kit::{Hosted, Signal};
use aex_proto::aex::{
    common::v1::Event,
    event_ledger::v1::{
        self as pb,
        event_ledger_service_server::{EventLedgerService, EventLedgerServiceServer, SERVICE_NAME},
    },
};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, service::RoutesBuilder};

/// Clones are the same ledger.
#[derive(Debug, Default, Clone)]
pub struct Ledger {
    stored: Arc<Mutex<Vec<pb::StoredEvent>>>,
    signal: Signal,
}

impl Ledger {
    /// Appends events as a producer would.
    pub fn tell(&self, events: impl IntoIterator<Item = Event>) {
        let mut stored = self.stored.lock().unwrap();
        for event in events {
            let sequence = u64::try_from(stored.len()).unwrap() + 1;
            stored.push(pb::StoredEvent {
                sequence,
                event: event.encode_to_vec().into(),
                ..Default::default()
            });
        }
        drop(stored);
        self.signal.wake();
    }

    /// The events of a producer, once there are as many.
    pub async fn told_by(&self, producer: &str, count: usize) -> Vec<Event> {
        let mut signal = self.signal.clone();
        loop {
            let events = self.all();
            let events: Vec<_> = events
                .into_iter()
                .filter(|event| event.producer == producer)
                .collect();
            if events.len() >= count {
                return events;
            }
            signal.wait().await;
        }
    }

    fn all(&self) -> Vec<Event> {
        let stored = self.stored.lock().unwrap();
        stored
            .iter()
            .map(|one| Event::decode(one.event.clone()).unwrap())
            .collect()
    }

    fn after(&self, sequence: u64) -> Vec<pb::StoredEvent> {
        let stored = self.stored.lock().unwrap();
        stored
            .iter()
            .filter(|one| one.sequence > sequence)
            .cloned()
            .collect()
    }
}

fn wants(types: &[String], event: &pb::StoredEvent) -> bool {
    let event = Event::decode(event.event.clone()).unwrap();
    types.contains(&event.r#type)
}

#[tonic::async_trait]
impl EventLedgerService for Ledger {
    type TailEventsStream =
        Pin<Box<dyn tokio_stream::Stream<Item = Result<pb::TailEventsResponse, Status>> + Send>>;

    async fn append(
        &self,
        request: Request<pb::AppendRequest>,
    ) -> Result<Response<pb::AppendResponse>, Status> {
        let events = request.into_inner().events;
        self.tell(events.into_iter().map(|event| Event::decode(event).unwrap()));
        Ok(Response::new(pb::AppendResponse::default()))
    }

    async fn tail_events(
        &self,
        request: Request<pb::TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let request = request.into_inner();
        let types = request.filter.unwrap_or_default().types;
        let (sender, receiver) = mpsc::channel(4);
        let (ledger, mut signal) = (self.clone(), self.signal.clone());
        let mut position = request.after_sequence;
        tokio::spawn(async move {
            loop {
                let news = ledger.after(position);
                if let Some(last) = news.last() {
                    position = last.sequence;
                    let events = news.into_iter().filter(|event| wants(&types, event)).collect();
                    let batch = pb::TailEventsResponse {
                        events,
                        resume_sequence: position,
                    };
                    if sender.send(Ok(batch)).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = signal.wait() => {}
                    () = sender.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn list_events(
        &self,
        _: Request<pb::ListEventsRequest>,
    ) -> Result<Response<pb::ListEventsResponse>, Status> {
        Err(Status::unimplemented("the broker does not ask this"))
    }

    async fn get_consumer(
        &self,
        _: Request<pb::GetConsumerRequest>,
    ) -> Result<Response<pb::GetConsumerResponse>, Status> {
        Err(Status::unimplemented("the broker does not ask this"))
    }

    async fn commit_consumer(
        &self,
        _: Request<pb::CommitConsumerRequest>,
    ) -> Result<Response<pb::CommitConsumerResponse>, Status> {
        Err(Status::unimplemented("the broker does not ask this"))
    }

    async fn verify_chain(
        &self,
        _: Request<pb::VerifyChainRequest>,
    ) -> Result<Response<pb::VerifyChainResponse>, Status> {
        Err(Status::unimplemented("the broker does not ask this"))
    }

    async fn audit(&self, _: Request<pb::AuditRequest>) -> Result<Response<pb::AuditResponse>, Status> {
        Err(Status::unimplemented("the broker does not ask this"))
    }
}

impl Hosted for Ledger {
    const NAME: &'static str = "event-ledger";
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
