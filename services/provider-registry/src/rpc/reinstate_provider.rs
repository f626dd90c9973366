//! Makes a suspended provider active again.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{ReinstateProviderRequest, ReinstateProviderResponse};

use crate::{App, Error, convert, domain::provider, store::providers};

pub(super) async fn reinstate_provider(
    app: &App,
    mut call: Call,
    request: ReinstateProviderRequest,
) -> Result<ReinstateProviderResponse, Error> {
    let provider_id = convert::id(Check::of(&request), "provider_id", &request.provider_id)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = provider_id;
            let provider = providers::lock(tx, id)
                .await?
                .ok_or(Error::ProviderNotFound(id))?;
            let events = provider::reinstate(&provider, tx.now())?;
            let provider = providers::record(tx, Some(provider), &events).await?;
            Ok(ReinstateProviderResponse {
                provider: Some(provider.into()),
            })
        })
        .await
}
