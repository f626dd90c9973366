//! The methods of trust-broker: the table of contents.

mod audit;
mod batch_get_trust;
mod explain_trust;
mod get_trust;
mod list_outcomes;
mod set_verification;

use aex_kit::{Reply, unary};
use aex_proto::aex::trust_broker::v1::{self as pb, trust_broker_service_server::TrustBrokerService};
use tonic::Request;

use self::{
    audit::audit, batch_get_trust::batch_get_trust, explain_trust::explain_trust, get_trust::get_trust,
    list_outcomes::list_outcomes, set_verification::set_verification,
};
use crate::App;

#[tonic::async_trait]
impl TrustBrokerService for App {
    async fn get_trust(&self, request: Request<pb::GetTrustRequest>) -> Reply<pb::GetTrustResponse> {
        unary(request, |call, request| get_trust(self, call, request)).await
    }

    async fn batch_get_trust(
        &self,
        request: Request<pb::BatchGetTrustRequest>,
    ) -> Reply<pb::BatchGetTrustResponse> {
        unary(request, |call, request| batch_get_trust(self, call, request)).await
    }

    async fn list_outcomes(
        &self,
        request: Request<pb::ListOutcomesRequest>,
    ) -> Reply<pb::ListOutcomesResponse> {
        unary(request, |call, request| list_outcomes(self, call, request)).await
    }

    async fn explain_trust(
        &self,
        request: Request<pb::ExplainTrustRequest>,
    ) -> Reply<pb::ExplainTrustResponse> {
        unary(request, |call, request| explain_trust(self, call, request)).await
    }

    async fn set_verification(
        &self,
        request: Request<pb::SetVerificationRequest>,
    ) -> Reply<pb::SetVerificationResponse> {
        unary(request, |call, request| set_verification(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}
