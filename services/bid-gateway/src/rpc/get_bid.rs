//! Answers one bid.

use aex_error::Check;
use aex_kit::{Call, Caller};
use aex_proto::aex::bid_gateway::v1::{GetBidRequest, GetBidResponse};

use super::is_own;
use crate::{App, Error, store::bids};

pub(super) async fn get_bid(
    app: &App,
    mut call: Call,
    request: GetBidRequest,
) -> Result<GetBidResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("bid_id", &request.bid_id);
    let id = check.finish(|| id)?;

    let bid = app
        .store
        .read_one(&mut call, async |tx| bids::find(tx, id).await)
        .await?
        .filter(|bid| match call.caller() {
            Caller::Tenant(principal) => is_own(principal, bid) || bid.consumer_id == principal.tenant,
            _ => call.may_see(bid.consumer_id),
        })
        .ok_or(Error::BidNotFound(id))?;
    Ok(GetBidResponse {
        bid: Some(bid.into()),
    })
}
