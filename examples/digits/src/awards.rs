//! The awards that the consumer asks for, as whoever disturbs them sees them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

/// How long an award is taken to last while none has been seen.
const FIRST_GUESS: Duration = Duration::from_millis(15);

/// The awards of a consumer.
#[derive(Debug, Default)]
pub(crate) struct Awards {
    sent: Notify,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    under_way: usize,
    /// How long the last undisturbed one took.
    usual: Option<Duration>,
    last_kill: Option<Instant>,
    slowest: Duration,
}

/// An award that waits for its answer.
#[derive(Debug)]
pub(crate) struct Award<'a> {
    awards: &'a Awards,
    since: Instant,
}

impl Awards {
    /// An award is about to be asked for.
    pub(crate) fn begin(&self) -> Award<'_> {
        self.seen().under_way += 1;
        self.sent.notify_waiters();
        Award {
            awards: self,
            since: Instant::now(),
        }
    }

    /// Waits for the next award, at most for a span. Answers how long one usually takes.
    pub(crate) async fn next(&self, most: Duration) -> Option<Duration> {
        timeout(most, self.sent.notified()).await.ok()?;
        Some(self.seen().usual.unwrap_or(FIRST_GUESS))
    }

    /// Whether an award waits for its answer.
    pub(crate) fn are_under_way(&self) -> bool {
        self.seen().under_way > 0
    }

    /// The exchange is killed now. Answers whether an award was under way.
    pub(crate) fn kill(&self) -> bool {
        let mut seen = self.seen();
        seen.last_kill = Some(Instant::now());
        seen.under_way > 0
    }

    /// The longest that an award waited for its answer after it was interrupted.
    pub(crate) fn slowest(&self) -> Duration {
        self.seen().slowest
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Award<'_> {
    /// It was answered.
    pub(crate) fn end(self) {
        let mut seen = self.awards.seen();
        match seen.last_kill.filter(|killed| *killed > self.since) {
            Some(killed) => seen.slowest = seen.slowest.max(killed.elapsed()),
            None => seen.usual = Some(self.since.elapsed()),
        }
    }
}

impl Drop for Award<'_> {
    fn drop(&mut self) {
        self.awards.seen().under_way -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_interrupted_award_is_measured_from_the_kill_and_says_nothing_of_the_usual() {
        let awards = Awards::default();
        assert_eq!(awards.next(Duration::ZERO).await, None);
        assert!(!awards.kill());
        let mut quick = awards.begin();
        quick.since += Duration::from_millis(1);
        quick.end();
        let usual = awards.seen().usual.unwrap();

        let mut slow = awards.begin();
        slow.since -= Duration::from_secs(9);
        assert!(awards.kill());
        let killed = Instant::now() - Duration::from_secs(7);
        awards.seen().last_kill = Some(killed);
        slow.end();
        assert!(awards.slowest() >= Duration::from_secs(7) && awards.slowest() < Duration::from_secs(9));

        let (known, award) = tokio::join!(awards.next(Duration::from_secs(1)), async { awards.begin() });
        assert_eq!(known, Some(usual));
        drop(award);
        assert!(!awards.kill());
    }
}
