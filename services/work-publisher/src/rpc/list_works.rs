//! Lists the calling tenant's works, newest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{ListWorksRequest, ListWorksResponse, WorkStatus};
use aex_store::Page;

use crate::{App, Error, store::works};

pub(super) async fn list_works(
    app: &App,
    mut call: Call,
    request: ListWorksRequest,
) -> Result<ListWorksResponse, Error> {
    let mut check = Check::of(&request);
    let status = check.choice("status", request.status);
    let status: WorkStatus = check.finish(|| status)?;
    let status = match status {
        WorkStatus::Unspecified => None,
        status => Some(status.as_str_name().trim_start_matches("WORK_STATUS_")),
    };
    let category = Some(request.category.as_str()).filter(|category| !category.is_empty());
    let filter = format!("{} {}", status.unwrap_or_default(), request.category);
    let page = Page::read(request.page_size, &request.page_token, &filter)?;
    let consumer = call.principal()?.tenant;

    app.store
        .read(&mut call, async |tx| {
            let mut works = works::list(tx, consumer, status, category, &page).await?;
            let next_page_token = page.cut(&mut works, |work| work.id);
            Ok(ListWorksResponse {
                works: works.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
