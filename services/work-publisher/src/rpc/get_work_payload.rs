//! Answers the payload of a work.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{GetWorkPayloadRequest, GetWorkPayloadResponse};
use aex_store::Failure;

use crate::{
    App, Error, convert,
    store::{payloads, works},
};

pub(super) async fn get_work_payload(
    app: &App,
    mut call: Call,
    request: GetWorkPayloadRequest,
) -> Result<GetWorkPayloadResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let id = check.finish(|| id)?;

    let found = app
        .store
        .read(&mut call, async |tx| works::find(tx, id).await)
        .await?;
    let work = found
        .filter(|work| call.may_see(work.consumer_id))
        .ok_or(Error::WorkNotFound(id))?;
    let Some(payload) = work.terms.payload else {
        return Ok(GetWorkPayloadResponse::default());
    };
    if let Some(location) = payload.location {
        let work_id = work.id;
        return Err(Error::PayloadElsewhere { work_id, location });
    }

    app.store
        .read(&mut call, async |tx| {
            let bytes = payloads::find(tx, &payload.sha256)
                .await?
                .ok_or_else(|| Failure::corrupt(format!("the payload of work {id} is gone")))?;
            Ok(GetWorkPayloadResponse {
                payload: bytes.into(),
                info: Some(convert::payload_out(&payload)),
            })
        })
        .await
}
