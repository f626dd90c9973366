//! Seals the book and ranks its bids, or answers the ranking that exists.

use aex_kit::Call;
use aex_proto::aex::bid_evaluator::v1::{EvaluateRequest, EvaluateResponse};

use super::work_id;
use crate::{App, Error, worker::Bidding};

pub(super) async fn evaluate(
    app: &App,
    mut call: Call,
    request: EvaluateRequest,
) -> Result<EvaluateResponse, Error> {
    let work = work_id(&request, &request.work_id)?;
    let evaluation = app.evaluated(&mut call, work, Bidding::MayGoOn).await?;
    Ok(EvaluateResponse {
        evaluation: Some((&evaluation).into()),
    })
}
