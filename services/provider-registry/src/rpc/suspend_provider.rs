//! Suspends an active or inactive provider.

use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{SuspendProviderRequest, SuspendProviderResponse};

use crate::{App, Error, domain::provider, store::providers};

pub(super) async fn suspend_provider(
    app: &App,
    mut call: Call,
    request: SuspendProviderRequest,
) -> Result<SuspendProviderResponse, Error> {
    let command = provider::Suspend::try_from(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.provider_id;
            let provider = providers::lock(tx, id)
                .await?
                .ok_or(Error::ProviderNotFound(id))?;
            let events = provider::suspend(&provider, &command, tx.now())?;
            let provider = providers::record(tx, Some(provider), &events).await?;
            Ok(SuspendProviderResponse {
                provider: Some(provider.into()),
            })
        })
        .await
}
