//! One open transaction, and what is published with its commit.

use std::collections::{BTreeMap, BTreeSet};

use aex_error::wire;
use aex_kit::Call;
use aex_proto::aex::common::v1::Event;
use aex_types::{EventId, Id, TenantId, Timestamp, id::Named};
use prost::{Message, Name};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Due, Failure,
    ending::{Ending, Published},
    jobs,
    session::Session,
    sql,
};

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
    pub fn asked_by(mut self, request_id: &str, traceparent: &str) -> Self {
        request_id.clone_into(&mut self.event.correlation_id);
        traceparent.clone_into(&mut self.event.traceparent);
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
    session: Session,
    pub(crate) call: &'c Call,
    now: Timestamp,
    facts: Vec<Fact>,
    pub(crate) ending: Ending,
    /// How often the connection was asked for.
    statements: u32,
}

/// Whom the commit wakes.
#[derive(Debug)]
pub(crate) struct Woken {
    /// The first moment at which a job of each kind is due.
    pub(crate) timers: BTreeMap<&'static str, Timestamp>,
    pub(crate) resources: Vec<Uuid>,
    pub(crate) outbox: bool,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("call", &self.call.method())
            .finish_non_exhaustive()
    }
}

impl<'c> Tx<'c> {
    pub(crate) fn new(session: Session, call: &'c Call) -> Self {
        Self {
            session,
            call,
            now: call.now(),
            facts: Vec::new(),
            ending: Ending::default(),
            statements: 0,
        }
    }

    /// The connection, for the statements of a service's `store/`. When one fails the transaction has failed, and `work`
    /// has to say so: the commit would not.
    pub fn sql(&mut self) -> &mut PgConnection {
        self.statements += 1;
        self.session.sql()
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
    pub fn schedule(&mut self, kind: &'static str, key: Uuid, due: Timestamp) {
        self.ending.set(&Due::new(kind, key, due));
    }

    /// Does many things at their moments, each once, as [`schedule`](Self::schedule) does one.
    pub fn schedule_all(&mut self, due: &[Due]) {
        for due in due {
            self.ending.set(due);
        }
    }

    /// A job says of itself that it is done. What was scheduled since it was taken stays: the job may have read the state
    /// before that, and is run again.
    pub fn done(&mut self, kind: &'static str, key: Uuid) {
        self.ending.done(kind, key);
    }

    /// Takes many jobs back, as [`unschedule`](Self::unschedule) takes one.
    pub fn unschedule_all(&mut self, jobs: &[(&'static str, Uuid)]) {
        for (kind, key) in jobs {
            self.ending.unset(kind, *key);
        }
    }

    /// Takes a job back, whoever scheduled it and whenever: what this transaction holds says that there is nothing to do.
    pub fn unschedule(&mut self, kind: &'static str, key: Uuid) {
        self.ending.unset(kind, key);
    }

    /// Follows a state from what it demanded before to what it demands now. What both demand is left alone.
    pub fn rearm(&mut self, before: &[Due], after: &[Due]) {
        let (set, unset) = jobs::change(before, after);
        self.unschedule_all(&unset);
        self.schedule_all(&set);
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

    /// Tells the watchers of a resource something, with the commit; what one resource's watchers are told keeps its order.
    pub fn tell(&mut self, resource: Uuid, message: &impl Message) {
        self.ending.tell(resource, message.encode_to_vec());
    }

    /// Tells the watchers of many resources the same, as [`tell`](Self::tell) tells those of one.
    pub fn tell_all(&mut self, resources: BTreeSet<Uuid>, message: &impl Message) {
        let message = message.encode_to_vec();
        for resource in resources {
            self.ending.tell(resource, message.clone());
        }
    }

    /// Writes what was gathered, and commits.
    pub(crate) async fn commit(mut self) -> Result<Woken, Failure> {
        for fact in std::mem::take(&mut self.facts) {
            let published = Published {
                occurred: fact.occurred,
                aggregate: fact.event.aggregate_id.clone(),
                version: i64::try_from(fact.event.aggregate_version).unwrap_or(i64::MAX),
                event: self.stamped(fact.event).encode_to_vec(),
            };
            self.ending.outbox.push(published);
        }
        self.ending.write(self.session.sql(), self.now).await?;
        self.session.commit().await?;
        Ok(Woken {
            timers: self.ending.timers(),
            resources: self.ending.resources().collect(),
            outbox: !self.ending.outbox.is_empty(),
        })
    }

    /// Gives the connection back after the one statement of [`Store::read_one`](crate::Store::read_one).
    pub(crate) fn finish_one(self) {
        debug_assert!(self.statements <= 1, "{} statements of one", self.statements);
        self.session.release();
    }

    fn stamped(&self, event: Event) -> Event {
        let id: EventId = self.id();
        let (correlation_id, traceparent) = if event.correlation_id.is_empty() {
            (
                self.call.request_id().to_owned(),
                self.call.traceparent().to_owned(),
            )
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
    pub(crate) session: Session,
}

impl Folding {
    /// The connection, for the statements of a service's `store/`.
    pub fn sql(&mut self) -> &mut PgConnection {
        self.session.sql()
    }

    /// Sets the jobs that a folded state demands, and takes back those that the state before it demanded alone: what
    /// [`Tx::rearm`] does live.
    pub async fn rearm(&mut self, before: &[Due], after: &[Due]) -> Result<(), Failure> {
        let (set, unset) = jobs::change(before, after);
        jobs::unset(self.sql(), &unset).await?;
        jobs::set(self.sql(), &set).await
    }
}
