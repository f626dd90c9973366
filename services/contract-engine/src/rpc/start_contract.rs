//! Says that work has begun.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{StartContractRequest, StartContractResponse};

use super::as_provider;
use crate::{App, Error, award::held, convert, domain::contract, worker};

pub(super) async fn start_contract(
    app: &App,
    mut call: Call,
    request: StartContractRequest,
) -> Result<StartContractResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let principal = call.principal()?.clone();

    app.store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            as_provider(&principal, &contract)?;
            let events = contract::start(&contract, tx.now())?;
            let contract = worker::record(tx, contract, &events).await?;
            Ok(StartContractResponse {
                contract: Some((&contract).into()),
            })
        })
        .await
}
