//! Delivers the result, or admits a failure.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{CompleteContractRequest, CompleteContractResponse};

use super::as_provider;
use crate::{
    App, Error,
    award::held,
    convert,
    domain::{
        contract::{self, FailReason},
        result,
    },
    store::blobs,
    worker,
};

pub(super) async fn complete_contract(
    app: &App,
    mut call: Call,
    request: CompleteContractRequest,
) -> Result<CompleteContractResponse, Error> {
    let (id, offer) = convert::offer(&request)?;
    let principal = call.principal()?.clone();

    let reply = app
        .store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            as_provider(&principal, &contract)?;
            let events = if request.success {
                let delivery = result::accept(&offer, &contract.terms.required_fields)?;
                let kept_here = delivery
                    .content
                    .as_ref()
                    .filter(|content| content.location.is_none());
                let sha256 = kept_here.map(|content| content.sha256);
                let events = contract::deliver(&contract, delivery, tx.now())?;
                if let Some(sha256) = sha256 {
                    blobs::keep(tx, &sha256, &offer.bytes).await?;
                }
                events
            } else {
                let reason = FailReason::ProviderReportedFailure;
                contract::fail(&contract, reason, offer.summary.clone(), tx.now())?
            };
            let contract = worker::record(tx, contract, &events).await?;
            Ok::<_, Error>(CompleteContractResponse {
                contract: Some((&contract).into()),
            })
        })
        .await?;
    app.pay_soon(&mut call, id, reply.contract.as_ref()).await;
    Ok(reply)
}
