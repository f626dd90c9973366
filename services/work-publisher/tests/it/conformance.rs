use aex_kit::Hosted as _;
use aex_proto::aex::work_publisher::v1::{self as pb, work_publisher_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use aex_work_publisher::App;
use prost::Message as _;

use crate::fixture::{Publisher, cancel, release, seconds, work};

impl Conforms for Publisher {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let published = self.publish(work()).await;
        let work_id = published.work_id.clone();
        let contract_id = self.contract();
        let ada = Who::Tenant(self.ada.clone());
        let engine = Who::Service("contract-engine");
        Some(match method {
            "PublishWork" => {
                let request = pb::PublishWorkRequest {
                    constraints: Some(pb::Constraints {
                        max_latency: Some(seconds(2)),
                        ..Default::default()
                    }),
                    ..work()
                };
                (ada, request.encode_to_vec())
            }
            "GetWork" => (Who::Operator, pb::GetWorkRequest { work_id }.encode_to_vec()),
            "ListWorks" => {
                let request = pb::ListWorksRequest {
                    page_size: 5,
                    ..Default::default()
                };
                (ada, request.encode_to_vec())
            }
            "CancelWork" => (ada, cancel(&work_id).encode_to_vec()),
            "GetWorkPayload" => (ada, pb::GetWorkPayloadRequest { work_id }.encode_to_vec()),
            "ReserveAward" => {
                let request = pb::ReserveAwardRequest {
                    work_id,
                    contract_id,
                    consumer_id: published.consumer_id,
                };
                (engine, request.encode_to_vec())
            }
            "ConfirmAward" => {
                self.reserve(&published, &contract_id).await.unwrap();
                let request = pb::ConfirmAwardRequest { work_id, contract_id };
                (engine, request.encode_to_vec())
            }
            "ReleaseAward" => {
                self.reserve(&published, &contract_id).await.unwrap();
                (engine, release(&work_id, &contract_id).encode_to_vec())
            }
            "WatchWork" => {
                let request = pb::WatchWorkRequest {
                    work_id,
                    resume_token: 0,
                };
                (ada, request.encode_to_vec())
            }
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Publisher::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Publisher::in_shape(Shape::MutualTls).await).await;
}
