//! Takes a bid while its book is open.

use aex_kit::Call;
use aex_proto::aex::bid_gateway::v1::{SubmitBidRequest, SubmitBidResponse};
use aex_store::Failure;
use aex_types::WorkId;

use super::acting;
use crate::{
    App, Error, convert,
    domain::book::{self, Bidder, Refusal, Terms},
    store::{bids, books},
};

pub(super) async fn submit_bid(
    app: &App,
    mut call: Call,
    request: SubmitBidRequest,
) -> Result<SubmitBidResponse, Error> {
    let command = convert::submit(&request, call.now())?;
    let principal = call.principal()?;
    let bidder = Bidder {
        provider_id: acting(principal, command.provider_id)?,
        tenant_id: principal.tenant,
        internal: principal.internal,
    };
    if let Some(reply) = app.store.replay(&mut call, &request).await? {
        return Ok(reply);
    }
    let book = app
        .store
        .read_one(&mut call, async |tx| books::find(tx, command.work_id).await)
        .await?;
    let agent = command.offer.agent_id;
    let provider = app.provider(&call, bidder.provider_id, agent).await?;
    if provider.tenant_id != bidder.tenant_id {
        return Err(Error::ProviderNotFound(bidder.provider_id));
    }
    if !provider.is_active {
        return Err(Error::ProviderNotActive(bidder.provider_id));
    }
    match (agent, provider.has_working_agent) {
        (Some(id), None) => return Err(Error::AgentNotFound(id)),
        (Some(id), Some(false)) => return Err(Error::AgentRetired(id)),
        (None, _) | (_, Some(true)) => {}
    }
    let terms = match book {
        Some(book) => book.terms,
        None => published(app, &call, command.work_id).await?,
    };

    app.store
        .transact(&mut call, &request, async |tx| {
            let book = books::lock_or_open(tx, terms).await?;
            let last = bids::last(tx, command.work_id, bidder.provider_id).await?;
            let id = tx.id();
            let events = book::submit(&book, last.as_ref(), id, bidder, command.offer.clone(), tx.now())?;
            let (_, mut bids) = books::record(tx, book, last, events).await?;
            let bid = bids
                .remove(&id)
                .ok_or_else(|| Failure::corrupt("a bid is lost"))?;
            Ok(SubmitBidResponse {
                bid: Some(bid.into()),
            })
        })
        .await
}

/// What a work asks whose book is not open yet.
async fn published(app: &App, call: &Call, id: WorkId) -> Result<Terms, Error> {
    let work = app.work(call, id).await?;
    if !work.is_open {
        return Err(Refusal::Closed { work_id: id }.into());
    }
    Ok(work.terms)
}
