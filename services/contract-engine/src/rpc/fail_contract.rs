//! Gives a contract up before delivery.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{FailContractRequest, FailContractResponse};

use super::party;
use crate::{App, Error, award::held, convert, domain::contract, worker};

pub(super) async fn fail_contract(
    app: &App,
    mut call: Call,
    request: FailContractRequest,
) -> Result<FailContractResponse, Error> {
    let (id, message): (_, aex_types::Text<{ contract::MESSAGE_LIMIT }>) =
        convert::with_text(&request, &request.contract_id, ("reason", &request.reason))?;
    let principal = call.principal()?.clone();

    app.store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            let reason = match party(&principal, &contract) {
                Some(contract::Party::Consumer) => contract::FailReason::FailedByConsumer,
                Some(contract::Party::Provider) => contract::FailReason::FailedByProvider,
                None => return Err(Error::ContractNotFound(id)),
            };
            let events = contract::fail(&contract, reason, message.to_string(), tx.now())?;
            let contract = worker::record(tx, contract, &events).await?;
            Ok(FailContractResponse {
                contract: Some((&contract).into()),
            })
        })
        .await
}
