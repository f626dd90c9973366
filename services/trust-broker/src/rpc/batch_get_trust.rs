//! Answers the trust of many providers, in the order asked for.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::trust_broker::v1::{BatchGetTrustRequest, BatchGetTrustResponse};

use crate::{App, Error, convert, domain::record::TrustRecord, store::records};

pub(super) async fn batch_get_trust(
    app: &App,
    mut call: Call,
    request: BatchGetTrustRequest,
) -> Result<BatchGetTrustResponse, Error> {
    let ids = convert::provider_ids(Check::of(&request), &request.provider_ids)?;

    app.store
        .read(&mut call, async |tx| {
            let (now, known) = (tx.now(), records::find_all(tx, &ids).await?);
            let trust = |id| match known.get(id) {
                Some(record) => convert::trust(record, now),
                None => convert::trust(&TrustRecord::unknown(*id), now),
            };
            Ok(BatchGetTrustResponse {
                trusts: ids.iter().map(trust).collect(),
            })
        })
        .await
}
