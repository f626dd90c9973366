//! Agents in their table.

use aex_store::{Fact, Failure, Folding, Page, Tx, sql};
use aex_types::{AgentId, ProviderId, Timestamp};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{by_aggregate, column, fold, fold_all};
use crate::{
    Error,
    domain::agent::{Agent, Event},
};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    provider_id: Uuid,
    agent_id: Uuid,
    display_name: String,
    public_key: Vec<u8>,
    version: i64,
    create_time: DateTime<Utc>,
    retire_time: Option<DateTime<Utc>>,
}

/// One agent, held until the commit.
pub(crate) async fn lock(tx: &mut Tx<'_>, id: AgentId) -> Result<Option<Agent>, Failure> {
    Ok(load(tx.sql(), &[id]).await?.pop())
}

/// One of a provider's agents, as it is.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    id: AgentId,
) -> Result<Option<Agent>, Failure> {
    let row: Option<Row> = sqlx::query_as(sql!(
        "SELECT * FROM agent WHERE agent_id = $1 AND provider_id = $2"
    ))
    .bind(id.uuid())
    .bind(provider.uuid())
    .fetch_optional(tx.sql())
    .await?;
    row.map(Agent::try_from).transpose()
}

/// How many agents of a provider work. The caller holds the provider, so none comes meanwhile.
pub(crate) async fn count_working(tx: &mut Tx<'_>, provider: ProviderId) -> Result<usize, Failure> {
    let count: i64 = sqlx::query_scalar(sql!(
        "SELECT COUNT(*) FROM agent WHERE provider_id = $1 AND retire_time IS NULL"
    ))
    .bind(provider.uuid())
    .fetch_one(tx.sql())
    .await?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// A page of a provider's agents, oldest first.
pub(crate) async fn list(tx: &mut Tx<'_>, provider: ProviderId, page: &Page) -> Result<Vec<Agent>, Failure> {
    let after: Option<AgentId> = page.after()?;
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM agent WHERE provider_id = $1 AND ($2::uuid IS NULL OR agent_id > $2) ORDER BY agent_id LIMIT $3"
    ))
    .bind(provider.uuid())
    .bind(after.map(AgentId::uuid))
    .bind(page.limit())
    .fetch_all(tx.sql())
    .await?;
    rows.into_iter().map(Agent::try_from).collect()
}

/// What was decided, made true: folded, saved, and published with the same commit. A key that is some agent's already
/// is refused, whoever was first.
pub(crate) async fn record(tx: &mut Tx<'_>, before: Option<Agent>, event: &Event) -> Result<Agent, Error> {
    let after = fold(before, std::slice::from_ref(event), Agent::after)?;
    match save(tx.sql(), std::slice::from_ref(&after)).await {
        Err(failure) if failure.is_duplicate("agent_by_key") => return Err(Error::AgentKeyTaken),
        ended => ended?,
    }
    tx.publish([Fact::from(event)]);
    Ok(after)
}

/// Folds stored events into the table, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: &[Event]) -> Result<(), Failure> {
    let grouped = by_aggregate(events, |event| event.agent_id);
    let ids: Vec<_> = grouped.keys().copied().collect();
    let before = load(folding.sql(), &ids).await?;
    let before = before.into_iter().map(|agent| (agent.id, agent)).collect();
    let after = fold_all(&grouped, before, Agent::after)?;
    save(folding.sql(), &after).await
}

async fn load(sql: &mut PgConnection, ids: &[AgentId]) -> Result<Vec<Agent>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT * FROM agent WHERE agent_id = ANY($1) ORDER BY agent_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Agent::try_from).collect()
}

async fn save(sql: &mut PgConnection, agents: &[Agent]) -> Result<(), Failure> {
    sqlx::query(sql!(
        "INSERT INTO agent (tenant_id, provider_id, agent_id, display_name, public_key, version, create_time,
                            retire_time)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bigint[],
                              $7::timestamptz[], $8::timestamptz[])
         ON CONFLICT (tenant_id, provider_id, agent_id) DO UPDATE SET
             version = EXCLUDED.version, retire_time = EXCLUDED.retire_time"
    ))
    .bind(
        agents
            .iter()
            .map(|agent| agent.tenant_id.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(
        agents
            .iter()
            .map(|agent| agent.provider_id.uuid())
            .collect::<Vec<_>>(),
    )
    .bind(agents.iter().map(|agent| agent.id.uuid()).collect::<Vec<_>>())
    .bind(
        agents
            .iter()
            .map(|agent| agent.display_name.to_string())
            .collect::<Vec<_>>(),
    )
    .bind(
        agents
            .iter()
            .map(|agent| agent.public_key.to_vec())
            .collect::<Vec<_>>(),
    )
    .bind(
        agents
            .iter()
            .map(|agent| column(agent.version))
            .collect::<Vec<_>>(),
    )
    .bind(
        agents
            .iter()
            .map(|agent| DateTime::<Utc>::from(agent.create_time))
            .collect::<Vec<_>>(),
    )
    .bind(
        agents
            .iter()
            .map(|agent| agent.retire_time.map(DateTime::<Utc>::from))
            .collect::<Vec<_>>(),
    )
    .execute(sql)
    .await?;
    Ok(())
}

impl TryFrom<Row> for Agent {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("agent {}: {what}", row.agent_id));
        Ok(Self {
            id: row.agent_id.into(),
            provider_id: row.provider_id.into(),
            tenant_id: row.tenant_id.into(),
            display_name: row.display_name.parse().map_err(|_| broken("display_name"))?,
            public_key: row
                .public_key
                .as_slice()
                .try_into()
                .map_err(|_| broken("public_key"))?,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            retire_time: row.retire_time.map(Timestamp::from),
        })
    }
}
