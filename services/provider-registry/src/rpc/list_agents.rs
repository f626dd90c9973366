//! Lists a provider's agents, oldest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{ListAgentsRequest, ListAgentsResponse};
use aex_store::Page;
use aex_types::ProviderId;

use crate::{
    App, Error, convert,
    store::{agents, providers},
};

pub(super) async fn list_agents(
    app: &App,
    mut call: Call,
    request: ListAgentsRequest,
) -> Result<ListAgentsResponse, Error> {
    let id: ProviderId = convert::id(Check::of(&request), "provider_id", &request.provider_id)?;
    let page = Page::read(request.page_size, &request.page_token, &id.to_string())?;

    app.store
        .read(&mut call, async |tx| {
            providers::find(tx, id)
                .await?
                .ok_or(Error::ProviderNotFound(id))?;
            let mut agents = agents::list(tx, id, &page).await?;
            let next_page_token = page.cut(&mut agents, |agent| agent.id);
            Ok(ListAgentsResponse {
                agents: agents.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
