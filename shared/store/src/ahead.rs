//! Work that is begun when its cause is heard, before its job is due.

use std::{
    collections::HashSet,
    fmt::Display,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aex_kit::{Call, Runtime};
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
    under_way: UnderWay,
}

/// The keys of what is under way.
#[derive(Debug, Clone, Default)]
struct UnderWay(Arc<Mutex<HashSet<Uuid>>>);

impl UnderWay {
    fn keys(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is under way, for as long as this is there.
struct Place(UnderWay, Uuid);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.keys().remove(&self.1);
    }
}

impl Ahead {
    /// Of one kind of job of a service.
    pub fn of(runtime: &Runtime, service: &'static str, kind: &'static str) -> Self {
        Self {
            runtime: runtime.clone(),
            service,
            kind,
            under_way: UnderWay::default(),
        }
    }

    /// Begins the work of the job with this key, if there is a place and it is not under way: the transaction that sets the
    /// job may run again. Answers how long the job is to wait.
    pub fn begin<F, E>(&self, key: Uuid, work: impl FnOnce(Call) -> F) -> Duration
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        {
            let mut keys = self.under_way.keys();
            if keys.contains(&key) {
                return HEAD_START;
            }
            if keys.len() == AT_ONCE {
                return Duration::ZERO;
            }
            keys.insert(key);
        }
        let place = Place(self.under_way.clone(), key);
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

    use tokio::sync::oneshot::{self, Sender};

    use super::*;

    /// Begins one that lasts until its gate is dropped, with the end of its work told by the other channel.
    fn begin(ahead: &Ahead, key: u128) -> (Duration, Sender<()>, oneshot::Receiver<()>) {
        let (gate, opened) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let head_start = ahead.begin(Uuid::from_u128(key), async move |_| {
            let _end: Sender<()> = end;
            let _ = opened.await;
            Err::<Infallible, _>("it fails").map(drop)
        });
        (head_start, gate, ended)
    }

    #[tokio::test]
    async fn a_few_are_begun_once_each_and_the_others_are_left_to_their_jobs() {
        let ahead = Ahead::of(&Runtime::system(), "settlement", "test");
        let mut begun: Vec<_> = (0..AT_ONCE as u128).map(|key| begin(&ahead, key)).collect();
        assert!(begun.iter().all(|(head_start, ..)| *head_start == HEAD_START));
        let (head_start, _, ended) = begin(&ahead, 0);
        assert_eq!(head_start, HEAD_START, "it is under way");
        assert!(ended.await.is_err(), "and is not begun again");
        assert_eq!(begin(&ahead, 100).0, Duration::ZERO);
        drop(begun.remove(0).1);
        while ahead.under_way.keys().len() == AT_ONCE {
            tokio::task::yield_now().await;
        }
        assert_eq!(
            begin(&ahead, 100).0,
            HEAD_START,
            "who has failed gives its place back"
        );
    }
}
