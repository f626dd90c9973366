//! Registers a provider of the calling tenant, active at once.

use aex_error::Denied;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{RegisterProviderRequest, RegisterProviderResponse};

use super::Acting;
use crate::{
    App, Error,
    domain::provider::{self, Owner, Profile},
    store::providers,
};

pub(super) async fn register_provider(
    app: &App,
    mut call: Call,
    request: RegisterProviderRequest,
) -> Result<RegisterProviderResponse, Error> {
    let profile = Profile::try_from(&request)?;
    let acting = Acting::of(&call)?;
    // A key that is bound to a provider speaks for that one and makes no other.
    if acting.bound.is_some() {
        return Err(Denied::Audience.into());
    }
    if let Some(reply) = app.store.replay(&mut call, &request).await? {
        return Ok(reply);
    }
    let seller = app.active_seller(&call, acting.tenant).await?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let owner = Owner {
                tenant_id: seller.tenant_id,
                internal: seller.internal,
                providers: providers::count_of(tx, seller.tenant_id).await?,
            };
            let registered = provider::register(tx.id(), owner, profile.clone(), tx.now())?;
            let provider = providers::record(tx, None, &[registered]).await?;
            Ok(RegisterProviderResponse {
                provider: Some(provider.into()),
            })
        })
        .await
}
