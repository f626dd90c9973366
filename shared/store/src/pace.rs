//! Lets what comes in quick succession go together.

use std::time::Duration;

use aex_kit::Runtime;
use tokio::time::Instant;

/// How long a round takes in the mean while there is always something to do.
const ROUND: Duration = Duration::from_millis(40);
/// Rounds that go without a wait after a quiet moment: what comes then goes at once, and what follows from it, too.
const AT_ONCE: u32 = 3;

/// The pace of rounds that take up what has come. Each moves the pace on; one that is ahead of it by more than a few
/// rounds waits, and finds more to take up.
#[derive(Debug)]
pub(crate) struct Pace {
    until: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            until: Instant::now(),
        }
    }

    /// Waits for the next round to begin.
    pub(crate) async fn next(&mut self, runtime: &Runtime) {
        let wait = self.ahead(Instant::now());
        if !wait.is_zero() {
            runtime.pause(wait).await;
        }
        self.begin(Instant::now());
    }

    fn begin(&mut self, now: Instant) {
        self.until = self.until.max(now) + ROUND;
    }

    /// How long a round that wants to begin has to wait.
    fn ahead(&self, now: Instant) -> Duration {
        self.until
            .saturating_duration_since(now)
            .saturating_sub(ROUND * (AT_ONCE - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_few_rounds_go_at_once_and_those_that_follow_keep_the_pace() {
        let now = Instant::now();
        let mut pace = Pace { until: now };
        for _ in 0..AT_ONCE {
            assert_eq!(pace.ahead(now), Duration::ZERO);
            pace.begin(now);
        }
        assert_eq!(pace.ahead(now), ROUND);
        pace.begin(now + ROUND);
        assert_eq!(pace.ahead(now + ROUND), ROUND);
        assert_eq!(pace.ahead(now + 2 * ROUND), Duration::ZERO);
    }

    #[tokio::test]
    async fn after_a_quiet_moment_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace { until: now };
        for _ in 0..10 {
            pace.begin(now);
        }
        let later = now + 10 * ROUND;
        for _ in 0..AT_ONCE {
            assert_eq!(pace.ahead(later), Duration::ZERO);
            pace.begin(later);
        }
        assert_eq!(pace.ahead(later), ROUND);
    }
}
