//! Publishes work and opens its bid window.

use aex_kit::Call;
use aex_proto::aex::work_publisher::v1::{PublishWorkRequest, PublishWorkResponse};

use crate::{
    App, Error, convert,
    domain::work,
    store::{payloads, works},
};

pub(super) async fn publish_work(
    app: &App,
    mut call: Call,
    request: PublishWorkRequest,
) -> Result<PublishWorkResponse, Error> {
    let terms = convert::terms(&request, &app.times)?;
    let principal = call.principal()?;
    let (consumer, internal) = (principal.tenant, principal.internal);
    if let Some(reply) = app.store.replay(&mut call, &request).await? {
        return Ok(reply);
    }
    app.can_afford(&call, consumer, terms.max_price).await?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let submitted = work::submit(tx.id(), consumer, internal, terms.clone(), tx.now());
            if let Some(payload) = terms.payload.as_ref().filter(|_| !request.payload.is_empty()) {
                payloads::keep(tx, &payload.sha256, &request.payload).await?;
            }
            let work = works::record(tx, None, [submitted]).await?;
            Ok(PublishWorkResponse {
                work: Some(work.into()),
            })
        })
        .await
}
