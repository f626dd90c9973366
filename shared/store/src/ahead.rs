//! Work that is begun when its cause is heard, before its job is due.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use aex_kit::{Call, Runtime};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How long a job is left to what was begun ahead of it.
const HEAD_START: Duration = Duration::from_secs(2);
/// What is begun at once; the rest is left to the jobs.
const AT_ONCE: usize = 8;
/// The time of one attempt.
const ATTEMPT: Duration = Duration::from_secs(30);

/// Begins the work of one kind of job when its cause is heard, beside the transaction that sets the job: what the ledger
/// has told is true, whether or not that transaction commits. The job is for what a crash or a failure leaves, so the work
/// has to be one that may be done twice.
#[derive(Debug, Clone)]
pub struct Ahead {
    runtime: Runtime,
    service: &'static str,
    kind: &'static str,
    places: Arc<Semaphore>,
}

impl Ahead {
    /// Of one kind of job of a service.
    pub fn of(runtime: &Runtime, service: &'static str, kind: &'static str) -> Self {
        Self {
            runtime: runtime.clone(),
            service,
            kind,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Begins the work of the job with this key, if there is a place. Answers how long the job is to wait.
    pub fn begin<F, E>(&self, key: Uuid, work: impl FnOnce(Call) -> F) -> Duration
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Duration::ZERO;
        };
        let kind = self.kind;
        let work = work(Call::own(&self.runtime, self.service, kind, ATTEMPT));
        self.runtime.spawn_until_stop(async move {
            let _place = place;
            match tokio::time::timeout(ATTEMPT, work).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::info!(kind, %key, %error, "this is left to its job"),
                Err(_) => tracing::info!(kind, %key, "this takes too long and is left to its job"),
            }
        });
        HEAD_START
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_few_are_begun_at_once_and_the_others_are_left_to_their_jobs() {
        let ahead = Ahead::of(&Runtime::system(), "settlement", "test");
        let mut gates = Vec::new();
        let mut begin = || {
            let (open, gate) = oneshot::channel::<Infallible>();
            gates.push(open);
            ahead.begin(Uuid::nil(), async move |_| {
                gate.await.map(drop).or(Ok::<_, Infallible>(()))
            })
        };
        for _ in 0..AT_ONCE {
            assert_eq!(begin(), HEAD_START);
        }
        assert_eq!(begin(), Duration::ZERO);
        drop(gates);
        drop(ahead.places.acquire().await.unwrap());
        let failing = ahead.begin(Uuid::nil(), async |_| Err("it fails"));
        assert_eq!(failing, HEAD_START, "who is done gives its place back");
    }
}
