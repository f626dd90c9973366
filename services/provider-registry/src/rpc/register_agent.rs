//! Registers an agent of a provider by its key, with a proof that the provider has the private half.

use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{RegisterAgentRequest, RegisterAgentResponse};

use super::Acting;
use crate::{
    App, Error,
    domain::agent,
    store::{agents, providers},
};

pub(super) async fn register_agent(
    app: &App,
    mut call: Call,
    request: RegisterAgentRequest,
) -> Result<RegisterAgentResponse, Error> {
    let command = agent::Register::try_from(&request)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.provider_id;
            let provider = acting.own(providers::lock(tx, id).await?, id)?;
            let working = agents::count_working(tx, id).await?;
            let registered = agent::register(tx.id(), &provider, working, &command, tx.now())?;
            let agent = agents::record(tx, None, &registered).await?;
            Ok(RegisterAgentResponse {
                agent: Some(agent.into()),
            })
        })
        .await
}
