//! Answers where a named consumer of the caller stands.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::event_ledger::v1::{GetConsumerRequest, GetConsumerResponse};

use crate::{App, Error, store::consumers};

pub(super) async fn get_consumer(
    app: &App,
    mut call: Call,
    request: GetConsumerRequest,
) -> Result<GetConsumerResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let scope = call.scope();

    app.store
        .read(&mut call, async |tx| {
            let consumer = consumers::find(tx, &scope, &request.name)
                .await?
                .ok_or(Error::ConsumerNotFound(request.name))?;
            Ok(GetConsumerResponse {
                consumer: Some(consumer.into()),
            })
        })
        .await
}
