//! Kills the exchange in the middle of the day, at random moments and within awards, and starts it again.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    awards::Awards,
    exchange::Exchange,
    outside::pause,
    plan::{self, Kill},
    progress::Progress,
};

/// The longest that the exchange is left alone before it is killed at a random moment.
const LONGEST: Duration = Duration::from_millis(400);
/// How long it waits for an award to come into the middle of; then any moment is right.
const PATIENCE: Duration = Duration::from_secs(10);

/// The kills of a day.
#[derive(Debug)]
pub(crate) struct Chaos {
    waiting: VecDeque<Kill>,
    dice: StdRng,
    /// What became of those that are over.
    pub(crate) killed: Vec<Killed>,
}

/// One kill, and how the exchange came back.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Killed {
    /// So many works had ended.
    pub(crate) after_works: usize,
    /// An award waited for its answer.
    pub(crate) in_award: bool,
    /// From the kill until calls were taken again, in seconds.
    pub(crate) down_seconds: f64,
    /// What of that PostgreSQL took, in seconds.
    pub(crate) database_seconds: f64,
}

impl Chaos {
    /// The kills of a day of so many works. The same seed makes the same.
    pub(crate) fn plan(count: u32, works: usize, seed: u64) -> Self {
        let count = usize::try_from(count).unwrap_or_default();
        Self {
            waiting: plan::kills(count, works, seed).into(),
            dice: StdRng::seed_from_u64(seed),
            killed: Vec::new(),
        }
    }

    /// Kills the exchange if its time has come, and returns when it runs again.
    pub(crate) async fn strike(
        &mut self,
        ended: usize,
        awards: &Awards,
        exchange: &mut Exchange,
        progress: &Progress,
    ) -> Result<(), String> {
        while let Some(kill) = self.waiting.pop_front_if(|kill| kill.after <= ended) {
            self.wait_for_the_moment(kill, awards).await;
            let in_award = awards.kill();
            let recovery = exchange.kill_and_restart().await?;
            progress.say(&format!(
                "killed the exchange after {ended} works{}; it was back after {:.2} s",
                if in_award { ", during an award" } else { "" },
                recovery.down.as_secs_f64()
            ));
            self.killed.push(Killed {
                after_works: ended,
                in_award,
                down_seconds: recovery.down.as_secs_f64(),
                database_seconds: recovery.database.as_secs_f64(),
            });
        }
        Ok(())
    }

    async fn wait_for_the_moment(&mut self, kill: Kill, awards: &Awards) {
        if !kill.in_award {
            return pause(LONGEST.mul_f64(self.dice.random_range(0.0..1.0))).await;
        }
        let end = Instant::now() + PATIENCE;
        // An award that was quicker than usual has been missed: there will be another.
        while let Some(usual) = awards.next(end.saturating_duration_since(Instant::now())).await {
            pause(usual.mul_f64(self.dice.random_range(0.0..1.0))).await;
            if awards.are_under_way() {
                return;
            }
        }
    }
}
