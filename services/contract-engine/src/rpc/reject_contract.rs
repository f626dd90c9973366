//! Rejects what was delivered.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{RejectContractRequest, RejectContractResponse};

use super::as_consumer;
use crate::{App, Error, award::held, convert, domain::contract, worker};

pub(super) async fn reject_contract(
    app: &App,
    mut call: Call,
    request: RejectContractRequest,
) -> Result<RejectContractResponse, Error> {
    let (id, reason) = convert::with_text(&request, &request.contract_id, ("reason", &request.reason))?;
    let principal = call.principal()?.clone();

    app.store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            as_consumer(&principal, &contract)?;
            let events = contract::reject(&contract, &reason, app.dispute_window, tx.now())?;
            let contract = worker::record(tx, contract, &events).await?;
            Ok(RejectContractResponse {
                contract: Some((&contract).into()),
            })
        })
        .await
}
