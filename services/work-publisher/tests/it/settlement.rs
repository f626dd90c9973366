//! A settlement for tests: every tenant has the same balance.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_error::wire;
use aex_kit::{Hosted, Reply};
use aex_proto::aex::settlement::v1::{
    self as pb,
    settlement_service_server::{SERVICE_NAME, SettlementService, SettlementServiceServer},
};
use aex_types::{Amount, Currency, Money};
use tonic::{Request, Response, Status, service::RoutesBuilder};

/// Answers whether a tenant could pay, and counts how often it was asked.
pub struct Settlement {
    balance_micros: AtomicU64,
    asked: AtomicU64,
}

impl Settlement {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            balance_micros: AtomicU64::new(1_000_000_000),
            asked: AtomicU64::new(0),
        })
    }

    /// From now on every tenant has so much.
    pub fn set_balance(&self, micros: u64) {
        self.balance_micros.store(micros, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Hosted for Settlement {
    const NAME: &'static str = "settlement";
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(SettlementServiceServer::from_arc(self));
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}

#[tonic::async_trait]
impl SettlementService for Settlement {
    async fn check_funds(&self, request: Request<pb::CheckFundsRequest>) -> Reply<pb::CheckFundsResponse> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let balance = Money {
            currency: Currency::USD,
            amount: Amount::from_micros(self.balance_micros.load(Ordering::Relaxed)).unwrap(),
        };
        let asked = wire::read_money(&request.into_inner().amount.unwrap()).unwrap();
        Ok(Response::new(pb::CheckFundsResponse {
            sufficient: asked.currency == balance.currency && asked.amount <= balance.amount,
            available: Some(wire::money(&balance)),
        }))
    }

    async fn request_deposit(
        &self,
        _: Request<pb::RequestDepositRequest>,
    ) -> Reply<pb::RequestDepositResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn confirm_deposit(
        &self,
        _: Request<pb::ConfirmDepositRequest>,
    ) -> Reply<pb::ConfirmDepositResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn reject_deposit(&self, _: Request<pb::RejectDepositRequest>) -> Reply<pb::RejectDepositResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_deposit(&self, _: Request<pb::GetDepositRequest>) -> Reply<pb::GetDepositResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_deposits(&self, _: Request<pb::ListDepositsRequest>) -> Reply<pb::ListDepositsResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_balance(&self, _: Request<pb::GetBalanceRequest>) -> Reply<pb::GetBalanceResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn list_statement_lines(
        &self,
        _: Request<pb::ListStatementLinesRequest>,
    ) -> Reply<pb::ListStatementLinesResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_settlement(&self, _: Request<pb::GetSettlementRequest>) -> Reply<pb::GetSettlementResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn place_hold(&self, _: Request<pb::PlaceHoldRequest>) -> Reply<pb::PlaceHoldResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn release_hold(&self, _: Request<pb::ReleaseHoldRequest>) -> Reply<pb::ReleaseHoldResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn settle_contract(
        &self,
        _: Request<pb::SettleContractRequest>,
    ) -> Reply<pb::SettleContractResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn get_trial_balance(
        &self,
        _: Request<pb::GetTrialBalanceRequest>,
    ) -> Reply<pb::GetTrialBalanceResponse> {
        Err(Status::unimplemented("not asked"))
    }

    async fn audit(&self, _: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        Err(Status::unimplemented("not asked"))
    }
}
