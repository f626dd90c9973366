//! Explains a score and what the next tier asks for.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::trust_broker::v1::{ExplainTrustRequest, ExplainTrustResponse};

use crate::{
    App, Error, convert,
    domain::{assessment::assess, explain::explain, modifier::Charges},
    store::records,
};

pub(super) async fn explain_trust(
    app: &App,
    mut call: Call,
    request: ExplainTrustRequest,
) -> Result<ExplainTrustResponse, Error> {
    let id = convert::provider_id(Check::of(&request), &request.provider_id)?;

    app.store
        .read(&mut call, async |tx| {
            let record = records::find(tx, id).await?;
            let explanation = explain(&record, Charges::NONE, tx.now());
            let case = assess(&record, Charges::NONE, tx.now()).case;
            Ok(convert::explained(&record, &explanation, &case))
        })
        .await
}
