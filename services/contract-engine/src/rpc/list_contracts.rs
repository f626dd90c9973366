//! Lists the calling tenant's contracts, newest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{ListContractsRequest, ListContractsResponse};
use aex_store::Page;

use crate::{
    App, Error, convert,
    store::contracts::{self, Wanted},
};

pub(super) async fn list_contracts(
    app: &App,
    mut call: Call,
    request: ListContractsRequest,
) -> Result<ListContractsResponse, Error> {
    let mut check = Check::of(&request);
    let work = check.maybe("work_id", &request.work_id);
    let provider = check.maybe("provider_id", &request.provider_id);
    let principal = call.principal()?;
    let wanted = check.finish(|| {
        Some(Wanted {
            tenant: principal.tenant,
            bound_to: principal.provider,
            status: convert::wanted(request.status()),
            work: work?,
            provider: provider?,
        })
    })?;
    let page = Page::read(request.page_size, &request.page_token, &format!("{wanted:?}"))?;

    app.store
        .read(&mut call, async |tx| {
            let mut found = contracts::list(tx, &wanted, &page).await?;
            let next_page_token = page.cut(&mut found, |contract| contract.id);
            Ok(ListContractsResponse {
                contracts: found.iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
