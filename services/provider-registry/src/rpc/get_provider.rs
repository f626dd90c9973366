//! Answers one provider; to strangers its public profile.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{GetProviderRequest, GetProviderResponse};

use crate::{App, Error, convert, store::providers};

pub(super) async fn get_provider(
    app: &App,
    mut call: Call,
    request: GetProviderRequest,
) -> Result<GetProviderResponse, Error> {
    let id = convert::id(Check::of(&request), "provider_id", &request.provider_id)?;

    let provider = app
        .store
        .read_one(&mut call, async |tx| {
            providers::find(tx, id).await?.ok_or(Error::ProviderNotFound(id))
        })
        .await?;
    let provider = if call.may_see(provider.tenant_id) {
        provider.into()
    } else {
        convert::public_profile(provider)
    };
    Ok(GetProviderResponse {
        provider: Some(provider),
    })
}
