//! Folds appends that arrive together into one transaction: while one batch is written, the next gathers. Nobody waits
//! for company, so a lone append is as fast as it can be, and under load one commit serves hundreds of callers.
//!
//! The task that writes begins with the first request of a quiet moment and ends with the last one, so a process that
//! stops waits for what was taken in, and for nothing else.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aex_kit::{Call, Signal};
use aex_store::{Failure, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    Error,
    domain::{event::NewEvent, placing::Refusal},
    recent::Recent,
    store::append::{self, Appended},
};

/// Requests of one transaction, their events and the bytes of those.
const REQUESTS: usize = 512;
const EVENTS: usize = 4_000;
const BYTES: usize = 8 << 20;
/// What may wait, in units of memory. A request takes at least one unit, so their number is bounded as well.
const UNIT: usize = 1024;
const WAITING_UNITS: usize = 64 * 1024;
/// The time of one transaction.
const COMMIT: Duration = Duration::from_secs(10);

/// Writes what is appended.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Inner>);

struct Inner {
    store: Store,
    service: &'static str,
    recent: Arc<Recent>,
    appended: Signal,
    room: Arc<Semaphore>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    is_written: bool,
}

/// One caller's events and the way back to the caller.
struct Request {
    events: Vec<NewEvent>,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<u64>, Error>>,
    #[expect(dead_code, reason = "held, not read: the room is given back with the answer")]
    room: OwnedSemaphorePermit,
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committer").finish_non_exhaustive()
    }
}

impl Committer {
    pub(crate) fn new(store: &Store, service: &'static str, recent: &Arc<Recent>, appended: &Signal) -> Self {
        Self(Arc::new(Inner {
            store: store.clone(),
            service,
            recent: Arc::clone(recent),
            appended: appended.clone(),
            room: Arc::new(Semaphore::new(WAITING_UNITS)),
            queue: Mutex::default(),
        }))
    }

    /// Appends events, all or none, and answers their places when they are durable.
    pub(crate) async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<u64>, Error> {
        let bytes: usize = events.iter().map(|event| event.bytes.len()).sum();
        let units = u32::try_from(bytes / UNIT + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.0.room)
            .try_acquire_many_owned(units)
            .map_err(|_| Failure::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.enqueue(Request {
            events,
            bytes,
            answer,
            room,
        });
        // The answer is dropped unsent only when the writing task ends against its will.
        answered.await.unwrap_or_else(|_| Err(Failure::Overloaded.into()))
    }

    fn enqueue(&self, request: Request) {
        let mut queue = self.queue();
        queue.waiting.push_back(request);
        if !std::mem::replace(&mut queue.is_written, true) {
            self.0.store.runtime().spawn(Turn::of(self.clone()).write());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write; there is one at a time.
struct Turn {
    committer: Committer,
    /// It saw the queue empty: whatever waits since then belongs to the next turn.
    is_over: bool,
}

impl Drop for Turn {
    /// What is left after a turn that ended against its will is refused, and the next request begins a new one.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut queue = self.committer.queue();
        queue.is_written = false;
        queue.waiting.clear();
    }
}

impl Turn {
    const fn of(committer: Committer) -> Self {
        Self {
            committer,
            is_over: false,
        }
    }

    async fn write(mut self) {
        while let Some(batch) = self.next() {
            self.commit(batch).await;
        }
    }

    /// What is written next; `None` ends the turn, in the same moment in which the queue is seen empty.
    fn next(&mut self) -> Option<Vec<Request>> {
        let mut queue = self.committer.queue();
        let (mut events, mut bytes) = (0, 0);
        let fits = queue.waiting.iter().take(REQUESTS).take_while(|request| {
            events += request.events.len();
            bytes += request.bytes;
            events <= EVENTS && bytes <= BYTES
        });
        let count = fits.count().max(1).min(queue.waiting.len());
        queue.is_written = count > 0;
        self.is_over = count == 0;
        (count > 0).then(|| queue.waiting.drain(..count).collect())
    }

    async fn commit(&self, batch: Vec<Request>) {
        match self.transact(&batch).await {
            // One request that the database cannot take must not take the others down with it.
            // Its cause is told with the request that it belongs to, when that has failed alone.
            Err(Failure::Database(_)) if batch.len() > 1 => {
                tracing::warn!(requests = batch.len(), "a shared commit failed; each goes alone");
                for request in batch {
                    let alone = self.transact(std::slice::from_ref(&request)).await;
                    answer(vec![request], alone);
                }
            }
            ended => answer(batch, ended),
        }
    }

    async fn transact(&self, batch: &[Request]) -> Result<Vec<Result<Vec<u64>, Refusal>>, Failure> {
        let inner = &self.committer.0;
        let requests: Vec<&[NewEvent]> = batch.iter().map(|request| request.events.as_slice()).collect();
        let mut call = Call::own(inner.store.runtime(), inner.service, "append", COMMIT);
        let requests = &requests;
        let Appended { answers, entries } = inner
            .store
            .work(&mut call, async move |tx| append::append(tx, requests).await)
            .await?;
        if !entries.is_empty() {
            inner.recent.extend(entries);
            inner.appended.wake();
        }
        Ok(answers)
    }
}

/// Tells each caller; one that has gone is not missed.
fn answer(batch: Vec<Request>, ended: Result<Vec<Result<Vec<u64>, Refusal>>, Failure>) {
    match ended {
        Ok(answers) => {
            for (request, answer) in batch.into_iter().zip(answers) {
                let _ = request.answer.send(answer.map_err(Error::from));
            }
        }
        Err(failure) => {
            let failure = Arc::new(failure);
            for request in batch {
                let _ = request.answer.send(Err(Arc::clone(&failure).into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aex_kit::Runtime;
    use aex_store::Connect;
    use sqlx::postgres::PgConnectOptions;

    use super::*;
    use crate::SCHEMA;

    fn committer() -> Committer {
        // Nobody connects: the turns of these tests write nothing.
        let nowhere = PgConnectOptions::new_without_pgpass();
        let connect = Connect {
            owner: nowhere.clone(),
            app: nowhere,
            max_connections: 1,
            acquire: Duration::from_secs(1),
            resumable: Duration::from_secs(1),
        };
        let store = Store::attach(&SCHEMA, &connect, &Runtime::system());
        Committer::new(
            &store,
            "event-ledger",
            &Arc::new(Recent::new(crate::Config::default().recent)),
            &Signal::default(),
        )
    }

    /// A request comes in, as when a turn was begun for it.
    fn ask(committer: &Committer) -> oneshot::Receiver<Result<Vec<u64>, Error>> {
        let (answer, answered) = oneshot::channel();
        let room = Arc::clone(&committer.0.room).try_acquire_owned().unwrap();
        let mut queue = committer.queue();
        queue.is_written = true;
        queue.waiting.push_back(Request {
            events: Vec::new(),
            bytes: 0,
            answer,
            room,
        });
        answered
    }

    #[tokio::test]
    async fn a_request_that_comes_when_a_turn_is_over_is_the_next_ones() {
        let committer = committer();
        let mut turn = Turn::of(committer.clone());
        assert!(turn.next().is_none());
        let mut answered = ask(&committer);
        drop(turn);
        assert_eq!(
            answered.try_recv().unwrap_err(),
            oneshot::error::TryRecvError::Empty,
            "it waits"
        );
        let queue = committer.queue();
        assert!(queue.is_written && queue.waiting.len() == 1);
    }

    #[tokio::test]
    async fn a_turn_that_ends_against_its_will_refuses_what_waits_and_leaves_the_way_free() {
        let committer = committer();
        let mut answered = ask(&committer);
        drop(Turn::of(committer.clone()));
        assert_eq!(
            answered.try_recv().unwrap_err(),
            oneshot::error::TryRecvError::Closed
        );
        assert!(!committer.queue().is_written);
    }
}
