//! Answers the trust of a provider; one without a record has the newcomer's, and asking makes none.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::trust_broker::v1::{GetTrustRequest, GetTrustResponse};

use crate::{App, Error, convert, store::records};

pub(super) async fn get_trust(
    app: &App,
    mut call: Call,
    request: GetTrustRequest,
) -> Result<GetTrustResponse, Error> {
    let id = convert::provider_id(Check::of(&request), &request.provider_id)?;

    app.store
        .read(&mut call, async |tx| {
            let record = records::find(tx, id).await?;
            Ok(GetTrustResponse {
                trust: Some(convert::trust(&record, tx.now())),
            })
        })
        .await
}
