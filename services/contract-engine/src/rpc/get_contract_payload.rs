//! Answers what is to be worked on, until the contract ends.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{GetContractPayloadRequest, GetContractPayloadResponse};

use super::as_provider;
use crate::{App, Error, convert, domain::contract::Refusal};

pub(super) async fn get_contract_payload(
    app: &App,
    mut call: Call,
    request: GetContractPayloadRequest,
) -> Result<GetContractPayloadResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let contract = app.seen(&mut call, id).await?;
    as_provider(call.principal()?, &contract)?;
    if !contract.status.is_live() {
        let status = contract.status;
        return Err(Refusal::StatusInvalid {
            contract_id: id,
            status,
        }
        .into());
    }
    let payload = app.peers.payload(&call, &contract).await?;
    Ok(GetContractPayloadResponse {
        payload: payload.bytes,
        content_type: payload.media_type,
        sha256: payload.sha256,
        size_bytes: payload.size,
        location: payload.location,
    })
}
