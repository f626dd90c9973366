//! Takes a bid back while its book is open.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::bid_gateway::v1::{WithdrawBidRequest, WithdrawBidResponse};
use aex_store::Failure;

use super::is_own;
use crate::{
    App, Error,
    domain::book,
    store::{bids, books},
};

pub(super) async fn withdraw_bid(
    app: &App,
    mut call: Call,
    request: WithdrawBidRequest,
) -> Result<WithdrawBidResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("bid_id", &request.bid_id);
    let id = check.finish(|| id)?;
    let principal = call.principal()?.clone();

    app.store
        .transact(&mut call, &request, async |tx| {
            let bid = bids::find(tx, id)
                .await?
                .filter(|bid| is_own(&principal, bid))
                .ok_or(Error::BidNotFound(id))?;
            let book = books::lock(tx, bid.work_id)
                .await?
                .ok_or_else(|| Failure::corrupt(format!("bid {id} has no book")))?;
            // Again, now that nobody else can change it.
            let bid = bids::find(tx, id).await?.ok_or(Error::BidNotFound(id))?;
            let events = book::withdraw(&book, &bid, tx.now())?;
            let (_, mut bids) = books::record(tx, book, [bid], events).await?;
            Ok(WithdrawBidResponse {
                bid: bids.remove(&id).map(Into::into),
            })
        })
        .await
}
