//! Accepts what was delivered; the money moves.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{AcceptContractRequest, AcceptContractResponse};

use super::as_consumer;
use crate::{App, Error, award::held, convert, domain::contract, worker};

pub(super) async fn accept_contract(
    app: &App,
    mut call: Call,
    request: AcceptContractRequest,
) -> Result<AcceptContractResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let principal = call.principal()?.clone();

    let reply = app
        .store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            as_consumer(&principal, &contract)?;
            let events = contract::accept(&contract, tx.now())?;
            let contract = worker::record(tx, contract, &events).await?;
            Ok::<_, Error>(AcceptContractResponse {
                contract: Some((&contract).into()),
            })
        })
        .await?;
    app.pay_soon(&mut call, id, reply.contract.as_ref()).await;
    Ok(reply)
}
