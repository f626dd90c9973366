//! The time, handed over: the system's, or one that a test advances.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use aex_types::Timestamp;
use tokio::sync::watch;

/// Tells the time. It never goes back within a process.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    System { last: Arc<AtomicI64> },
    Manual(watch::Receiver<Timestamp>),
}

/// The hand that moves a manual clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Timestamp>>);

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self(Kind::System {
            last: Arc::new(AtomicI64::new(i64::MIN)),
        })
    }

    /// A time that stands still until it is advanced.
    pub fn manual(start: Timestamp) -> (Self, ManualClock) {
        let (hand, time) = watch::channel(start);
        (Self(Kind::Manual(time)), ManualClock(Arc::new(hand)))
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System { last } => {
                #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
                let read = Timestamp::from(chrono::Utc::now()).unix_micros();
                // The system's clock may be set back; ours stands still until it has caught up.
                let latest = last.fetch_max(read, Ordering::Relaxed).max(read);
                Timestamp::from_unix_micros(latest).unwrap_or(Timestamp::EPOCH)
            }
            Kind::Manual(time) => *time.borrow(),
        }
    }

    /// Waits until a moment has come.
    pub async fn sleep_until(&self, moment: Timestamp) {
        match &self.0 {
            Kind::System { .. } => loop {
                let left = moment.since(self.now());
                if left.is_zero() {
                    return;
                }
                #[expect(clippy::disallowed_methods, reason = "this is where waiting comes from")]
                // In steps, so that a clock that is set forward is noticed.
                tokio::time::sleep(left.min(Duration::from_mins(1))).await;
            },
            Kind::Manual(time) => {
                let mut time = time.clone();
                if time.wait_for(|now| *now >= moment).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl ManualClock {
    /// Moves the time on and wakes whoever waited for it.
    pub fn advance(&self, span: Duration) {
        self.0.send_modify(|now| *now = now.saturating_add(span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_advanced_past_its_moment() {
        let (clock, hand) = Clock::manual(Timestamp::EPOCH);
        let moment = clock.now().saturating_add(Duration::from_secs(30));
        let sleeper = clock.sleep_until(moment);
        tokio::pin!(sleeper);
        hand.advance(Duration::from_secs(29));
        assert!(futures::poll!(&mut sleeper).is_pending());
        hand.advance(Duration::from_secs(1));
        sleeper.await;
        assert_eq!(clock.now(), moment);
    }

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::system();
        let moments: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(moments.is_sorted());
    }
}
