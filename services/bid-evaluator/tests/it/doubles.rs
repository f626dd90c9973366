//! The peers of bid-evaluator, as far as it asks them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use aex_kit::Hosted;
use aex_proto::aex::{
    bid_gateway::v1::{self as gateway, bid_gateway_service_server as gateway_server},
    event_ledger::v1::{self as ledger, event_ledger_service_server as ledger_server},
    trust_broker::v1::{self as trust, trust_broker_service_server as trust_server},
    work_publisher::v1::{self as publisher, work_publisher_service_server as publisher_server},
};
use tonic::{Code, Request, Response, Status, service::RoutesBuilder};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What all peers know.
#[derive(Debug, Default)]
pub struct Stage {
    /// Methods that refuse their next calls, so many times, with this code.
    pub away: HashMap<&'static str, (usize, Code)>,
    pub asked: Vec<&'static str>,
    pub works: HashMap<String, publisher::Work>,
    pub books: HashMap<String, gateway::SealBookResponse>,
    pub trust: HashMap<String, trust::Trust>,
    pub events: Vec<ledger::StoredEvent>,
}

#[derive(Debug, Clone, Default)]
pub struct Peer(pub Arc<Mutex<Stage>>);

impl Peer {
    pub fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.0.lock().unwrap()
    }

    pub fn times_asked(&self, method: &str) -> usize {
        self.stage()
            .asked
            .iter()
            .filter(|asked| **asked == method)
            .count()
    }

    fn play<A>(
        &self,
        method: &'static str,
        effect: impl FnOnce(&mut Stage) -> Option<A>,
    ) -> Result<Response<A>, Status> {
        let mut stage = self.stage();
        stage.asked.push(method);
        let no = |code, reason: &str| {
            let details = ErrorDetails::with_error_info(reason, "work-publisher.aex", HashMap::new());
            Status::with_error_details(code, reason, details)
        };
        if let Some((times, code)) = stage.away.get_mut(method).filter(|(times, _)| *times > 0) {
            *times -= 1;
            return Err(no(*code, "DEPENDENCY_UNAVAILABLE"));
        }
        let answer = effect(&mut stage);
        answer
            .map(Response::new)
            .ok_or_else(|| no(Code::NotFound, "WORK_NOT_FOUND"))
    }
}

macro_rules! double {
    ($name:ident, $service:literal, $server:path, $full:path) => {
        #[derive(Debug, Clone)]
        pub struct $name(pub Peer);

        impl Hosted for $name {
            const NAME: &'static str = $service;
            const SERVICES: &'static [&'static str] = &[$full];

            fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
                use $server as Server;
                routes
                    .add_service(Server::from_arc(self).max_decoding_message_size(aex_kit::LARGEST_MESSAGE));
            }

            fn start_workers(self: Arc<Self>) {}

            async fn is_ready(&self) -> bool {
                true
            }
        }
    };
}

double!(
    Publisher,
    "work-publisher",
    publisher_server::WorkPublisherServiceServer,
    publisher_server::SERVICE_NAME
);
double!(
    Gateway,
    "bid-gateway",
    gateway_server::BidGatewayServiceServer,
    gateway_server::SERVICE_NAME
);
double!(
    Trust,
    "trust-broker",
    trust_server::TrustBrokerServiceServer,
    trust_server::SERVICE_NAME
);
double!(
    Ledger,
    "event-ledger",
    ledger_server::EventLedgerServiceServer,
    ledger_server::SERVICE_NAME
);

#[tonic::async_trait]
impl publisher_server::WorkPublisherService for Publisher {
    type WatchWorkStream = aex_kit::Stream<publisher::WatchWorkResponse>;

    async fn get_work(
        &self,
        request: Request<publisher::GetWorkRequest>,
    ) -> Result<Response<publisher::GetWorkResponse>, Status> {
        self.0.play("GetWork", |stage| {
            let work = stage.works.get(&request.get_ref().work_id).cloned()?;
            Some(publisher::GetWorkResponse { work: Some(work) })
        })
    }

    async fn publish_work(
        &self,
        _: Request<publisher::PublishWorkRequest>,
    ) -> Result<Response<publisher::PublishWorkResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_works(
        &self,
        _: Request<publisher::ListWorksRequest>,
    ) -> Result<Response<publisher::ListWorksResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn cancel_work(
        &self,
        _: Request<publisher::CancelWorkRequest>,
    ) -> Result<Response<publisher::CancelWorkResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_work_payload(
        &self,
        _: Request<publisher::GetWorkPayloadRequest>,
    ) -> Result<Response<publisher::GetWorkPayloadResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reserve_award(
        &self,
        _: Request<publisher::ReserveAwardRequest>,
    ) -> Result<Response<publisher::ReserveAwardResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn confirm_award(
        &self,
        _: Request<publisher::ConfirmAwardRequest>,
    ) -> Result<Response<publisher::ConfirmAwardResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn release_award(
        &self,
        _: Request<publisher::ReleaseAwardRequest>,
    ) -> Result<Response<publisher::ReleaseAwardResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn watch_work(
        &self,
        _: Request<publisher::WatchWorkRequest>,
    ) -> Result<Response<Self::WatchWorkStream>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(
        &self,
        _: Request<publisher::AuditRequest>,
    ) -> Result<Response<publisher::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl gateway_server::BidGatewayService for Gateway {
    async fn seal_book(
        &self,
        request: Request<gateway::SealBookRequest>,
    ) -> Result<Response<gateway::SealBookResponse>, Status> {
        self.0.play("SealBook", |stage| {
            stage.books.get(&request.get_ref().work_id).cloned()
        })
    }

    async fn submit_bid(
        &self,
        _: Request<gateway::SubmitBidRequest>,
    ) -> Result<Response<gateway::SubmitBidResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn withdraw_bid(
        &self,
        _: Request<gateway::WithdrawBidRequest>,
    ) -> Result<Response<gateway::WithdrawBidResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_bid(
        &self,
        _: Request<gateway::GetBidRequest>,
    ) -> Result<Response<gateway::GetBidResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_bids(
        &self,
        _: Request<gateway::ListBidsRequest>,
    ) -> Result<Response<gateway::ListBidsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(
        &self,
        _: Request<gateway::AuditRequest>,
    ) -> Result<Response<gateway::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl trust_server::TrustBrokerService for Trust {
    async fn batch_get_trust(
        &self,
        request: Request<trust::BatchGetTrustRequest>,
    ) -> Result<Response<trust::BatchGetTrustResponse>, Status> {
        self.0.play("BatchGetTrust", |stage| {
            let asked = request.get_ref().provider_ids.iter();
            let trusts = asked.map(|id| stage.trust[id].clone()).collect();
            Some(trust::BatchGetTrustResponse { trusts })
        })
    }

    async fn get_trust(
        &self,
        _: Request<trust::GetTrustRequest>,
    ) -> Result<Response<trust::GetTrustResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_outcomes(
        &self,
        _: Request<trust::ListOutcomesRequest>,
    ) -> Result<Response<trust::ListOutcomesResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn explain_trust(
        &self,
        _: Request<trust::ExplainTrustRequest>,
    ) -> Result<Response<trust::ExplainTrustResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn set_verification(
        &self,
        _: Request<trust::SetVerificationRequest>,
    ) -> Result<Response<trust::SetVerificationResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(&self, _: Request<trust::AuditRequest>) -> Result<Response<trust::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl ledger_server::EventLedgerService for Ledger {
    type TailEventsStream = aex_kit::Stream<ledger::TailEventsResponse>;

    async fn append(
        &self,
        _: Request<ledger::AppendRequest>,
    ) -> Result<Response<ledger::AppendResponse>, Status> {
        Ok(Response::new(ledger::AppendResponse::default()))
    }

    /// What the test put there before; the follower opens the tail again when it ends.
    async fn tail_events(
        &self,
        request: Request<ledger::TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let after = request.get_ref().after_sequence;
        let events: Vec<_> = {
            let stage = self.0.stage();
            stage
                .events
                .iter()
                .filter(|event| event.sequence > after)
                .cloned()
                .collect()
        };
        let batch = ledger::TailEventsResponse {
            resume_sequence: events.last().map_or(after, |last| last.sequence),
            events,
        };
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(batch)))))
    }

    async fn list_events(
        &self,
        _: Request<ledger::ListEventsRequest>,
    ) -> Result<Response<ledger::ListEventsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_consumer(
        &self,
        _: Request<ledger::GetConsumerRequest>,
    ) -> Result<Response<ledger::GetConsumerResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn commit_consumer(
        &self,
        _: Request<ledger::CommitConsumerRequest>,
    ) -> Result<Response<ledger::CommitConsumerResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn verify_chain(
        &self,
        _: Request<ledger::VerifyChainRequest>,
    ) -> Result<Response<ledger::VerifyChainResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(
        &self,
        _: Request<ledger::AuditRequest>,
    ) -> Result<Response<ledger::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}
