//! Awards a work to one of its ranked bids.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{AwardContractRequest, AwardContractResponse, Contract as Wire};
use aex_types::ContractId;

use crate::{
    App, Error,
    award::{Asker, Saga},
    convert::Award,
    domain::contract,
    store::contracts,
    worker,
};

pub(super) async fn award_contract(
    app: &App,
    mut call: Call,
    request: AwardContractRequest,
) -> Result<AwardContractResponse, Error> {
    let Award { work_id, bid_id } = Award::try_from(&request)?;
    let consumer = call.principal()?.tenant;
    if let Some(reply) = app.store.replay(&mut call, &request).await? {
        let contract = app.wait_for(&mut call, named(&reply)?).await?;
        return Ok(answer(&contract));
    }
    let terms = app
        .terms(&call, (work_id, bid_id), Asker::Consumer(consumer))
        .await?;

    // The key stands for the contract, whatever becomes of it.
    let reply = app
        .store
        .transact(&mut call, &request, async |tx| {
            let event = contract::propose(tx.id(), terms.clone(), tx.now());
            let proposed = contracts::propose(tx, &event, work_id)
                .await
                .map_err(|failure| taken(failure, work_id))?;
            let contract = proposed.ok_or(Error::WorkNotAwardable(work_id))?;
            tx.rearm(&[], &worker::demanded(&contract));
            Ok::<_, Error>(AwardContractResponse {
                contract: Some(Wire {
                    contract_id: contract.id.to_string(),
                    ..Wire::default()
                }),
            })
        })
        .await?;
    let id = named(&reply)?;
    let contract = app
        .store
        .read_one(&mut call, async |tx| {
            contracts::find(tx, id).await?.ok_or(Error::ContractNotFound(id))
        })
        .await?;
    let contract = app.carry_out(&mut call, Saga::of(contract)).await?;
    Ok(answer(&contract))
}

fn taken(failure: aex_store::Failure, work: aex_types::WorkId) -> Error {
    if contracts::is_second(&failure) {
        Error::WorkNotAwardable(work)
    } else {
        failure.into()
    }
}

fn named(reply: &AwardContractResponse) -> Result<ContractId, Error> {
    let contract = reply.contract.as_ref();
    contract
        .and_then(|contract| contract.contract_id.parse().ok())
        .ok_or_else(|| aex_store::Failure::corrupt("the reply of an award names no contract").into())
}

fn answer(contract: &contract::Contract) -> AwardContractResponse {
    AwardContractResponse {
        contract: Some(contract.into()),
    }
}
