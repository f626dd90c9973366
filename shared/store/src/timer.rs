//! Timers: what is to be done, and when, as rows. A job is leased to one replica at a time; a replica that dies leaves
//! it to another.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use aex_error::{Explain, chain};
use aex_kit::{Call, Signal};
use aex_types::Timestamp;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{Failure, Store, outbox::new_holder, sql};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// How long a job stays with a replica that has died. One that lives renews the lease in time.
const LEASE: Duration = Duration::from_secs(2);
/// How often the lease of a job under way is renewed.
const RENEWAL: Duration = Duration::from_millis(500);
/// Jobs of one kind under way at once.
const AT_ONCE: usize = 8;
/// The pause after a failed attempt; it doubles up to the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// The pause before a job is looked at again that is due and held by a transaction.
const HELD: Duration = Duration::from_millis(10);
/// The longest that a worker sleeps, so that it notices what other replicas scheduled.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// One kind of job.
pub trait Job: Send + Sync + 'static {
    /// The kind, as in [`Tx::schedule`](crate::Tx::schedule).
    const KIND: &'static str;
    /// Why an attempt failed; it is tried again.
    type Error: Explain + Send;

    /// Does it. In the transaction of its effect it says that it is [`done`](crate::Tx::done); a job that is still
    /// scheduled afterwards, or was scheduled anew meanwhile, is run again.
    fn run(&self, call: Call, key: Uuid) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Wakes the workers of each kind.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Mutex<HashMap<&'static str, Waker>>);

/// Wakes the worker of one kind, unless it looks early enough by itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waker {
    signal: Signal,
    /// When the worker looks next, in microseconds since the epoch; [`AWAKE`] while it looks. A job that was written
    /// before the worker looked is found; one that is written later meets what the worker planned after its look.
    planned: Arc<AtomicI64>,
}

/// Every wake-up counts.
const AWAKE: i64 = i64::MAX;

impl Waker {
    /// A job is due at a moment.
    pub(crate) fn wake_for(&self, due: Timestamp) {
        if due.unix_micros() < self.planned.load(Ordering::SeqCst) {
            self.signal.wake();
        }
    }

    fn wake(&self) {
        self.signal.wake();
    }

    /// The worker looks: whatever is scheduled from now on wakes it.
    fn looks(&self) {
        self.planned.store(AWAKE, Ordering::SeqCst);
    }

    /// The worker has looked, and sleeps until a moment.
    fn sleeps_until(&self, moment: Timestamp) {
        self.planned.store(moment.unix_micros(), Ordering::SeqCst);
    }
}

impl Wakers {
    pub(crate) fn of(&self, kind: &'static str) -> Waker {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(kind)
            .or_default()
            .clone()
    }
}

/// What one attempt has taken: the job's key, the lease, which attempt it is.
type Taken = (Uuid, Uuid, i32);

/// Runs the jobs of one kind as they fall due.
#[derive(Debug)]
pub struct Timers<J> {
    store: Store,
    service: &'static str,
    job: Arc<J>,
    under_way: Mutex<HashSet<Uuid>>,
}

impl<J: Job> Timers<J> {
    /// A worker for one kind of job; [`start`](Self::start) starts it.
    pub fn new(store: &Store, service: &'static str, job: Arc<J>) -> Self {
        Self {
            store: store.clone(),
            service,
            job,
            under_way: Mutex::default(),
        }
    }

    /// Runs until the process stops.
    pub fn start(self) {
        let runtime = self.store.runtime().clone();
        runtime.spawn_until_stop(async move { Arc::new(self).run().await });
    }

    async fn run(self: Arc<Self>) {
        let waker = self.store.0.timers.of(J::KIND);
        let mut signal = waker.signal.clone();
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            waker.looks();
            match self.round(&places).await {
                Ok(next) => {
                    let runtime = self.store.runtime();
                    let longest = runtime.pause(LONGEST_SLEEP);
                    let now = runtime.now();
                    let next = next.unwrap_or_else(|| far(now));
                    if next <= now {
                        // Another transaction has its row, and ends soon.
                        runtime.pause(HELD).await;
                        continue;
                    }
                    waker.sleeps_until(next);
                    let due = runtime.clock().sleep_until(next);
                    tokio::select! {
                        () = signal.wait() => {}
                        () = longest => {}
                        () = due => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(kind = J::KIND, error = %chain(&error), "cannot read timers");
                    self.store.runtime().pause(BACK_OFF.0).await;
                }
            }
        }
    }

    /// Starts what is due, as far as there are places; answers when the next job will be.
    async fn round(self: &Arc<Self>, places: &Arc<Semaphore>) -> Result<Option<Timestamp>, Failure> {
        loop {
            let free = places.available_permits();
            if free == 0 {
                // A job that ends wakes the worker.
                return Ok(None);
            }
            let due = self.due(free).await?;
            if due.is_empty() {
                return self.next().await;
            }
            for (key, lease, attempts) in due {
                let Ok(place) = Arc::clone(places).acquire_owned().await else {
                    return Ok(None);
                };
                lock(&self.under_way).insert(key);
                let worker = Arc::clone(self);
                self.store.runtime().spawn(async move {
                    let under_way = UnderWay(&worker.under_way, key);
                    worker.attempt((key, lease, attempts)).await;
                    drop((under_way, place));
                    worker.store.0.timers.of(J::KIND).wake();
                });
            }
        }
    }

    async fn attempt(&self, (key, lease, attempts): Taken) {
        let pause = match self.run_leased(key, lease).await {
            // Done jobs are gone; one that asked to be run later is not due; one that is neither waits a little.
            Ok(()) => BACK_OFF.0,
            Err(error) => {
                tracing::warn!(kind = J::KIND, %key, attempts, error, "a job failed and is tried again");
                let doubled = BACK_OFF.0 * 2_u32.saturating_pow(attempts.clamp(0, 16).unsigned_abs());
                doubled.min(BACK_OFF.1)
            }
        };
        if let Err(error) = self.give_back(key, lease, pause).await {
            tracing::warn!(kind = J::KIND, %key, error = %chain(&error), "a job waits for its lease to end");
        }
    }

    /// Runs a job and keeps its lease meanwhile, so that others wait while this replica lives and no longer. Neither waits
    /// for the other: a renewal needs a connection, and the jobs may have all of them.
    async fn run_leased(&self, key: Uuid, lease: Uuid) -> Result<(), String> {
        let call = Call::own(self.store.runtime(), self.service, J::KIND, ATTEMPT);
        tokio::select! {
            ended = tokio::time::timeout(ATTEMPT, self.job.run(call, key)) => match ended {
                Ok(ended) => ended.map_err(|error| chain(&error)),
                Err(_) => Err("it did not end in time".to_owned()),
            },
            never = self.keep(key, lease) => match never {},
        }
    }

    async fn keep(&self, key: Uuid, lease: Uuid) -> Infallible {
        loop {
            self.store.runtime().pause(RENEWAL).await;
            if let Err(error) = self.renew(key, lease).await {
                tracing::debug!(kind = J::KIND, %key, %error, "a lease cannot be renewed");
            }
        }
    }

    /// A lease that ended and was taken by another is the other's.
    async fn renew(&self, key: Uuid, lease: Uuid) -> Result<(), Failure> {
        let until = self.store.runtime().now().saturating_add(LEASE);
        let mut session = self.store.session().await?;
        sqlx::query(sql!(
            "UPDATE timer SET leased_until = $4 WHERE kind = $1 AND key = $2 AND lease = $3"
        ))
        .bind(J::KIND)
        .bind(key)
        .bind(lease)
        .bind(chrono::DateTime::from(until))
        .execute(session.sql())
        .await?;
        session.release();
        Ok(())
    }

    /// Takes what is due: what nobody has taken, and what was left by others whose lease ended. What is
    /// under way here is not taken beside itself, whether it was scheduled anew or its renewal is late.
    ///
    /// That a job is to be run again is kept until an attempt gives it back: one whose lease ended may still say that it
    /// is done.
    async fn due(&self, most: usize) -> Result<Vec<Taken>, Failure> {
        let now = self.store.runtime().now();
        let mut session = self.store.session().await?;
        let due = sqlx::query_as(sql!(
            "UPDATE timer SET lease = $6, leased_until = $3, attempts = attempts + 1
             WHERE kind = $1 AND key IN (
                 SELECT key FROM timer
                 WHERE kind = $1 AND due_time <= $2
                     AND (leased_until IS NULL OR leased_until <= $2) AND key <> ALL($5)
                 ORDER BY due_time LIMIT $4 FOR UPDATE SKIP LOCKED)
             RETURNING key, lease, attempts"
        ))
        .bind(J::KIND)
        .bind(chrono::DateTime::from(now))
        .bind(chrono::DateTime::from(now.saturating_add(LEASE)))
        .bind(i64::try_from(most).unwrap_or(1))
        .bind(self.taken())
        .bind(new_holder(&self.store))
        .fetch_all(session.sql())
        .await?;
        session.release();
        Ok(due)
    }

    /// When the next job is due, or a lease ends. Jobs that are not due yet may be as many as there are contracts: the
    /// first of them is read from the index, and only what is due can be leased. What is under way here wakes the worker
    /// when it ends.
    async fn next(&self) -> Result<Option<Timestamp>, Failure> {
        let mut session = self.store.session().await?;
        let next: Option<chrono::DateTime<chrono::Utc>> = sqlx::query_scalar(sql!(
            "SELECT LEAST(
                 (SELECT MIN(due_time) FROM timer WHERE kind = $1 AND leased_until IS NULL AND key <> ALL($3)),
                 (SELECT MIN(GREATEST(due_time, leased_until)) FROM timer
                  WHERE kind = $1 AND due_time <= $2 AND leased_until IS NOT NULL AND key <> ALL($3)))"
        ))
        .bind(J::KIND)
        .bind(chrono::DateTime::from(self.store.runtime().now()))
        .bind(self.taken())
        .fetch_one(session.sql())
        .await?;
        session.release();
        Ok(next.map(Timestamp::from))
    }

    fn taken(&self) -> Vec<Uuid> {
        lock(&self.under_way).iter().copied().collect()
    }

    /// What was scheduled anew during the attempt does not wait.
    async fn give_back(&self, key: Uuid, lease: Uuid, pause: Duration) -> Result<(), Failure> {
        let later = self.store.runtime().now().saturating_add(pause);
        let mut session = self.store.session().await?;
        sqlx::query(sql!(
            "UPDATE timer SET lease = NULL, again = false,
                 leased_until = CASE WHEN again OR due_time > $4 THEN NULL ELSE $4 END
             WHERE kind = $1 AND key = $2 AND lease = $3"
        ))
        .bind(J::KIND)
        .bind(key)
        .bind(lease)
        .bind(chrono::DateTime::from(later))
        .execute(session.sql())
        .await?;
        session.release();
        Ok(())
    }
}

/// A job that is under way here for as long as the value lives, also when it panics.
struct UnderWay<'t>(&'t Mutex<HashSet<Uuid>>, Uuid);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        lock(self.0).remove(&self.1);
    }
}

fn lock(keys: &Mutex<HashSet<Uuid>>) -> MutexGuard<'_, HashSet<Uuid>> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

fn far(now: Timestamp) -> Timestamp {
    now.saturating_add(Duration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_wakes_a_worker_that_would_look_too_late_and_no_other() {
        let at = |seconds| Timestamp::EPOCH.saturating_add(Duration::from_secs(seconds));
        let waker = Waker::default();
        let mut signal = waker.signal.clone();
        waker.looks();
        waker.wake_for(at(100));
        assert!(
            signal.is_woken(),
            "what is scheduled while it looks may have been missed"
        );
        signal.wait().await;
        waker.sleeps_until(at(50));
        waker.wake_for(at(50));
        waker.wake_for(at(60));
        assert!(!signal.is_woken(), "it looks early enough by itself");
        waker.wake_for(at(49));
        assert!(signal.is_woken());
    }
}
