//! Takes a provider out of business for now.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{DeactivateProviderRequest, DeactivateProviderResponse};

use super::Acting;
use crate::{App, Error, convert, domain::provider, store::providers};

pub(super) async fn deactivate_provider(
    app: &App,
    mut call: Call,
    request: DeactivateProviderRequest,
) -> Result<DeactivateProviderResponse, Error> {
    let provider_id = convert::id(Check::of(&request), "provider_id", &request.provider_id)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = provider_id;
            let provider = acting.own(providers::lock(tx, id).await?, id)?;
            let events = provider::deactivate(&provider, tx.now())?;
            let provider = providers::record(tx, Some(provider), &events).await?;
            Ok(DeactivateProviderResponse {
                provider: Some(provider.into()),
            })
        })
        .await
}
