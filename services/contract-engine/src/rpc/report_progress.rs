//! Says how far the work is.

use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{ReportProgressRequest, ReportProgressResponse};

use super::as_provider;
use crate::{App, Error, award::held, convert, domain::contract, worker};

pub(super) async fn report_progress(
    app: &App,
    mut call: Call,
    request: ReportProgressRequest,
) -> Result<ReportProgressResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let principal = call.principal()?.clone();

    app.store
        .transact(&mut call, &request, async |tx| {
            let contract = held(tx, id).await?;
            as_provider(&principal, &contract)?;
            let events = contract::report(&contract, request.percent, request.message.clone(), tx.now())?;
            let contract = worker::record(tx, contract, &events).await?;
            Ok(ReportProgressResponse {
                contract: Some((&contract).into()),
            })
        })
        .await
}
