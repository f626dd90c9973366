//! Calls at a fixed rate, whether the answers come or not: a server that stalls is asked on, up to what one tenant may have
//! under way, and every call that it makes wait is counted from the moment at which it was due.

use std::{
    num::NonZeroU64,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use hdrhistogram::Histogram;
use rustix::thread::{current_timer_slack, set_current_timer_slack};
use tokio::{runtime::Handle, task::JoinSet, time::Instant};

use crate::{problem::Problem, report::nanos};

/// What can be asked again and again.
pub(crate) type Question = Arc<dyn Fn() -> BoxFuture<'static, Result<(), Problem>> + Send + Sync>;

/// Callers that find out how much a server can do.
const CROWD: u64 = 32;
/// How exactly a sleeper is woken, in nanoseconds. Waiting awake would be more exact still, and would take from the servers
/// the half of a machine as small as two cores.
const SLACK: Option<NonZeroU64> = NonZeroU64::new(1);
/// Calls under way at once: a tenant has a quarter of the 512 that a service carries, and more are refused.
const OPEN: u64 = 100;
/// How often the end of one is looked for while there are as many.
const LOOK: Duration = Duration::from_micros(20);

/// What calls at a fixed rate took, in nanoseconds.
#[derive(Debug)]
pub(crate) struct Paced {
    /// From the moment at which each was due.
    pub(crate) due: Histogram<u64>,
    /// From the moment at which each was made: without the delay of the one who asks.
    pub(crate) made: Histogram<u64>,
}

/// How many answers a second a crowd of callers gets that asks again at once.
pub(crate) async fn most(question: &Question, span: Duration) -> Result<f64, Problem> {
    let (done, end) = (Arc::new(AtomicU64::new(0)), Instant::now() + span);
    let begun = Instant::now();
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (question, done) = (Arc::clone(question), Arc::clone(&done));
        crowd.spawn(async move {
            while Instant::now() < end {
                question().await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Problem>(())
        });
    }
    while let Some(caller) = crowd.join_next().await {
        caller??;
    }
    let done = u32::try_from(done.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}

/// Asks so often a second for so long.
pub(crate) async fn paced(question: &Question, rate: f64, span: Duration) -> Result<Paced, Problem> {
    let mut noted = Arc::new(Noted {
        times: Mutex::new(Paced {
            due: histogram()?,
            made: histogram()?,
        }),
        failed: OnceLock::new(),
        open: AtomicU64::new(0),
    });
    let (question, taken, handle) = (Arc::clone(question), Arc::clone(&noted), Handle::current());
    // A thread of its own keeps the time: the timers of the runtime count milliseconds.
    tokio::task::spawn_blocking(move || {
        let _entered = handle.enter();
        let usual = current_timer_slack()?;
        set_current_timer_slack(SLACK)?;
        keep_pace(&question, rate, span, &taken, &handle);
        set_current_timer_slack(NonZeroU64::new(usual))
    })
    .await??;
    // Each call that is still under way holds it.
    let noted = loop {
        match Arc::try_unwrap(noted) {
            Ok(noted) => break noted,
            Err(held) => noted = held,
        }
        tokio::task::yield_now().await;
    };
    if let Some(problem) = noted.failed.into_inner() {
        return Err(problem);
    }
    Ok(noted.times.into_inner().unwrap_or_else(PoisonError::into_inner))
}

struct Noted {
    times: Mutex<Paced>,
    failed: OnceLock<Problem>,
    open: AtomicU64,
}

fn keep_pace(question: &Question, rate: f64, span: Duration, noted: &Arc<Noted>, handle: &Handle) {
    let begun = Instant::now();
    let mut number = 0_u32;
    loop {
        let due = begun + Duration::from_secs_f64(f64::from(number) / rate);
        if due > begun + span {
            return;
        }
        wait_for(due);
        while noted.open.load(Ordering::Acquire) >= OPEN {
            wait_for(Instant::now() + LOOK);
        }
        noted.open.fetch_add(1, Ordering::AcqRel);
        let (question, noted) = (Arc::clone(question), Arc::clone(noted));
        handle.spawn(async move {
            let made = Instant::now();
            let asked = question().await;
            let ended = Instant::now();
            if let Err(problem) = asked {
                let _ = noted.failed.set(problem);
            }
            let mut times = noted.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.due.saturating_record(nanos(ended - due));
            times.made.saturating_record(nanos(ended - made));
            drop(times);
            noted.open.fetch_sub(1, Ordering::AcqRel);
        });
        number += 1;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no task runs on this thread, and a clock of milliseconds is too coarse"
)]
fn wait_for(moment: Instant) {
    let left = moment.saturating_duration_since(Instant::now());
    if !left.is_zero() {
        std::thread::sleep(left);
    }
}

fn histogram() -> Result<Histogram<u64>, Problem> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}
