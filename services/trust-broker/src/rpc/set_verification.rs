//! Records what an operator verified of a provider.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::trust_broker::v1::{SetVerificationRequest, SetVerificationResponse};

use crate::{App, Error, convert, domain::decide, store::records};

pub(super) async fn set_verification(
    app: &App,
    mut call: Call,
    request: SetVerificationRequest,
) -> Result<SetVerificationResponse, Error> {
    let id = convert::provider_id(Check::of(&request), &request.provider_id)?;
    let commands = convert::verifications(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let mut record = records::lock(tx, id).await?;
            for command in &commands {
                let events = decide::set_verification(&record, command, tx.now());
                record = records::record(tx, record, events).await?;
            }
            Ok(SetVerificationResponse {
                trust: Some(convert::trust(&record, tx.now())),
            })
        })
        .await
}
