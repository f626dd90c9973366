use aex_contract_engine::App;
use aex_kit::Hosted as _;
use aex_proto::aex::contract_engine::v1::{self as pb, contract_engine_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use prost::Message as _;

use crate::fixture::{Engine, accept, award, complete, fail, reject, report, start};

impl Conforms for Engine {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let (ada, bob) = (Who::Tenant(self.ada.clone()), Who::Tenant(self.bob.clone()));
        Some(match method {
            "AwardContract" => {
                let trade = self.trade(&["10"], |_| {});
                (ada, award(&trade, 0).encode_to_vec())
            }
            "StartContract" => (bob, start(&self.awarded().await.contract_id).encode_to_vec()),
            "ReportProgress" => (bob, report(&self.awarded().await.contract_id, 40).encode_to_vec()),
            "CompleteContract" => (bob, complete(&self.awarded().await.contract_id).encode_to_vec()),
            "AcceptContract" => (ada, accept(&self.delivered().await.contract_id).encode_to_vec()),
            "RejectContract" => (ada, reject(&self.delivered().await.contract_id).encode_to_vec()),
            "FailContract" => (ada, fail(&self.awarded().await.contract_id).encode_to_vec()),
            "GetContract" => {
                let contract_id = self.awarded().await.contract_id;
                (ada, pb::GetContractRequest { contract_id }.encode_to_vec())
            }
            "ListContracts" => (ada, pb::ListContractsRequest::default().encode_to_vec()),
            "GetContractPayload" => {
                let contract_id = self.awarded().await.contract_id;
                (bob, pb::GetContractPayloadRequest { contract_id }.encode_to_vec())
            }
            "GetContractResult" => {
                let contract_id = self.delivered().await.contract_id;
                (ada, pb::GetContractResultRequest { contract_id }.encode_to_vec())
            }
            "GetContractToken" => {
                let contract_id = self.awarded().await.contract_id;
                (ada, pb::GetContractTokenRequest { contract_id }.encode_to_vec())
            }
            "GetContractKeys" => (Who::Anyone, pb::GetContractKeysRequest {}.encode_to_vec()),
            "WatchContract" => {
                let contract_id = self.awarded().await.contract_id;
                let request = pb::WatchContractRequest {
                    contract_id,
                    resume_token: 0,
                };
                (ada, request.encode_to_vec())
            }
            "WatchContracts" => (ada, pb::WatchContractsRequest::default().encode_to_vec()),
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Engine::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Engine::in_shape(Shape::MutualTls).await).await;
}
