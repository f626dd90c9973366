//! Lists what moved the calling tenant's balances, newest first.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{ListStatementLinesRequest, ListStatementLinesResponse};
use aex_store::Page;

use crate::{App, Error, convert, store::statements};

pub(super) async fn list_statement_lines(
    app: &App,
    mut call: Call,
    request: ListStatementLinesRequest,
) -> Result<ListStatementLinesResponse, Error> {
    let filter = convert::statement_filter(&request)?;
    let tenant = call.principal()?.tenant;
    let bound_to = format!(
        "statement {tenant} {} {}",
        request.currency_code, request.contract_id
    );
    let page = Page::read(request.page_size, &request.page_token, &bound_to)?;

    app.store
        .read(&mut call, async |tx| {
            let mut lines = statements::list(tx, tenant, filter, &page).await?;
            let next_page_token = page.cut(&mut lines, |line| line.at);
            Ok(ListStatementLinesResponse {
                lines: lines.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
