//! The store of a service, and its ways to open a transaction.

use std::{fmt, sync::Arc, time::Duration};

use aex_error::{Code, Explain};
use aex_kit::{Call, Runtime, Signal};
use aex_proto::{Keyed, Secrets};
use prost::Message;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    Connect, Failure, Folding, Schema, Tx,
    claim::Claim,
    session::{Session, Sessions},
    sql,
    timer::Wakers,
    watch::Watches,
};

/// Attempts of one transaction that collides with others.
const ATTEMPTS: u32 = 8;
/// The pause before the second attempt; it doubles, with jitter.
const BACK_OFF: Duration = Duration::from_millis(2);
/// Transactions that may wait for a connection, for each one there is.
const WAITING_PER_CONNECTION: u32 = 64;

/// The tables of one service. Clones are the same store.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    sessions: Sessions,
    pub(crate) schema: &'static Schema,
    pub(crate) runtime: Runtime,
    /// At most as many calls as there are connections ask for one, so that only what the store does by itself waits before
    /// them.
    admission: Semaphore,
    waiting: Semaphore,
    acquire: Duration,
    /// How long watchers can resume.
    pub(crate) resumable: Duration,
    pub(crate) outbox: Signal,
    pub(crate) timers: Wakers,
    pub(crate) watches: Watches,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("schema", &self.0.schema.name)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(crate) fn new(
        sessions: Sessions,
        schema: &'static Schema,
        connect: &Connect,
        runtime: Runtime,
    ) -> Self {
        let connections = connect.max_connections;
        Self {
            sessions,
            schema,
            runtime,
            admission: Semaphore::new(connections as usize),
            waiting: Semaphore::new((connections * WAITING_PER_CONNECTION) as usize),
            acquire: connect.acquire,
            resumable: connect.resumable,
            outbox: Signal::default(),
            timers: Wakers::default(),
            watches: Watches::default(),
        }
    }
}

impl Store {
    /// Runs a request's effect once: claims its key, runs `work`, publishes its facts, keeps its reply, commits. Asked
    /// again with the same key it answers the first reply; a refusal is not kept and is judged anew. Runs `work` again
    /// when the transaction collides with others.
    ///
    /// A call to a peer inside `work` does not compile, because the transaction has the call:
    /// ```compile_fail
    /// # async fn example(store: aex_store::Store, link: aex_kit::Link, mut call: aex_kit::Call,
    /// #     request: aex_proto::aex::identity::v1::SuspendTenantRequest) {
    /// use aex_proto::aex::identity::v1::SuspendTenantResponse;
    /// let reply: Result<SuspendTenantResponse, aex_store::Failure> = store
    ///     .transact(&mut call, &request, async |_tx| {
    ///         let _peer = link.on(&call);
    ///         Ok(SuspendTenantResponse::default())
    ///     })
    ///     .await;
    /// # }
    /// ```
    pub async fn transact<Q, A, E>(
        &self,
        call: &mut Call,
        request: &Q,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, E> + Clone,
    ) -> Result<A, E>
    where
        Q: Message + Keyed,
        A: Message + Default + Clone + Secrets,
        E: From<Failure> + Explain,
    {
        let claim = Claim::of(call, request);
        self.work(call, async move |tx| {
            if let Some(reply) = claim.take(tx).await? {
                return Ok(reply);
            }
            let reply = work(tx).await?;
            claim.keep(tx, &reply);
            Ok(reply)
        })
        .await
    }

    /// Runs `work` in a transaction and publishes its facts; for workers, whose effects are guarded by state and not by
    /// a key. Runs it again when the transaction collides with others.
    pub async fn work<A, E>(
        &self,
        call: &mut Call,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, E> + Clone,
    ) -> Result<A, E>
    where
        E: From<Failure> + Explain,
    {
        let mut attempt = 1;
        loop {
            let ended = self.attempt(call, work.clone()).await;
            let Err(error) = ended else { return ended };
            let collided = error.explain().code() == Code::Aborted;
            let pause = BACK_OFF * 2_u32.pow(attempt - 1);
            if !collided || attempt == ATTEMPTS || call.time_left() <= pause {
                return Err(error);
            }
            let jitter = self
                .0
                .runtime
                .with_rng(|rng| rand::RngExt::random_range(rng, 0.5..1.5));
            self.0.runtime.pause(pause.mul_f64(jitter)).await;
            attempt += 1;
        }
    }

    async fn attempt<A, E>(
        &self,
        call: &Call,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, E>,
    ) -> Result<A, E>
    where
        E: From<Failure>,
    {
        let _admitted = self.admitted(call).await?;
        let mut tx = self.begin(call, "").await?;
        let answer = work(&mut tx).await?;
        let woken = tx.commit().await?;
        self.wake(&woken);
        Ok(answer)
    }

    /// Reads in one transaction, which sees one state and cannot write.
    pub async fn read<A, E>(
        &self,
        call: &mut Call,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, E>,
    ) -> Result<A, E>
    where
        E: From<Failure>,
    {
        let _admitted = self.admitted(call).await?;
        let mut tx = self
            .begin(
                call,
                " ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL plan_cache_mode = auto",
            )
            .await?;
        // There is nothing to commit: the transaction is ended by a task, and nobody waits for it.
        work(&mut tx).await
    }

    /// Reads by one statement, which sees one state by itself: a transaction around it would be two more ways to the
    /// database.
    pub async fn read_one<A, E>(
        &self,
        call: &mut Call,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<A, E>,
    ) -> Result<A, E>
    where
        E: From<Failure>,
    {
        let _admitted = self.admitted(call).await?;
        if call.time_left().is_zero() {
            return Err(Failure::Deadline.into());
        }
        let mut tx = Tx::new(self.session().await?, call);
        let answer = work(&mut tx).await?;
        tx.finish_one();
        Ok(answer)
    }

    /// The first reply to a request that took effect before; asked before peers are.
    pub async fn replay<Q, A>(&self, call: &mut Call, request: &Q) -> Result<Option<A>, Failure>
    where
        Q: Message + Keyed,
        A: Message + Default,
    {
        let claim = Claim::of(call, request);
        self.read_one(call, async move |tx| claim.reply(tx.sql()).await)
            .await
    }

    /// Rebuilds tables from events.
    pub async fn fold<E: From<Failure>>(
        &self,
        work: impl AsyncFnOnce(&mut Folding) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = "BEGIN; SET LOCAL statement_timeout = 0".to_owned();
        let session = self.0.sessions.begin(begin).await?;
        let mut folding = Folding { session };
        work(&mut folding).await?;
        Ok(folding.session.commit().await?)
    }

    /// Can the database be reached?
    pub async fn is_ready(&self) -> bool {
        let asked = async {
            let mut session = self.session().await?;
            sqlx::query(sql!("SELECT 1")).execute(session.sql()).await?;
            session.release();
            Ok::<_, Failure>(())
        };
        matches!(
            tokio::time::timeout(Duration::from_secs(1), asked).await,
            Ok(Ok(()))
        )
    }

    /// The schema's statement of itself.
    pub fn schema(&self) -> &'static Schema {
        self.0.schema
    }

    /// The runtime.
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// A place among the transactions that may use a connection. Few wait; the rest is refused at once.
    async fn admitted(&self, call: &Call) -> Result<SemaphorePermit<'_>, Failure> {
        let _waiting = self.0.waiting.try_acquire().map_err(|_| Failure::Overloaded)?;
        let patience = self.0.acquire.min(call.time_left());
        match tokio::time::timeout(patience, self.0.admission.acquire()).await {
            Ok(admitted) => admitted.map_err(|_| Failure::Overloaded),
            Err(_) => Err(Failure::Overloaded),
        }
    }

    /// Begins, and gives the database the call's time, in one round trip.
    async fn begin<'c>(&self, call: &'c Call, mode: &str) -> Result<Tx<'c>, Failure> {
        let left = call.time_left().as_millis();
        if left == 0 {
            return Err(Failure::Deadline);
        }
        let begin = format!("BEGIN{mode}; SET LOCAL statement_timeout = {}", left.min(600_000));
        let session = self.0.sessions.begin(begin).await?;
        Ok(Tx::new(session, call))
    }

    /// A connection for a statement of the store's own, which commits by itself.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        self.0.sessions.take().await
    }

    /// The same for one whose best plan depends on its values.
    pub(crate) async fn planned(&self) -> Result<Session, Failure> {
        let begin = "BEGIN READ ONLY; SET LOCAL plan_cache_mode = auto".to_owned();
        self.0.sessions.begin(begin).await
    }

    pub(crate) fn wake(&self, woken: &crate::tx::Woken) {
        if woken.outbox {
            self.0.outbox.wake();
        }
        for (kind, due) in &woken.timers {
            self.0.timers.of(kind).wake_for(*due);
        }
        for resource in &woken.resources {
            self.0.watches.wake(*resource);
        }
    }
}
