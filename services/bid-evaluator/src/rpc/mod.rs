//! The methods of bid-evaluator: the table of contents.

mod audit;
mod evaluate;
mod explain_bid;
mod get_evaluation;

use aex_error::{Check, Invalid};
use aex_kit::{Call, Reply, unary};
use aex_proto::{
    Rules,
    aex::bid_evaluator::v1::{self as pb, bid_evaluator_service_server::BidEvaluatorService},
};
use aex_types::WorkId;
use tonic::Request;

use self::{audit::audit, evaluate::evaluate, explain_bid::explain_bid, get_evaluation::get_evaluation};
use crate::{App, Error, domain::evaluation::Evaluation, store::evaluations};

#[tonic::async_trait]
impl BidEvaluatorService for App {
    async fn evaluate(&self, request: Request<pb::EvaluateRequest>) -> Reply<pb::EvaluateResponse> {
        unary(request, |call, request| evaluate(self, call, request)).await
    }

    async fn get_evaluation(
        &self,
        request: Request<pb::GetEvaluationRequest>,
    ) -> Reply<pb::GetEvaluationResponse> {
        unary(request, |call, request| get_evaluation(self, call, request)).await
    }

    async fn explain_bid(&self, request: Request<pb::ExplainBidRequest>) -> Reply<pb::ExplainBidResponse> {
        unary(request, |call, request| explain_bid(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

/// The work that a request names, when nothing else of it needs reading.
fn work_id(request: &impl Rules, named: &str) -> Result<WorkId, Invalid> {
    let mut check = Check::of(request);
    let id = check.parse("work_id", named);
    check.finish(|| id)
}

impl App {
    async fn stored(&self, call: &mut Call, work: WorkId) -> Result<Evaluation, Error> {
        self.store
            .read_one(call, async |tx| {
                let found = evaluations::of_work(tx, work).await?;
                found.ok_or(Error::EvaluationNotFound(work))
            })
            .await
    }
}
