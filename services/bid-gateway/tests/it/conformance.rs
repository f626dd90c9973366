use aex_bid_gateway::App;
use aex_kit::Hosted as _;
use aex_proto::aex::bid_gateway::v1::{self as pb, bid_gateway_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use prost::Message as _;

use crate::fixture::{Market, by_provider, get, withdraw};

impl Conforms for Market {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let work_id = self.work().await.work_id;
        let seller = self.seller();
        let bid = self.bid(&seller, &work_id, "5").await.unwrap();
        let who = Who::Tenant(seller.principal.clone());
        Some(match method {
            "SubmitBid" => (who, self.offer(&seller, &work_id, "4").encode_to_vec()),
            "WithdrawBid" => (who, withdraw(&bid.bid_id).encode_to_vec()),
            "GetBid" => (who, get(&bid.bid_id).encode_to_vec()),
            "ListBids" => (who, by_provider(&seller.provider_id).encode_to_vec()),
            "SealBook" => (
                Who::Service("bid-evaluator"),
                pb::SealBookRequest { work_id }.encode_to_vec(),
            ),
            "Audit" => (Who::Operator, pb::AuditRequest::default().encode_to_vec()),
            _ => return None,
        })
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Market::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Market::in_shape(Shape::MutualTls).await).await;
}
