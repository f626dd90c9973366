//! Appends events of the calling service.

use aex_error::Denied;
use aex_kit::{Call, Caller};
use aex_proto::aex::event_ledger::v1::{AppendRequest, AppendResponse};

use crate::{App, Error, convert};

pub(super) async fn append(app: &App, call: Call, request: AppendRequest) -> Result<AppendResponse, Error> {
    let Caller::Service(caller) = call.caller() else {
        return Err(Denied::Audience.into());
    };
    let events = convert::new_events(&request, caller)?;

    let sequences = app.committer.append(events).await?;
    Ok(AppendResponse { sequences })
}
