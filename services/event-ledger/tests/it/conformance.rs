use aex_event_ledger::App;
use aex_kit::Hosted as _;
use aex_proto::aex::event_ledger::v1::{self as pb, event_ledger_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms, Stranger},
};
use prost::Message as _;

use crate::fixture::{Ledger, PUBLISHER, key, request};

impl Conforms for Ledger {
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
            "GetConsumer" => Some(Stranger::NotFoundBy("name")),
            "CommitConsumer" => Some(Stranger::Answered("each caller names consumers of its own")),
            _ => None,
        }
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let request = match method {
            "Append" => {
                let request = request(&[self.work(1, 1), self.work(1, 2)]);
                return Some((Who::Service(PUBLISHER), request.encode_to_vec()));
            }
            "ListEvents" => pb::ListEventsRequest {
                filter: Some(works()),
                page_size: 5,
                ..Default::default()
            }
            .encode_to_vec(),
            "TailEvents" => pb::TailEventsRequest {
                filter: Some(works()),
                ..Default::default()
            }
            .encode_to_vec(),
            "GetConsumer" => {
                self.operator.commit_consumer(commit("reports", 0)).await.unwrap();
                pb::GetConsumerRequest {
                    name: "reports".to_owned(),
                }
                .encode_to_vec()
            }
            "CommitConsumer" => commit("exports", 0).encode_to_vec(),
            "VerifyChain" => pb::VerifyChainRequest::default().encode_to_vec(),
            "Audit" => pb::AuditRequest::default().encode_to_vec(),
            _ => return None,
        };
        Some((Who::Operator, request))
    }
}

fn works() -> pb::EventFilter {
    pb::EventFilter {
        types: vec!["work.*".to_owned()],
        ..Default::default()
    }
}

pub fn commit(name: &str, sequence: u64) -> pb::CommitConsumerRequest {
    pb::CommitConsumerRequest {
        idempotency_key: key(),
        name: name.to_owned(),
        sequence,
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Ledger::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Ledger::in_shape(Shape::MutualTls).await).await;
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Ledger::new()
        .await
        .database
        .check_statements("aex-event-ledger")
        .await;
}
