//! Remembers how far a named consumer of the caller has come.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::event_ledger::v1::{CommitConsumerRequest, CommitConsumerResponse};

use crate::{
    App, Error,
    domain::consumer,
    store::{self, consumers},
};

pub(super) async fn commit_consumer(
    app: &App,
    mut call: Call,
    request: CommitConsumerRequest,
) -> Result<CommitConsumerResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let scope = call.scope();

    app.store
        .transact(&mut call, &request, async |tx| {
            let (consumer, is_new) = consumers::lock(tx, &scope, &request.name).await?;
            if is_new {
                consumer::check_count(consumers::count(tx, &scope).await?)?;
            }
            let head = store::head(tx).await?.sequence;
            let consumer = consumer::commit(&consumer, request.sequence, head, tx.now())?;
            consumers::save(tx, &scope, &consumer).await?;
            Ok(CommitConsumerResponse {
                consumer: Some(consumer.into()),
            })
        })
        .await
}
