//! Withdraws work that no contract has taken. The row lock decides against an award.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{CancelWorkRequest, CancelWorkResponse};

use crate::{App, Error, domain::work, store::works};

pub(super) async fn cancel_work(
    app: &App,
    mut call: Call,
    request: CancelWorkRequest,
) -> Result<CancelWorkResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let id = check.finish(|| id)?;
    let consumer = call.principal()?.tenant;

    app.store
        .transact(&mut call, &request, async |tx| {
            let work = works::lock(tx, id)
                .await?
                .filter(|work| work.consumer_id == consumer)
                .ok_or(Error::WorkNotFound(id))?;
            let events = work::cancel(&work, tx.now())?;
            let work = works::record(tx, Some(work), events).await?;
            Ok(CancelWorkResponse {
                work: Some(work.into()),
            })
        })
        .await
}
