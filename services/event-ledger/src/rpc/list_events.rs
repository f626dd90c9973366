//! Lists events in order. A page of a filter that little fits may be short, or even empty, and have a next one.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::event_ledger::v1::{ListEventsRequest, ListEventsResponse};
use aex_store::Page;

use super::{ANSWER, viewer};
use crate::{App, Error, convert, log::Measure, store};

pub(super) async fn list_events(
    app: &App,
    mut call: Call,
    request: ListEventsRequest,
) -> Result<ListEventsResponse, Error> {
    let filter = convert::filter(Check::of(&request), request.filter.as_ref())?;
    let viewer = viewer(&call);
    let page = Page::read(
        request.page_size,
        &request.page_token,
        &format!("{filter:?} {viewer:?}"),
    )?;
    let after = page.after()?.unwrap_or_default();
    let measure = Measure {
        events: page.size(),
        ..ANSWER
    };

    app.store
        .read(&mut call, async |tx| {
            let batch = store::read::after(tx, after, &filter, viewer, measure).await?;
            Ok(ListEventsResponse {
                events: batch.events.iter().map(Into::into).collect(),
                next_page_token: if batch.is_last {
                    String::new()
                } else {
                    page.token(&batch.upto)
                },
            })
        })
        .await
}
