//! From a tonic method to a handler and back.

use std::{future::Future, pin::Pin, time::Duration};

use aex_error::{Denied, Explain, status};
use futures::StreamExt as _;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{Call, Signal, call::Admitted, guard::Refusal};

/// What a unary method of a generated server answers.
pub type Reply<T> = Result<Response<T>, Status>;

/// What a watch of a generated server answers.
pub type Stream<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

/// Hands an admitted call to its handler.
pub async fn unary<Q, A, E, F>(request: Request<Q>, handle: impl FnOnce(Call, Q) -> F) -> Reply<A>
where
    E: Explain,
    F: Future<Output = Result<A, E>>,
{
    let (call, request) = admitted(request)?;
    handle(call, request)
        .await
        .map(Response::new)
        .map_err(|error| status(&error))
}

fn admitted<Q>(mut request: Request<Q>) -> Result<(Call, Q), Status> {
    // Only a request that came around the guard has no admission; it is treated as one without a credential.
    let admitted = request.extensions_mut().remove::<Admitted>();
    let call = admitted
        .map(Call::new)
        .ok_or_else(|| status(&Denied::CredentialMissing))?;
    Ok((call, request.into_inner()))
}

/// One open watch: the kit asks it again and again for what is new.
pub trait Watcher: Send + 'static {
    /// One message of the stream.
    type Reply: Send + 'static;
    /// What ends the watch.
    type Error: Explain + Send;
    /// Whether something new may come without a wake-up. Then rounds that bring nothing follow each other ever more slowly,
    /// up to one second; else nothing is looked for before the next sign of life: a thousand watches that nobody wakes cost
    /// nothing.
    const POLLS: bool = false;

    /// What wakes the rounds; asked once, when the watch is open.
    fn signal(&self) -> Signal;

    /// What is new since the last round, oldest first; empty when nothing is.
    fn round(
        &mut self,
        call: &mut Call,
    ) -> impl Future<Output = Result<Vec<Self::Reply>, Self::Error>> + Send;

    /// Says that the stream lives, and where to resume.
    fn heartbeat(&self) -> Self::Reply;

    /// Is there nothing more to come?
    fn is_over(&self) -> bool {
        false
    }
}

/// How often an open watch that has nothing to tell says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The pause between rounds that bring nothing, from the first to the longest; the signal ends it.
const POLLED: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
const WOKEN: (Duration, Duration) = (HEARTBEAT, HEARTBEAT);
/// Messages that wait for a slow reader; after that the rounds wait.
const AHEAD: usize = 16;

/// Opens a watch: `open` reads the request, finds the resource and answers who watches it. What follows is the same for
/// every watch: rounds when the watcher is woken and with each sign of life, at most [`AHEAD`] messages
/// ahead of a slow reader, and an end when the reader goes or the process stops; then it is told to come again, for a
/// plain end says that nothing more is to come. The edge ends it with its credential.
pub async fn stream<Q, W, E, F>(
    request: Request<Q>,
    open: impl FnOnce(Call, Q) -> F,
) -> Reply<Stream<W::Reply>>
where
    W: Watcher,
    E: Explain,
    F: Future<Output = Result<(Call, W), E>>,
{
    let (call, request) = admitted(request)?;
    let (call, watcher) = open(call, request).await.map_err(|error| status(&error))?;
    Ok(Response::new(watched(call, watcher)))
}

fn watched<W: Watcher>(call: Call, watcher: W) -> Stream<W::Reply> {
    let (replies, receiver) = mpsc::channel(AHEAD);
    // The farewell has a place of its own: shutdown does not wait until a slow reader has room for it.
    let (farewell, last) = oneshot::channel();
    let (runtime, service) = (call.runtime().clone(), call.service());
    runtime.clone().spawn(async move {
        tokio::select! {
            biased;
            () = rounds(call, watcher, replies) => {}
            () = runtime.stopping() => {
                let _ = farewell.send(status(&Refusal::Unavailable(service.to_owned())));
            }
        }
    });
    let last = futures::stream::once(last).filter_map(async |told| told.ok().map(Err));
    Box::pin(ReceiverStream::new(receiver).chain(last))
}

async fn rounds<W: Watcher>(mut call: Call, mut watcher: W, replies: mpsc::Sender<Result<W::Reply, Status>>) {
    let mut signal = watcher.signal();
    let (shortest, longest) = if W::POLLS { POLLED } else { WOKEN };
    let mut pause = shortest;
    let mut quiet = Duration::ZERO;
    loop {
        call = call.renewed();
        let news = match watcher.round(&mut call).await {
            Ok(news) => news,
            Err(error) => {
                let _ = replies.send(Err(status(&error))).await;
                return;
            }
        };
        let is_quiet = news.is_empty();
        for reply in news {
            if replies.send(Ok(reply)).await.is_err() {
                return;
            }
        }
        if watcher.is_over() {
            return;
        }
        if !is_quiet {
            (pause, quiet) = (shortest, Duration::ZERO);
            continue;
        }
        let waits = Instant::now();
        tokio::select! {
            () = signal.wait_at_most(pause) => {}
            () = replies.closed() => return,
        }
        // The wait itself counts, not the pause: a signal may have ended it at once.
        quiet += waits.elapsed();
        pause = (pause * 2).min(longest);
        if quiet >= HEARTBEAT {
            quiet = Duration::ZERO;
            if replies.send(Ok(watcher.heartbeat())).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::Runtime;

    /// Counts its rounds and tells each, or tells nothing.
    struct Counting {
        signal: Signal,
        rounds: Arc<AtomicU32>,
        is_silent: bool,
        most: u32,
    }

    impl Counting {
        fn new(is_silent: bool, most: u32) -> Self {
            Self {
                signal: Signal::default(),
                rounds: Arc::default(),
                is_silent,
                most,
            }
        }

        fn count(&self) -> u32 {
            self.rounds.load(Ordering::SeqCst)
        }
    }

    impl Watcher for Counting {
        type Reply = u32;
        type Error = Denied;

        fn signal(&self) -> Signal {
            self.signal.clone()
        }

        async fn round(&mut self, _: &mut Call) -> Result<Vec<u32>, Denied> {
            self.rounds.fetch_add(1, Ordering::SeqCst);
            Ok(if self.is_silent {
                Vec::new()
            } else {
                vec![self.count()]
            })
        }

        fn heartbeat(&self) -> u32 {
            self.count()
        }

        fn is_over(&self) -> bool {
            self.count() == self.most
        }
    }

    fn call(runtime: &Runtime) -> Call {
        Call::own(runtime, "test", "watch", Duration::from_secs(5))
    }

    #[tokio::test]
    async fn signals_that_bring_nothing_are_not_answered_with_signs_of_life() {
        let runtime = Runtime::system();
        let (replies, mut receiver) = mpsc::channel(AHEAD);
        let watcher = Counting::new(true, 500);
        let waker = watcher.signal();
        runtime.spawn_until_stop(async move {
            loop {
                waker.wake();
                tokio::task::yield_now().await;
            }
        });
        let watch = runtime.spawn(rounds(call(&runtime), watcher, replies));
        assert_eq!(receiver.recv().await.map(Result::ok), None);
        watch.await.expect("the watch ends");
        assert!(runtime.shutdown(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_slow_reader_holds_the_rounds_back_and_shutdown_tells_it_to_come_again() {
        let runtime = Runtime::system();
        let watcher = Counting::new(false, u32::MAX);
        let begun = Arc::clone(&watcher.rounds);
        let mut stream = watched(call(&runtime), watcher);
        while begun.load(Ordering::SeqCst) <= u32::try_from(AHEAD).unwrap() {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let ahead = usize::try_from(begun.load(Ordering::SeqCst)).unwrap();
        assert_eq!(ahead, AHEAD + 1, "one round more than may wait");
        assert!(runtime.shutdown(Duration::from_secs(5)).await);
        for _ in 0..AHEAD {
            assert!(
                stream.next().await.unwrap().is_ok(),
                "what was told is still read"
            );
        }
        let farewell = stream.next().await.unwrap().unwrap_err();
        assert_eq!(farewell.code(), aex_error::Code::Unavailable);
        assert!(
            !farewell.details().is_empty(),
            "it says why, and when to come again"
        );
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_watch_that_has_told_everything_ends_plainly() {
        let runtime = Runtime::system();
        let stream = watched(call(&runtime), Counting::new(false, 3));
        let told: Vec<_> = stream.map(Result::ok).collect().await;
        assert_eq!(told, [Some(1), Some(2), Some(3)]);
        assert!(runtime.shutdown(Duration::from_secs(5)).await);
    }
}
