use aex_bid_evaluator::App;
use aex_kit::Hosted as _;
use aex_proto::aex::bid_evaluator::v1::{self as pb, bid_evaluator_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use prost::Message as _;

use crate::fixture::Evaluator;

impl Conforms for Evaluator {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let (work_id, bids) = self.work(&[("25", 0.5)]);
        let ada = Who::Tenant(self.ada.clone());
        Some(match method {
            "Evaluate" => (
                Who::Service("contract-engine"),
                pb::EvaluateRequest { work_id }.encode_to_vec(),
            ),
            "GetEvaluation" => {
                self.evaluate(&work_id).await;
                (ada, pb::GetEvaluationRequest { work_id }.encode_to_vec())
            }
            "ExplainBid" => {
                self.evaluate(&work_id).await;
                let bid_id = bids[0].clone();
                (ada, pb::ExplainBidRequest { work_id, bid_id }.encode_to_vec())
            }
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Evaluator::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Evaluator::in_shape(Shape::MutualTls).await).await;
}
