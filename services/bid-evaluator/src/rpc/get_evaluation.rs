//! Answers the ranking of a work's bids.

use aex_kit::Call;
use aex_proto::aex::bid_evaluator::v1::{GetEvaluationRequest, GetEvaluationResponse};

use super::work_id;
use crate::{App, Error};

pub(super) async fn get_evaluation(
    app: &App,
    mut call: Call,
    request: GetEvaluationRequest,
) -> Result<GetEvaluationResponse, Error> {
    let work = work_id(&request, &request.work_id)?;
    let evaluation = app.stored(&mut call, work).await?;
    if !call.may_see(evaluation.consumer_id) {
        return Err(Error::EvaluationNotFound(work));
    }
    Ok(GetEvaluationResponse {
        evaluation: Some((&evaluation).into()),
    })
}
