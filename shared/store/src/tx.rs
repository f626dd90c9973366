//! One open transaction, and what is published with its commit.

use std::collections::{BTreeMap, BTreeSet};

use aex_error::wire;
use aex_kit::Call;
use aex_proto::aex::common::v1::Event;
use aex_types::{EventId, Id, TenantId, Timestamp, id::Named};
use prost::{Message, Name};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Due, Failure, jobs, sql};

/// A change of one aggregate, ready to be published.
#[derive(Debug, Clone)]
pub struct Fact {
    event: Event,
    occurred: Timestamp,
}

impl Fact {
    /// What happened (`tenant.created`), to which aggregate, in which version and when, and its payload.
    pub fn new<P: Message + Name>(
        kind: &str,
        (aggregate, version, occurred): (impl std::fmt::Display, u64, Timestamp),
        payload: &P,
    ) -> Self {
        let event = Event {
            r#type: kind.to_owned(),
            payload_type: P::full_name(),
            payload: payload.encode_to_vec().into(),
            aggregate_type: kind
                .split_once('.')
                .map_or(kind, |(aggregate, _)| aggregate)
                .to_owned(),
            aggregate_id: aggregate.to_string(),
            aggregate_version: version,
            occur_time: Some(wire::time(occurred)),
            schema_version: 1,
            ..Event::default()
        };
        Self { event, occurred }
    }

    /// The kind of the aggregate, where it is not the first word of the event's type.
    #[must_use]
    pub fn of(mut self, aggregate_type: &str) -> Self {
        aggregate_type.clone_into(&mut self.event.aggregate_type);
        self
    }

    /// Who may see it.
    #[must_use]
    pub fn visible_to(mut self, tenants: impl IntoIterator<Item = TenantId>) -> Self {
        self.event
            .visible_to
            .extend(tenants.into_iter().map(|tenant| tenant.to_string()));
        self
    }

    /// The request that set it off, where the transaction serves many; absent means the transaction's own call.
    #[must_use]
    pub fn asked_by(mut self, request_id: &str, traceparent: Option<&str>) -> Self {
        request_id.clone_into(&mut self.event.correlation_id);
        traceparent
            .unwrap_or_default()
            .clone_into(&mut self.event.traceparent);
        self
    }

    /// The event of another service that it follows from.
    #[must_use]
    pub fn caused_by(mut self, event_id: &str) -> Self {
        event_id.clone_into(&mut self.event.causation_id);
        self
    }
}

/// One open transaction on behalf of a call. It borrows the call, so nothing else can be done for the call meanwhile.
pub struct Tx<'c> {
    pub(crate) sql: sqlx::Transaction<'static, sqlx::Postgres>,
    pub(crate) call: &'c Call,
    now: Timestamp,
    facts: Vec<Fact>,
    pub(crate) woken: Woken,
}

/// Whom the commit wakes.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    /// The first moment at which a job of each kind is due.
    pub(crate) timers: BTreeMap<&'static str, Timestamp>,
    pub(crate) resources: BTreeSet<Uuid>,
    pub(crate) outbox: bool,
}

impl Woken {
    fn timer(&mut self, kind: &'static str, due: Timestamp) {
        let first = self.timers.entry(kind).or_insert(due);
        *first = (*first).min(due);
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("call", &self.call.method())
            .finish_non_exhaustive()
    }
}

impl<'c> Tx<'c> {
    pub(crate) fn new(sql: sqlx::Transaction<'static, sqlx::Postgres>, call: &'c Call) -> Self {
        Self {
            sql,
            call,
            now: call.now(),
            facts: Vec::new(),
            woken: Woken::default(),
        }
    }

    /// The connection, for the statements of a service's `store/`.
    pub fn sql(&mut self) -> &mut PgConnection {
        &mut self.sql
    }

    /// The time of this attempt, the same throughout the transaction.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id.
    pub fn id<T: Named>(&self) -> Id<T> {
        self.call.id()
    }

    /// Publishes facts with the commit.
    pub fn publish(&mut self, facts: impl IntoIterator<Item = Fact>) {
        self.facts.extend(facts);
    }

    /// Does something at a moment, once: the job of this kind is run for the key. A second call moves the moment;
    /// a job that is under way is run again after this attempt.
    pub async fn schedule(&mut self, kind: &'static str, key: Uuid, due: Timestamp) -> Result<(), Failure> {
        self.schedule_all(&[Due::new(kind, key, due)]).await
    }

    /// Does many things at their moments, each once, as [`schedule`](Self::schedule) does one.
    pub async fn schedule_all(&mut self, due: &[Due]) -> Result<(), Failure> {
        jobs::set(self.sql(), due).await?;
        for due in due {
            self.woken.timer(due.kind, due.time);
        }
        Ok(())
    }

    /// A job says of itself that it is done. What was scheduled since it was taken stays: the job may have read the state
    /// before that, and is run again.
    pub async fn done(&mut self, kind: &'static str, key: Uuid) -> Result<(), Failure> {
        jobs::done(self.sql(), kind, key).await
    }

    /// Takes many jobs back, as [`unschedule`](Self::unschedule) takes one.
    pub async fn unschedule_all(&mut self, jobs: &[(&'static str, Uuid)]) -> Result<(), Failure> {
        jobs::unset(self.sql(), jobs).await
    }

    /// Takes a job back, whoever scheduled it and whenever: what this transaction holds says that there is nothing to do.
    pub async fn unschedule(&mut self, kind: &'static str, key: Uuid) -> Result<(), Failure> {
        self.unschedule_all(&[(kind, key)]).await
    }

    /// Follows a state from what it demanded before to what it demands now. What both demand is left alone.
    pub async fn rearm(&mut self, before: &[Due], after: &[Due]) -> Result<(), Failure> {
        let (set, unset) = jobs::change(before, after);
        self.unschedule_all(&unset).await?;
        self.schedule_all(&set).await
    }

    /// Moves the moment of a job that is still waiting; one that is under way or done stays as it is.
    pub async fn postpone(&mut self, kind: &'static str, key: Uuid, due: Timestamp) -> Result<(), Failure> {
        sqlx::query(sql!(
            "UPDATE timer SET due_time = $3 WHERE kind = $1 AND key = $2 AND leased_until IS NULL"
        ))
        .bind(kind)
        .bind(key)
        .bind(chrono::DateTime::from(due))
        .execute(self.sql())
        .await?;
        Ok(())
    }

    /// Tells the watchers of a resource something, with the commit. Until then nobody else tells them anything.
    pub async fn tell(&mut self, resource: Uuid, message: &impl Message) -> Result<(), Failure> {
        self.tell_each(&[(resource, message.encode_to_vec())]).await
    }

    /// Tells the watchers of many resources the same, as [`tell`](Self::tell) tells those of one.
    pub async fn tell_all(
        &mut self,
        resources: BTreeSet<Uuid>,
        message: &impl Message,
    ) -> Result<(), Failure> {
        let message = message.encode_to_vec();
        let told: Vec<_> = resources
            .into_iter()
            .map(|resource| (resource, message.clone()))
            .collect();
        self.tell_each(&told).await
    }

    /// Tells the watchers of each resource an encoded message of its own. No resource is named twice, and whoever tells
    /// two resources names them in one order, because each is held from here to the commit.
    pub async fn tell_each(&mut self, told: &[(Uuid, Vec<u8>)]) -> Result<(), Failure> {
        let (resources, messages): (Vec<_>, Vec<_>) = told
            .iter()
            .map(|(resource, message)| (*resource, message.as_slice()))
            .unzip();
        self.woken.resources.extend(&resources);
        let now = self.now;
        sqlx::query(sql!(
            "WITH told AS (SELECT * FROM UNNEST($1::uuid[], $2::bytea[]) AS told (id, message)),
             head AS (
                 INSERT INTO watch_head (resource_id, version) SELECT id, 1 FROM told
                 ON CONFLICT (resource_id) DO UPDATE SET version = watch_head.version + 1
                 RETURNING resource_id, version)
             INSERT INTO watch_log (resource_id, version, message, create_time)
             SELECT head.resource_id, head.version, told.message, $3
             FROM head JOIN told ON told.id = head.resource_id"
        ))
        .bind(resources)
        .bind(messages)
        .bind(chrono::DateTime::from(now))
        .execute(self.sql())
        .await?;
        Ok(())
    }

    /// Writes what was published to the outbox; the last statement before the commit.
    pub(crate) async fn flush(&mut self) -> Result<(), Failure> {
        if self.facts.is_empty() {
            return Ok(());
        }
        let facts = std::mem::take(&mut self.facts);
        let (mut times, mut ids, mut versions, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for fact in facts {
            times.push(chrono::DateTime::from(fact.occurred));
            ids.push(fact.event.aggregate_id.clone());
            versions.push(i64::try_from(fact.event.aggregate_version).unwrap_or(i64::MAX));
            events.push(self.stamped(fact.event).encode_to_vec());
        }
        sqlx::query(sql!(
            "INSERT INTO outbox (occur_time, aggregate_id, aggregate_version, event)
             SELECT * FROM UNNEST($1::timestamptz[], $2::text[], $3::bigint[], $4::bytea[])"
        ))
        .bind(times)
        .bind(ids)
        .bind(versions)
        .bind(events)
        .execute(self.sql())
        .await?;
        self.woken.outbox = true;
        Ok(())
    }

    fn stamped(&self, event: Event) -> Event {
        let id: EventId = self.id();
        let (correlation_id, traceparent) = if event.correlation_id.is_empty() {
            let traceparent = self.call.traceparent().unwrap_or_default();
            (self.call.request_id().to_owned(), traceparent.to_owned())
        } else {
            (event.correlation_id.clone(), event.traceparent.clone())
        };
        Event {
            event_id: id.to_string(),
            correlation_id,
            traceparent,
            producer: self.call.service().to_owned(),
            ..event
        }
    }
}

/// A transaction that rebuilds tables from stored events.
#[derive(Debug)]
pub struct Folding {
    pub(crate) sql: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl Folding {
    /// The connection, for the statements of a service's `store/`.
    pub fn sql(&mut self) -> &mut PgConnection {
        &mut self.sql
    }

    /// Sets the jobs that a folded state demands, and takes back those that the state before it demanded alone: what
    /// [`Tx::rearm`] does live.
    pub async fn rearm(&mut self, before: &[Due], after: &[Due]) -> Result<(), Failure> {
        let (set, unset) = jobs::change(before, after);
        jobs::unset(self.sql(), &unset).await?;
        jobs::set(self.sql(), &set).await
    }
}
