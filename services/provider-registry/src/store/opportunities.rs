//! Opportunities in their table, and what is offered to each provider beside it.

use aex_store::{Fact, Failure, Folding, Held, Tx, sql};
use aex_types::{ProviderId, SubscriptionId, TenantId, Timestamp, WorkId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{column, joined, subscriptions};
use crate::{
    convert,
    domain::opportunity::{Change, Event, MOST, Offered, Opportunity, Published, Reason, Shown},
};

/// Subscriptions that one statement of the matching reads.
const CANDIDATES: i64 = 1000;

#[derive(sqlx::FromRow)]
struct Row {
    work_id: Uuid,
    shown: Vec<u8>,
    providers: Vec<Uuid>,
    tenants: Vec<Uuid>,
    closed_reason: Option<String>,
    version: i64,
    create_time: DateTime<Utc>,
    update_time: DateTime<Utc>,
}

/// The providers that work fits, each once, oldest first, at most [`MOST`].
pub(crate) async fn matched(tx: &mut Tx<'_>, work: &Published) -> Result<Vec<Offered>, Failure> {
    let mut matched: Vec<Offered> = Vec::new();
    let mut after: Option<(ProviderId, SubscriptionId)> = None;
    loop {
        let candidates = subscriptions::candidates(tx, &work.shown.category, after, CANDIDATES).await?;
        let is_last = candidates.len() < usize::try_from(CANDIDATES).unwrap_or(usize::MAX);
        for (subscription, candidate) in &candidates {
            after = Some((candidate.provider_id, *subscription));
            // Subscriptions of one provider stand together.
            let is_known = matched
                .last()
                .is_some_and(|last| last.provider_id == candidate.provider_id);
            if is_known || !work.fits(candidate) {
                continue;
            }
            if matched.len() == MOST {
                return Ok(matched);
            }
            matched.push(Offered {
                provider_id: candidate.provider_id,
                tenant_id: candidate.tenant_id,
            });
        }
        if is_last {
            return Ok(matched);
        }
    }
}

/// A page of what is offered to a provider and can still be bid on, in the order of publication.
pub(crate) async fn open_for(
    tx: &mut Tx<'_>,
    provider: ProviderId,
    after: Option<WorkId>,
    most: i64,
) -> Result<Vec<Shown>, Failure> {
    let now = DateTime::<Utc>::from(tx.now());
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(sql!(
        "SELECT shown FROM offer JOIN opportunity USING (work_id)
         WHERE provider_id = $1 AND ($2::uuid IS NULL OR work_id > $2) AND close_time > $3
         ORDER BY work_id LIMIT $4"
    ))
    .bind(provider.uuid())
    .bind(after.map(WorkId::uuid))
    .bind(now)
    .bind(most)
    .fetch_all(tx.sql())
    .await?;
    rows.iter().map(|shown| convert::read_shown(shown)).collect()
}

/// Opportunities that are held, and what becomes of them, which is made true at once in the end. Only the follower comes
/// here, and it holds its position: one at a time.
#[derive(Debug, Default)]
pub(crate) struct Opportunities {
    held: Held<WorkId, Opportunity>,
    /// What happened, and the event of another service that it follows from.
    steps: Vec<(Event, String)>,
}

impl Opportunities {
    /// Those of these works that there are, held until the commit.
    pub(crate) async fn lock(
        tx: &mut Tx<'_>,
        ids: impl IntoIterator<Item = WorkId>,
    ) -> Result<Self, Failure> {
        Self::load(tx.sql(), ids).await
    }

    async fn load(sql: &mut PgConnection, ids: impl IntoIterator<Item = WorkId>) -> Result<Self, Failure> {
        let known = load(sql, &ids.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self {
            held: known
                .into_iter()
                .map(|known| (known.shown.work_id, known))
                .collect(),
            steps: Vec::new(),
        })
    }

    /// One of them, as it stands by now.
    pub(crate) fn get(&self, id: WorkId) -> Option<&Opportunity> {
        self.held.get(id)
    }

    /// Takes up what was decided.
    pub(crate) fn fold(&mut self, event: Event, cause: &str) -> Result<(), Failure> {
        self.held.fold(event.work_id, &event, Opportunity::after)?;
        self.steps.push((event, cause.to_owned()));
        Ok(())
    }

    /// Makes it true: saved, told to the providers' watchers, and published with the same commit.
    pub(crate) async fn record(&self, tx: &mut Tx<'_>) -> Result<(), Failure> {
        self.save(tx.sql()).await?;
        for (event, cause) in &self.steps {
            let Some(one) = self.get(event.work_id) else {
                continue;
            };
            let told = match event.change {
                Change::Opened { .. } => convert::told_opened(&one.shown),
                Change::Closed { .. } => convert::told_closed(one),
            };
            let providers = one.providers.iter();
            let providers = providers.map(|offered| offered.provider_id.uuid()).collect();
            tx.tell_all(providers, &told);
            tx.publish([Fact::from(event).caused_by(cause)]);
        }
        Ok(())
    }

    /// An offer stands exactly as long as its opportunity is open.
    async fn save(&self, sql: &mut PgConnection) -> Result<(), Failure> {
        let (known, new) = self.held.known_and_new();
        let works = |some: &[&Opportunity], is_open: bool| -> Vec<Uuid> {
            let some = some.iter().filter(|one| one.closed.is_none() == is_open);
            some.map(|one| one.shown.work_id.uuid()).collect()
        };
        update(sql, &known).await?;
        withdraw(sql, works(&known, false)).await?;
        insert(sql, &new).await?;
        offer(sql, works(&new, true)).await
    }
}

/// Folds stored events into the tables, for replay.
pub(crate) async fn apply(folding: &mut Folding, events: Vec<Event>) -> Result<(), Failure> {
    let works = events.iter().map(|event| event.work_id);
    let mut opportunities = Opportunities::load(folding.sql(), works).await?;
    for event in events {
        opportunities.fold(event, "")?;
    }
    opportunities.save(folding.sql()).await
}

async fn load(sql: &mut PgConnection, ids: &[WorkId]) -> Result<Vec<Opportunity>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
    let rows: Vec<Row> = sqlx::query_as(sql!(
        "SELECT work_id, shown, providers, tenants, closed_reason, version, create_time, update_time
         FROM opportunity WHERE work_id = ANY($1) ORDER BY work_id FOR UPDATE"
    ))
    .bind(ids)
    .fetch_all(sql)
    .await?;
    rows.into_iter().map(Opportunity::try_from).collect()
}

/// Where these opportunities stand now; what is shown of them, and to whom, never changes.
async fn update(sql: &mut PgConnection, opportunities: &[&Opportunity]) -> Result<(), Failure> {
    if opportunities.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "UPDATE opportunity SET closed_reason = closed, version = now_is.version, update_time = updated
         FROM UNNEST($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[]) AS now_is (id, closed, version, updated)
         WHERE work_id = id"
    ))
    .bind(opportunities.iter().map(|one| one.shown.work_id.uuid()).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| one.closed.map(|why| why.to_string())).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| column(one.version)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.update_time)).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

async fn insert(sql: &mut PgConnection, opportunities: &[&Opportunity]) -> Result<(), Failure> {
    if opportunities.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO opportunity (work_id, shown, providers, tenants, close_time, closed_reason, version, create_time,
                                  update_time)
         SELECT work_id, shown, string_to_array(providers, ',')::uuid[], string_to_array(tenants, ',')::uuid[],
                close_time, closed_reason, version, create_time, update_time
         FROM UNNEST($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[],
                     $8::timestamptz[], $9::timestamptz[])
              AS o (work_id, shown, providers, tenants, close_time, closed_reason, version, create_time, update_time)"
    ))
    .bind(opportunities.iter().map(|one| one.shown.work_id.uuid()).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| convert::shown_bytes(&one.shown)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| providers(one)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| tenants(one)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.shown.close_time)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| one.closed.map(|why| why.to_string())).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| column(one.version)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.create_time)).collect::<Vec<_>>())
    .bind(opportunities.iter().map(|one| DateTime::<Utc>::from(one.update_time)).collect::<Vec<_>>())
    .execute(sql)
    .await?;
    Ok(())
}

async fn offer(sql: &mut PgConnection, works: Vec<Uuid>) -> Result<(), Failure> {
    if works.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!(
        "INSERT INTO offer (provider_id, work_id)
         SELECT offered.provider_id, work_id FROM opportunity, UNNEST(providers) AS offered (provider_id)
         WHERE work_id = ANY($1)"
    ))
    .bind(works)
    .execute(sql)
    .await?;
    Ok(())
}

async fn withdraw(sql: &mut PgConnection, works: Vec<Uuid>) -> Result<(), Failure> {
    if works.is_empty() {
        return Ok(());
    }
    sqlx::query(sql!("DELETE FROM offer WHERE work_id = ANY($1)"))
        .bind(works)
        .execute(sql)
        .await?;
    Ok(())
}

fn providers(opportunity: &Opportunity) -> String {
    joined(
        &opportunity
            .providers
            .iter()
            .map(|offered| offered.provider_id.uuid())
            .collect::<Vec<_>>(),
    )
}

fn tenants(opportunity: &Opportunity) -> String {
    joined(
        &opportunity
            .providers
            .iter()
            .map(|offered| offered.tenant_id.uuid())
            .collect::<Vec<_>>(),
    )
}

impl TryFrom<Row> for Opportunity {
    type Error = Failure;

    fn try_from(row: Row) -> Result<Self, Failure> {
        let broken = |what: &str| Failure::corrupt(format!("opportunity {}: {what}", row.work_id));
        let closed = match &row.closed_reason {
            None => None,
            Some(spelled) => Some(Reason::spelled(spelled).ok_or_else(|| broken("closed_reason"))?),
        };
        if row.providers.len() != row.tenants.len() {
            return Err(broken("providers"));
        }
        let offered = row
            .providers
            .iter()
            .zip(&row.tenants)
            .map(|(provider, tenant)| Offered {
                provider_id: ProviderId::from(*provider),
                tenant_id: TenantId::from(*tenant),
            });
        Ok(Self {
            shown: convert::read_shown(&row.shown)?,
            providers: offered.collect(),
            closed,
            version: u64::try_from(row.version).map_err(|_| broken("version"))?,
            create_time: Timestamp::from(row.create_time),
            update_time: Timestamp::from(row.update_time),
        })
    }
}
