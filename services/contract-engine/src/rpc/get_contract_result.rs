//! Answers what was delivered.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{GetContractResultRequest, GetContractResultResponse};
use aex_store::Failure;

use crate::{App, Error, convert, store::blobs};

pub(super) async fn get_contract_result(
    app: &App,
    mut call: Call,
    request: GetContractResultRequest,
) -> Result<GetContractResultResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let contract = app.seen(&mut call, id).await?;
    let delivery = contract.result.ok_or(Error::ResultNotFound(id))?;
    let kept_here = delivery
        .content
        .as_ref()
        .filter(|content| content.location.is_none());
    let result = match kept_here.map(|content| content.sha256) {
        None => Vec::new(),
        Some(sha256) => {
            let found = app
                .store
                .read(&mut call, async |tx| {
                    Ok::<_, Error>(blobs::find(tx, &sha256).await?)
                })
                .await?;
            found.ok_or_else(|| Failure::corrupt(format!("the result of {id} is not kept")))?
        }
    };
    Ok(GetContractResultResponse {
        result: result.into(),
        info: Some((&delivery).into()),
    })
}
