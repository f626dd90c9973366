//! Answers one deposit.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{GetDepositRequest, GetDepositResponse};
use aex_types::DepositId;

use crate::{App, Error, convert, store::deposits};

pub(super) async fn get_deposit(
    app: &App,
    mut call: Call,
    request: GetDepositRequest,
) -> Result<GetDepositResponse, Error> {
    let mut check = Check::of(&request);
    let id: Option<DepositId> = check.parse("deposit_id", &request.deposit_id);
    let id = check.finish(|| id)?;

    let found = app
        .store
        .read(&mut call, async |tx| {
            deposits::find(tx, id).await.map_err(Error::from)
        })
        .await?;
    let deposit = found
        .filter(|deposit| call.may_see(deposit.tenant))
        .ok_or(Error::DepositNotFound(id))?;
    Ok(GetDepositResponse {
        deposit: Some(convert::deposit(&deposit)),
    })
}
