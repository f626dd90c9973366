//! Answers one contract.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{GetContractRequest, GetContractResponse};

use crate::{App, Error, convert};

pub(super) async fn get_contract(
    app: &App,
    mut call: Call,
    request: GetContractRequest,
) -> Result<GetContractResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let contract = app.seen(&mut call, id).await?;
    Ok(GetContractResponse {
        contract: Some((&contract).into()),
    })
}
