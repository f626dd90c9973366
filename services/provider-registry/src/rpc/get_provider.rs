//! Answers one provider, to strangers its public profile, and one of its agents, which everybody may know.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{GetProviderRequest, GetProviderResponse};

use crate::{
    App, Error, convert,
    store::{agents, providers},
};

pub(super) async fn get_provider(
    app: &App,
    mut call: Call,
    request: GetProviderRequest,
) -> Result<GetProviderResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("provider_id", &request.provider_id);
    let agent_id = check.maybe("agent_id", &request.agent_id);
    let (id, agent_id) = check.finish(|| Some((id?, agent_id?)))?;

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
    let agent = match agent_id {
        None => None,
        // An agent never changes its provider: the two need not be read at one moment.
        Some(agent_id) => {
            app.store
                .read_one(&mut call, async |tx| agents::find(tx, id, agent_id).await)
                .await?
        }
    };
    Ok(GetProviderResponse {
        provider: Some(provider),
        agent: agent.map(Into::into),
    })
}
