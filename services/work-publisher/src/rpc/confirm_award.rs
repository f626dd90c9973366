//! Notes that the contract of a work stands.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{ConfirmAwardRequest, ConfirmAwardResponse};

use crate::{App, Error, domain::work, store::works};

pub(super) async fn confirm_award(
    app: &App,
    mut call: Call,
    request: ConfirmAwardRequest,
) -> Result<ConfirmAwardResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let contract = check.parse("contract_id", &request.contract_id);
    let (id, contract) = check.finish(|| Some((id?, contract?)))?;

    app.store
        .work(&mut call, async |tx| {
            let work = works::lock(tx, id).await?.ok_or(Error::WorkNotFound(id))?;
            let events = work::confirm(&work, contract, tx.now())?;
            let work = works::record(tx, Some(work), events).await?;
            Ok(ConfirmAwardResponse {
                work: Some(work.into()),
            })
        })
        .await
}
