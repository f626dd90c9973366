//! Takes a work for one contract.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{ReserveAwardRequest, ReserveAwardResponse};
use aex_types::TenantId;

use crate::{App, Error, domain::work, store::works};

pub(super) async fn reserve_award(
    app: &App,
    mut call: Call,
    request: ReserveAwardRequest,
) -> Result<ReserveAwardResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("work_id", &request.work_id);
    let contract = check.parse("contract_id", &request.contract_id);
    let consumer: Option<TenantId> = check.parse("consumer_id", &request.consumer_id);
    let (id, contract, consumer) = check.finish(|| Some((id?, contract?, consumer?)))?;

    app.store
        .work(&mut call, async |tx| {
            let work = works::lock(tx, id)
                .await?
                .filter(|work| work.consumer_id == consumer)
                .ok_or(Error::WorkNotFound(id))?;
            let events = work::reserve(&work, contract, tx.now())?;
            let work = works::record(tx, Some(work), events).await?;
            Ok(ReserveAwardResponse {
                work: Some(work.into()),
            })
        })
        .await
}
