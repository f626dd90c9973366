//! Gives a work back whose contract came to nothing.

use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{ReleaseAwardRequest, ReleaseAwardResponse};

use crate::{App, Error, domain::work, store::works};

pub(super) async fn release_award(
    app: &App,
    mut call: Call,
    request: ReleaseAwardRequest,
) -> Result<ReleaseAwardResponse, Error> {
    let command = work::Release::try_from(&request)?;

    app.store
        .work(&mut call, async |tx| {
            let id = command.work_id;
            let work = works::lock(tx, id).await?.ok_or(Error::WorkNotFound(id))?;
            let events = work::release(&work, &command, app.times.award(), tx.now());
            let work = works::record(tx, Some(work), events).await?;
            Ok(ReleaseAwardResponse {
                work: Some(work.into()),
            })
        })
        .await
}
