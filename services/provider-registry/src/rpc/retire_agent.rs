//! Retires an agent for good.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{RetireAgentRequest, RetireAgentResponse};

use super::Acting;
use crate::{App, Error, convert, domain::agent, store::agents};

pub(super) async fn retire_agent(
    app: &App,
    mut call: Call,
    request: RetireAgentRequest,
) -> Result<RetireAgentResponse, Error> {
    let id = convert::id(Check::of(&request), "agent_id", &request.agent_id)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let agent = agents::lock(tx, id)
                .await?
                .filter(|agent| acting.owns(agent.tenant_id, agent.provider_id))
                .ok_or(Error::AgentNotFound(id))?;
            let retired = agent::retire(&agent, tx.now())?;
            let agent = agents::record(tx, Some(agent), &retired).await?;
            Ok(RetireAgentResponse {
                agent: Some(agent.into()),
            })
        })
        .await
}
