//! Gives the escrow of a contract back, now or not before a moment.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{ReleaseHoldRequest, ReleaseHoldResponse};
use aex_settlement_ledger::Command;

use crate::{App, Error, convert};

pub(super) async fn release_hold(
    app: &App,
    call: Call,
    request: ReleaseHoldRequest,
) -> Result<ReleaseHoldResponse, Error> {
    let command = Command::Release(convert::release_hold(&request)?);

    let hold = app.committer.submit(&call, command).await?.hold()?;
    Ok(ReleaseHoldResponse {
        hold: Some(convert::hold(&hold)),
    })
}
