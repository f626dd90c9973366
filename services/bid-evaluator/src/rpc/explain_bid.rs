//! Explains the place of one bid.

use aex_error::Check;
use aex_kit::{Call, Caller};
use aex_proto::aex::bid_evaluator::v1::{ExplainBidRequest, ExplainBidResponse};
use aex_types::{BidId, WorkId};

use crate::{
    App, Error,
    convert::{self, Reader},
    domain::{bid::Facts, explain::explain},
};

pub(super) async fn explain_bid(
    app: &App,
    mut call: Call,
    request: ExplainBidRequest,
) -> Result<ExplainBidResponse, Error> {
    let mut check = Check::of(&request);
    let work: Option<WorkId> = check.parse("work_id", &request.work_id);
    let bid: Option<BidId> = check.parse("bid_id", &request.bid_id);
    let (work, bid) = check.finish(|| Some((work?, bid?)))?;

    let evaluation = app.stored(&mut call, work).await?;
    let explained = explain(&evaluation.result, bid).ok_or(Error::EvaluationNotFound(work))?;
    let reader = if call.may_see(evaluation.consumer_id) {
        Reader::Owner
    } else if is_own(call.caller(), &explained.bid) {
        Reader::Bidder
    } else {
        return Err(Error::EvaluationNotFound(work));
    };
    let winning = evaluation.result.winner().map(|best| best.score);
    Ok(ExplainBidResponse {
        explanation: Some(convert::explanation(&explained, winning, reader)),
    })
}

/// Is it the caller's own bid? A key that is bound to one provider has that one's bids only.
fn is_own(caller: &Caller, bid: &Facts) -> bool {
    let Caller::Tenant(principal) = caller else {
        return false;
    };
    principal.tenant == bid.provider_tenant_id
        && principal.provider.is_none_or(|bound| bound == bid.provider_id)
}
