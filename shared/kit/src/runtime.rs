//! Time, randomness, tasks and shutdown: what a service gets from outside instead of reaching for it.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aex_types::{Id, Timestamp, id::Named};
use futures::FutureExt as _;
use rand::{SeedableRng as _, rngs::StdRng};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::Clock;

/// What a process hands to its services. Clones are the same runtime.
#[derive(Debug, Clone)]
pub struct Runtime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    rng: Mutex<StdRng>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Runtime {
    /// The runtime of a real process.
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is where randomness comes from")]
        let rng = StdRng::from_rng(&mut rand::rng());
        Self::new(Clock::system(), rng)
    }

    /// A runtime with a clock and a source of randomness of the caller's choice.
    pub fn new(clock: Clock, rng: StdRng) -> Self {
        Self(Arc::new(Inner {
            clock,
            rng: Mutex::new(rng),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
        }))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The clock itself.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// A new id.
    pub fn id<T: Named>(&self) -> Id<T> {
        let now = self.now();
        self.with_rng(|rng| Id::new(now, rng))
    }

    /// Randomness, cryptographically strong.
    pub fn with_rng<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a task that [`shutdown`](Self::shutdown) waits for.
    pub fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.tasks.spawn(task)
    }

    /// Runs a task that ends with the process: it is dropped where it waits when shutdown begins. The process cannot be
    /// without it, as without one of [`spawn_needed`](Self::spawn_needed).
    pub fn spawn_until_stop(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.0.stopping.clone();
        self.spawn_needed(async move {
            stopping.run_until_cancelled(task).await;
        });
    }

    /// Runs a task that the process cannot be without: when it panics, shutdown begins. A service that went on without its
    /// relay or its workers would look well and be none.
    pub fn spawn_needed(&self, task: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.clone();
        self.0.tasks.spawn(async move {
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!("a task has panicked that the process cannot be without; it ends");
                runtime.0.stopping.cancel();
            }
        });
    }

    /// Waits for a span of the clock's time.
    pub async fn sleep(&self, span: Duration) {
        self.0.clock.sleep_until(self.now().saturating_add(span)).await;
    }

    /// Waits for a span of real time, whatever the clock says: for back-off between attempts, which is not business.
    #[expect(clippy::disallowed_methods, reason = "this is where waiting comes from")]
    pub async fn pause(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Has shutdown begun?
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Waits until shutdown begins.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Begins shutdown and waits for the tasks, at most for the grace; `false` when some had to be left.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.0.stopping.cancel();
        self.0.tasks.close();
        tokio::time::timeout(grace, self.0.tasks.wait()).await.is_ok()
    }
}

/// Wakes whoever waits for something new of one kind. A wake-up between two waits is never lost.
#[derive(Debug, Clone)]
pub struct Signal {
    hand: Arc<watch::Sender<u64>>,
    seen: watch::Receiver<u64>,
}

impl Default for Signal {
    fn default() -> Self {
        let (hand, seen) = watch::channel(0);
        Self {
            hand: Arc::new(hand),
            seen,
        }
    }
}

impl Signal {
    /// Wakes every clone of the signal.
    pub fn wake(&self) {
        self.hand.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// How many clones of the signal there are, this one included.
    pub fn watchers(&self) -> usize {
        Arc::strong_count(&self.hand)
    }

    /// Has it been woken since the last wait? Then the next wait is none.
    pub fn is_woken(&self) -> bool {
        self.seen.has_changed().unwrap_or(false)
    }

    /// Waits for the next wake-up since the last wait.
    pub async fn wait(&mut self) {
        // The signal owns its sender, so the channel cannot close.
        let _ = self.seen.changed().await;
    }

    /// Waits for a wake-up, at most for a span.
    pub async fn wait_at_most(&mut self, span: Duration) {
        let _ = tokio::time::timeout(span, self.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_does_not_go_on_without_a_task_that_it_needs() {
        let runtime = Runtime::system();
        runtime.spawn_until_stop(async {});
        runtime.spawn_until_stop(async { panic!("as the test says") });
        runtime.stopping().await;
        assert!(runtime.shutdown(Duration::from_secs(5)).await);
    }
}
