//! Lists the calling tenant's deposits, newest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{ListDepositsRequest, ListDepositsResponse};
use aex_store::Page;

use crate::{App, Error, convert, store::deposits};

pub(super) async fn list_deposits(
    app: &App,
    mut call: Call,
    request: ListDepositsRequest,
) -> Result<ListDepositsResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let tenant = call.principal()?.tenant;
    let page = Page::read(
        request.page_size,
        &request.page_token,
        &format!("deposits {tenant}"),
    )?;

    app.store
        .read(&mut call, async |tx| {
            let mut found = deposits::list(tx, tenant, &page).await?;
            let next_page_token = page.cut(&mut found, |deposit| deposit.id);
            Ok(ListDepositsResponse {
                deposits: found.iter().map(convert::deposit).collect(),
                next_page_token,
            })
        })
        .await
}
