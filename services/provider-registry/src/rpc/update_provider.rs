//! Changes what a provider says of itself.

use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{UpdateProviderRequest, UpdateProviderResponse};

use super::Acting;
use crate::{App, Error, domain::provider, store::providers};

pub(super) async fn update_provider(
    app: &App,
    mut call: Call,
    request: UpdateProviderRequest,
) -> Result<UpdateProviderResponse, Error> {
    let command = provider::Update::try_from(&request)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.provider_id;
            let provider = acting.own(providers::lock(tx, id).await?, id)?;
            let events = provider::update(&provider, &command, tx.now());
            let provider = providers::record(tx, Some(provider), &events).await?;
            Ok(UpdateProviderResponse {
                provider: Some(provider.into()),
            })
        })
        .await
}
