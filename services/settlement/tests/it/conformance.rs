use aex_kit::{Hosted as _, Principal};
use aex_proto::aex::settlement::v1::{self as pb, settlement_service_server::SERVICE_NAME};
use aex_settlement::App;
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use prost::Message as _;

use crate::fixture::{Settlement, confirm, deposit, reject, release, settle, usd};

impl Conforms for Settlement {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn fresh_tenant(&mut self) -> Principal {
        self.tenant("Eve").await
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let (ada, bob) = self.traders("10").await;
        let engine = Who::Service("contract-engine");
        let pending = self.pending(&ada, "5").await.deposit_id;
        let award = self.award(&ada, &bob, "1");
        let contract_id = award.contract_id.clone();
        if !matches!(method, "PlaceHold") {
            self.place(&award).await;
        }
        let ada = Who::Tenant(ada);
        Some(match method {
            "RequestDeposit" => (ada, deposit("test", "3").encode_to_vec()),
            "ConfirmDeposit" => (Who::Operator, confirm(&pending, &pending, 1).encode_to_vec()),
            "RejectDeposit" => (Who::Operator, reject(&pending, &pending).encode_to_vec()),
            "GetDeposit" => {
                let request = pb::GetDepositRequest { deposit_id: pending };
                (ada, request.encode_to_vec())
            }
            "ListDeposits" => (ada, pb::ListDepositsRequest::default().encode_to_vec()),
            "GetBalance" => (ada, pb::GetBalanceRequest::default().encode_to_vec()),
            "ListStatementLines" => (ada, pb::ListStatementLinesRequest::default().encode_to_vec()),
            "GetSettlement" => (ada, pb::GetSettlementRequest { contract_id }.encode_to_vec()),
            "CheckFunds" => {
                let Who::Tenant(ada) = ada else { return None };
                let request = pb::CheckFundsRequest {
                    tenant_id: ada.tenant.to_string(),
                    amount: Some(usd("1")),
                };
                (Who::Service("work-publisher"), request.encode_to_vec())
            }
            "PlaceHold" => (engine, award.encode_to_vec()),
            "ReleaseHold" => (engine, release(&contract_id).encode_to_vec()),
            "SettleContract" => (engine, settle(&contract_id, "1").encode_to_vec()),
            "GetTrialBalance" => (
                Who::Operator,
                pb::GetTrialBalanceRequest::default().encode_to_vec(),
            ),
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Settlement::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Settlement::in_shape(Shape::MutualTls).await).await;
}
