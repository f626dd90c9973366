use aex_kit::Hosted as _;
use aex_proto::aex::trust_broker::v1::{self as pb, trust_broker_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms, Stranger},
    principal,
};
use aex_trust_broker::App;
use prost::Message as _;

use crate::fixture::{Broker, list, verify};

impl Conforms for Broker {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    fn to_stranger(&self, method: &str) -> Option<Stranger> {
        match method {
            "GetTrust" | "ListOutcomes" | "ExplainTrust" => Some(Stranger::Answered(
                "how a provider works is known to all, and a newcomer is as one that is not there",
            )),
            _ => None,
        }
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let provider_id = self.stranger().provider_id;
        let tenant = Who::Tenant(principal(&self.world));
        Some(match method {
            "GetTrust" => (tenant, pb::GetTrustRequest { provider_id }.encode_to_vec()),
            "BatchGetTrust" => {
                let provider_ids = vec![provider_id];
                let request = pb::BatchGetTrustRequest { provider_ids };
                (Who::Service("bid-evaluator"), request.encode_to_vec())
            }
            "ListOutcomes" => (tenant, list(&provider_id).encode_to_vec()),
            "ExplainTrust" => (tenant, pb::ExplainTrustRequest { provider_id }.encode_to_vec()),
            "SetVerification" => (
                Who::Operator,
                verify(&provider_id, [true, false, true]).encode_to_vec(),
            ),
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Broker::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Broker::in_shape(Shape::MutualTls).await).await;
}
