//! The peers of contract-engine, as far as it asks them: they keep what they are told, and a script makes them refuse, be
//! away, or answer too late after having taken effect.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
};

use aex_kit::Hosted;
use aex_proto::aex::{
    bid_evaluator::v1::{self as evaluator, bid_evaluator_service_server as evaluator_server},
    bid_gateway::v1::{self as gateway, bid_gateway_service_server as gateway_server},
    event_ledger::v1::{self as ledger, event_ledger_service_server as ledger_server},
    provider_registry::v1::{self as registry, provider_registry_service_server as registry_server},
    settlement::v1::{self as money, settlement_service_server as money_server},
    work_publisher::v1::{self as publisher, work_publisher_service_server as publisher_server},
};
use tonic::{Code, Request, Response, Status, service::RoutesBuilder};
use tonic_types::{ErrorDetails, StatusExt as _};

/// What a script makes of one call.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Refuses without effect.
    Refuse(Code, &'static str),
    /// Takes effect, and answers that the time ran out.
    Late,
}

/// What all peers know and were told.
#[derive(Debug, Default)]
pub struct Stage {
    pub script: HashMap<&'static str, Vec<Turn>>,
    pub asked: Vec<&'static str>,
    pub works: HashMap<String, publisher::Work>,
    pub payloads: HashMap<String, Vec<u8>>,
    /// Which contract holds which work.
    pub held_by: HashMap<String, String>,
    pub confirmed: HashSet<String>,
    pub released_works: Vec<publisher::ReleaseAwardRequest>,
    pub bids: HashMap<String, gateway::Bid>,
    pub evaluations: HashMap<String, evaluator::Evaluation>,
    pub providers: HashMap<String, registry::Provider>,
    pub holds: HashMap<String, money::PlaceHoldRequest>,
    pub released: HashMap<String, money::ReleaseHoldRequest>,
    pub settled: HashSet<String>,
    /// Amounts above this are refused, where it is set.
    pub is_poor: bool,
    pub events: Vec<ledger::StoredEvent>,
}

#[derive(Debug, Clone, Default)]
pub struct Peer(pub Arc<Mutex<Stage>>);

impl Peer {
    pub fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.0.lock().unwrap()
    }

    /// The next calls of a method go like this.
    pub fn plan(&self, method: &'static str, turns: impl IntoIterator<Item = Turn>) {
        self.stage().script.entry(method).or_default().extend(turns);
    }

    pub fn times_asked(&self, method: &str) -> usize {
        self.stage()
            .asked
            .iter()
            .filter(|asked| **asked == method)
            .count()
    }

    /// Plays one call: its effect, unless the script refuses it.
    fn play<A>(
        &self,
        method: &'static str,
        domain: &str,
        effect: impl FnOnce(&mut Stage) -> Result<A, (Code, &'static str)>,
    ) -> Result<Response<A>, Status> {
        let mut stage = self.stage();
        stage.asked.push(method);
        let turn = stage
            .script
            .get_mut(method)
            .filter(|turns| !turns.is_empty())
            .map(|turns| turns.remove(0));
        let no = |(code, reason): (Code, &str)| {
            Status::with_error_details(
                code,
                reason,
                ErrorDetails::with_error_info(reason, domain, HashMap::new()),
            )
        };
        match turn {
            Some(Turn::Refuse(code, reason)) => Err(no((code, reason))),
            Some(Turn::Late) => {
                let _ = effect(&mut stage);
                Err(no((Code::DeadlineExceeded, "DEADLINE_EXCEEDED")))
            }
            None => effect(&mut stage).map(Response::new).map_err(no),
        }
    }
}

const NOT_FOUND: Code = Code::NotFound;
const NO: Code = Code::FailedPrecondition;

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
    Evaluator,
    "bid-evaluator",
    evaluator_server::BidEvaluatorServiceServer,
    evaluator_server::SERVICE_NAME
);
double!(
    Registry,
    "provider-registry",
    registry_server::ProviderRegistryServiceServer,
    registry_server::SERVICE_NAME
);
double!(
    Settlement,
    "settlement",
    money_server::SettlementServiceServer,
    money_server::SERVICE_NAME
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
        self.0.play("GetWork", "work-publisher.aex", |stage| {
            let work = stage.works.get(&request.get_ref().work_id).cloned();
            let work = work.ok_or((NOT_FOUND, "WORK_NOT_FOUND"))?;
            Ok(publisher::GetWorkResponse { work: Some(work) })
        })
    }

    async fn get_work_payload(
        &self,
        request: Request<publisher::GetWorkPayloadRequest>,
    ) -> Result<Response<publisher::GetWorkPayloadResponse>, Status> {
        self.0.play("GetWorkPayload", "work-publisher.aex", |stage| {
            let work = &stage.works[&request.get_ref().work_id];
            let info = work.payload.clone().unwrap_or_default();
            if !info.location.is_empty() {
                return Err((NO, "PAYLOAD_ELSEWHERE"));
            }
            let payload = stage.payloads.get(&work.work_id).cloned().unwrap_or_default();
            Ok(publisher::GetWorkPayloadResponse {
                payload: payload.into(),
                info: Some(info),
            })
        })
    }

    async fn reserve_award(
        &self,
        request: Request<publisher::ReserveAwardRequest>,
    ) -> Result<Response<publisher::ReserveAwardResponse>, Status> {
        let request = request.into_inner();
        self.0.play("ReserveAward", "work-publisher.aex", |stage| {
            let work = stage
                .works
                .get_mut(&request.work_id)
                .ok_or((NOT_FOUND, "WORK_NOT_FOUND"))?;
            let is_ours = stage.held_by.get(&request.work_id) == Some(&request.contract_id);
            let is_free = matches!(
                work.status(),
                publisher::WorkStatus::Open | publisher::WorkStatus::Evaluating
            );
            if !is_ours && !is_free {
                return Err((NO, "WORK_NOT_AWARDABLE"));
            }
            stage.held_by.insert(request.work_id, request.contract_id);
            work.set_status(publisher::WorkStatus::Awarding);
            Ok(publisher::ReserveAwardResponse {
                work: Some(work.clone()),
            })
        })
    }

    async fn confirm_award(
        &self,
        request: Request<publisher::ConfirmAwardRequest>,
    ) -> Result<Response<publisher::ConfirmAwardResponse>, Status> {
        let request = request.into_inner();
        self.0.play("ConfirmAward", "work-publisher.aex", |stage| {
            assert_eq!(stage.held_by.get(&request.work_id), Some(&request.contract_id));
            assert!(
                stage.holds.contains_key(&request.contract_id),
                "no award without a hold"
            );
            let work = stage
                .works
                .get_mut(&request.work_id)
                .ok_or((NOT_FOUND, "WORK_NOT_FOUND"))?;
            work.set_status(publisher::WorkStatus::Awarded);
            stage.confirmed.insert(request.contract_id);
            Ok(publisher::ConfirmAwardResponse {
                work: Some(work.clone()),
            })
        })
    }

    async fn release_award(
        &self,
        request: Request<publisher::ReleaseAwardRequest>,
    ) -> Result<Response<publisher::ReleaseAwardResponse>, Status> {
        let request = request.into_inner();
        self.0.play("ReleaseAward", "work-publisher.aex", |stage| {
            if stage.held_by.get(&request.work_id) == Some(&request.contract_id) {
                stage.held_by.remove(&request.work_id);
                let work = stage
                    .works
                    .get_mut(&request.work_id)
                    .ok_or((NOT_FOUND, "WORK_NOT_FOUND"))?;
                work.set_status(match (request.r#final, request.sealed) {
                    (true, _) => publisher::WorkStatus::Failed,
                    (_, true) => publisher::WorkStatus::Evaluating,
                    _ => publisher::WorkStatus::Open,
                });
            }
            stage.released_works.push(request);
            Ok(publisher::ReleaseAwardResponse { work: None })
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
    async fn get_bid(
        &self,
        request: Request<gateway::GetBidRequest>,
    ) -> Result<Response<gateway::GetBidResponse>, Status> {
        self.0.play("GetBid", "bid-gateway.aex", |stage| {
            let bid = stage.bids.get(&request.get_ref().bid_id).cloned();
            Ok(gateway::GetBidResponse {
                bid: Some(bid.ok_or((NOT_FOUND, "BID_NOT_FOUND"))?),
            })
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

    async fn list_bids(
        &self,
        _: Request<gateway::ListBidsRequest>,
    ) -> Result<Response<gateway::ListBidsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn seal_book(
        &self,
        _: Request<gateway::SealBookRequest>,
    ) -> Result<Response<gateway::SealBookResponse>, Status> {
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
impl evaluator_server::BidEvaluatorService for Evaluator {
    async fn evaluate(
        &self,
        request: Request<evaluator::EvaluateRequest>,
    ) -> Result<Response<evaluator::EvaluateResponse>, Status> {
        self.0.play("Evaluate", "bid-evaluator.aex", |stage| {
            let evaluation = stage.evaluations.get(&request.get_ref().work_id).cloned();
            Ok(evaluator::EvaluateResponse {
                evaluation: Some(evaluation.ok_or((NOT_FOUND, "WORK_NOT_FOUND"))?),
            })
        })
    }

    async fn get_evaluation(
        &self,
        request: Request<evaluator::GetEvaluationRequest>,
    ) -> Result<Response<evaluator::GetEvaluationResponse>, Status> {
        self.0.play("GetEvaluation", "bid-evaluator.aex", |stage| {
            let evaluation = stage.evaluations.get(&request.get_ref().work_id).cloned();
            Ok(evaluator::GetEvaluationResponse {
                evaluation: Some(evaluation.ok_or((NOT_FOUND, "EVALUATION_NOT_FOUND"))?),
            })
        })
    }

    async fn explain_bid(
        &self,
        _: Request<evaluator::ExplainBidRequest>,
    ) -> Result<Response<evaluator::ExplainBidResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(
        &self,
        _: Request<evaluator::AuditRequest>,
    ) -> Result<Response<evaluator::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl money_server::SettlementService for Settlement {
    async fn place_hold(
        &self,
        request: Request<money::PlaceHoldRequest>,
    ) -> Result<Response<money::PlaceHoldResponse>, Status> {
        let request = request.into_inner();
        self.0.play("PlaceHold", "settlement.aex", |stage| {
            if stage.released.contains_key(&request.contract_id) {
                return Err((NO, "HOLD_RELEASED"));
            }
            if stage.is_poor {
                return Err((NO, "INSUFFICIENT_FUNDS"));
            }
            let known = stage
                .holds
                .entry(request.contract_id.clone())
                .or_insert_with(|| request.clone());
            if *known == request {
                Ok(money::PlaceHoldResponse { hold: None })
            } else {
                Err((NO, "HOLD_TERMS_CHANGED"))
            }
        })
    }

    async fn release_hold(
        &self,
        request: Request<money::ReleaseHoldRequest>,
    ) -> Result<Response<money::ReleaseHoldResponse>, Status> {
        let request = request.into_inner();
        self.0.play("ReleaseHold", "settlement.aex", |stage| {
            if stage.settled.contains(&request.contract_id) {
                return Err((NO, "HOLD_CAPTURED"));
            }
            stage.released.insert(request.contract_id.clone(), request);
            Ok(money::ReleaseHoldResponse { hold: None })
        })
    }

    async fn settle_contract(
        &self,
        request: Request<money::SettleContractRequest>,
    ) -> Result<Response<money::SettleContractResponse>, Status> {
        let request = request.into_inner();
        self.0.play("SettleContract", "settlement.aex", |stage| {
            let hold = stage
                .holds
                .get(&request.contract_id)
                .ok_or((NOT_FOUND, "HOLD_NOT_FOUND"))?;
            assert_eq!(hold.amount, request.price);
            assert!(!stage.released.contains_key(&request.contract_id));
            stage.settled.insert(request.contract_id);
            Ok(money::SettleContractResponse { hold: None })
        })
    }

    async fn request_deposit(
        &self,
        _: Request<money::RequestDepositRequest>,
    ) -> Result<Response<money::RequestDepositResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn confirm_deposit(
        &self,
        _: Request<money::ConfirmDepositRequest>,
    ) -> Result<Response<money::ConfirmDepositResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reject_deposit(
        &self,
        _: Request<money::RejectDepositRequest>,
    ) -> Result<Response<money::RejectDepositResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_deposit(
        &self,
        _: Request<money::GetDepositRequest>,
    ) -> Result<Response<money::GetDepositResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_deposits(
        &self,
        _: Request<money::ListDepositsRequest>,
    ) -> Result<Response<money::ListDepositsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_balance(
        &self,
        _: Request<money::GetBalanceRequest>,
    ) -> Result<Response<money::GetBalanceResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_statement_lines(
        &self,
        _: Request<money::ListStatementLinesRequest>,
    ) -> Result<Response<money::ListStatementLinesResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_settlement(
        &self,
        _: Request<money::GetSettlementRequest>,
    ) -> Result<Response<money::GetSettlementResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn check_funds(
        &self,
        _: Request<money::CheckFundsRequest>,
    ) -> Result<Response<money::CheckFundsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_trial_balance(
        &self,
        _: Request<money::GetTrialBalanceRequest>,
    ) -> Result<Response<money::GetTrialBalanceResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(&self, _: Request<money::AuditRequest>) -> Result<Response<money::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl registry_server::ProviderRegistryService for Registry {
    async fn get_provider(
        &self,
        request: Request<registry::GetProviderRequest>,
    ) -> Result<Response<registry::GetProviderResponse>, Status> {
        self.0.play("GetProvider", "provider-registry.aex", |stage| {
            let provider = stage.providers.get(&request.get_ref().provider_id).cloned();
            Ok(registry::GetProviderResponse {
                provider: Some(provider.ok_or((NOT_FOUND, "PROVIDER_NOT_FOUND"))?),
            })
        })
    }

    type WatchOpportunitiesStream = aex_kit::Stream<registry::WatchOpportunitiesResponse>;
    async fn watch_opportunities(
        &self,
        _: Request<registry::WatchOpportunitiesRequest>,
    ) -> Result<Response<Self::WatchOpportunitiesStream>, Status> {
        Err(Status::unimplemented("not asked"))
    }
    async fn register_provider(
        &self,
        _: Request<registry::RegisterProviderRequest>,
    ) -> Result<Response<registry::RegisterProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_providers(
        &self,
        _: Request<registry::ListProvidersRequest>,
    ) -> Result<Response<registry::ListProvidersResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn search_providers(
        &self,
        _: Request<registry::SearchProvidersRequest>,
    ) -> Result<Response<registry::SearchProvidersResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn update_provider(
        &self,
        _: Request<registry::UpdateProviderRequest>,
    ) -> Result<Response<registry::UpdateProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn deactivate_provider(
        &self,
        _: Request<registry::DeactivateProviderRequest>,
    ) -> Result<Response<registry::DeactivateProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn activate_provider(
        &self,
        _: Request<registry::ActivateProviderRequest>,
    ) -> Result<Response<registry::ActivateProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn suspend_provider(
        &self,
        _: Request<registry::SuspendProviderRequest>,
    ) -> Result<Response<registry::SuspendProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reinstate_provider(
        &self,
        _: Request<registry::ReinstateProviderRequest>,
    ) -> Result<Response<registry::ReinstateProviderResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn register_agent(
        &self,
        _: Request<registry::RegisterAgentRequest>,
    ) -> Result<Response<registry::RegisterAgentResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_agents(
        &self,
        _: Request<registry::ListAgentsRequest>,
    ) -> Result<Response<registry::ListAgentsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn retire_agent(
        &self,
        _: Request<registry::RetireAgentRequest>,
    ) -> Result<Response<registry::RetireAgentResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn create_subscription(
        &self,
        _: Request<registry::CreateSubscriptionRequest>,
    ) -> Result<Response<registry::CreateSubscriptionResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_subscriptions(
        &self,
        _: Request<registry::ListSubscriptionsRequest>,
    ) -> Result<Response<registry::ListSubscriptionsResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn cancel_subscription(
        &self,
        _: Request<registry::CancelSubscriptionRequest>,
    ) -> Result<Response<registry::CancelSubscriptionResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(
        &self,
        _: Request<registry::AuditRequest>,
    ) -> Result<Response<registry::AuditResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

#[tonic::async_trait]
impl ledger_server::EventLedgerService for Ledger {
    type TailEventsStream = aex_kit::Stream<ledger::TailEventsResponse>;

    /// Takes the events, and forgets them: nobody follows contract-engine here.
    async fn append(
        &self,
        _: Request<ledger::AppendRequest>,
    ) -> Result<Response<ledger::AppendResponse>, Status> {
        Ok(Response::new(ledger::AppendResponse::default()))
    }

    /// What the test put there, and then silence.
    async fn tail_events(
        &self,
        request: Request<ledger::TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let after = request.get_ref().after_sequence;
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        let peer = self.0.clone();
        tokio::spawn(async move {
            let mut sent = after;
            loop {
                let events: Vec<_> = {
                    let stage = peer.stage();
                    stage
                        .events
                        .iter()
                        .filter(|event| event.sequence > sent)
                        .cloned()
                        .collect()
                };
                if let Some(last) = events.last() {
                    sent = last.sequence;
                    let batch = ledger::TailEventsResponse {
                        resume_sequence: sent,
                        events,
                    };
                    if sender.send(Ok(batch)).await.is_err() {
                        return;
                    }
                }
                if sender.is_closed() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        let stream = futures::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|batch| (batch, receiver))
        });
        Ok(Response::new(Box::pin(stream)))
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
