//! Takes a bid while its book is open.

use aex_kit::Call;
use aex_proto::aex::bid_gateway::v1::{SubmitBidRequest, SubmitBidResponse};
use aex_store::{Claim, Failure};
use aex_types::WorkId;

use super::acting;
use crate::{
    App, Error, convert,
    domain::book::{self, Bidder, Book, Refusal, Terms},
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
    let claim = Claim::of(&call, &request);
    let known = app
        .store
        .read(&mut call, async move |tx| match claim.reply(tx.sql()).await? {
            Some(reply) => Ok::<_, Error>(Known::Reply(Box::new(reply))),
            None => Ok(Known::Book(books::find(tx, command.work_id).await?)),
        })
        .await?;
    let book = match known {
        Known::Reply(reply) => return Ok(*reply),
        Known::Book(book) => book,
    };
    let provider = app.provider(&call, bidder.provider_id).await?;
    if provider.tenant_id != bidder.tenant_id {
        return Err(Error::ProviderNotFound(bidder.provider_id));
    }
    if !provider.is_active {
        return Err(Error::ProviderNotActive(bidder.provider_id));
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

/// What is known before others are asked.
enum Known {
    /// The bid was taken before, with this reply.
    Reply(Box<SubmitBidResponse>),
    /// The work's book, from its first bid on.
    Book(Option<Book>),
}

/// What a work asks whose book is not open yet.
async fn published(app: &App, call: &Call, id: WorkId) -> Result<Terms, Error> {
    let work = app.work(call, id).await?;
    if !work.is_open {
        return Err(Refusal::Closed { work_id: id }.into());
    }
    Ok(work.terms)
}
