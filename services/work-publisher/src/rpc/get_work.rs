//! Answers one work.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{GetWorkRequest, GetWorkResponse};

use crate::{App, Error, store::works};

pub(super) async fn get_work(
    app: &App,
    mut call: Call,
    request: GetWorkRequest,
) -> Result<GetWorkResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let id = check.finish(|| id)?;

    let work = app
        .store
        .read_one(&mut call, async |tx| works::find(tx, id).await)
        .await?
        .filter(|work| call.may_see(work.consumer_id))
        .ok_or(Error::WorkNotFound(id))?;
    Ok(GetWorkResponse {
        work: Some(work.into()),
    })
}
