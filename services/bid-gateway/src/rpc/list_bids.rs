//! Lists the bids on a work for its consumer, or a provider's own.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::bid_gateway::v1::{ListBidsRequest, ListBidsResponse};
use aex_store::Page;
use aex_types::{ProviderId, WorkId};

use super::acting;
use crate::{
    App, Error,
    domain::bid::Bid,
    store::{
        bids::{self, Place},
        books,
    },
};

pub(super) async fn list_bids(
    app: &App,
    mut call: Call,
    request: ListBidsRequest,
) -> Result<ListBidsResponse, Error> {
    let mut check = Check::of(&request);
    let work_id: Option<Option<WorkId>> = check.maybe("work_id", &request.work_id);
    let provider_id: Option<Option<ProviderId>> = check.maybe("provider_id", &request.provider_id);
    if !request.work_id.is_empty() && !request.provider_id.is_empty() {
        check.note("provider_id", "must be empty where a work is named");
    }
    let (work_id, provider_id) = check.finish(|| Some((work_id?, provider_id?)))?;
    let filter = format!("{} {}", request.work_id, request.provider_id);
    let page = Page::read(request.page_size, &request.page_token, &filter)?;
    let tenant = call.principal()?.tenant;

    let mut bids = if let Some(work_id) = work_id {
        may_list(app, &mut call, work_id).await?;
        app.store
            .read(&mut call, async |tx| bids::list_by_work(tx, work_id, &page).await)
            .await?
    } else {
        let provider_id = acting(call.principal()?, provider_id)?;
        if app.provider(&call, provider_id, None).await?.tenant_id != tenant {
            return Err(Error::ProviderNotFound(provider_id));
        }
        app.store
            .read(&mut call, async |tx| {
                bids::list_by_provider(tx, tenant, provider_id, &page).await
            })
            .await?
    };
    let next_page_token = page.cut(&mut bids, |bid: &Bid| Place::from(bid));
    Ok(ListBidsResponse {
        bids: bids.into_iter().map(Into::into).collect(),
        next_page_token,
    })
}

/// Only the consumer of a work sees all bids on it; for anybody else there is no such work.
async fn may_list(app: &App, call: &mut Call, work_id: WorkId) -> Result<(), Error> {
    let book = app
        .store
        .read_one(call, async |tx| books::find(tx, work_id).await)
        .await?;
    let consumer = match book {
        Some(book) => book.terms.consumer_id,
        None => app.work(call, work_id).await?.terms.consumer_id,
    };
    if call.may_see(consumer) {
        Ok(())
    } else {
        Err(Error::WorkNotFound(work_id))
    }
}
