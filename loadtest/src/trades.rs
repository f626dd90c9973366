//! Whole trades, as many as the exchange can make: how many a second, and whether that lasts.
//!
//! Sixteen workers trade in a closed loop, each for one consumer; what is counted is done in ten equal parts. The first and
//! the last are cut into slices, and around each slice the yardstick is measured on the same PostgreSQL while nobody trades:
//! the rate of a slice is divided by the mean of the two beside it, so that what the machine does meanwhile is in both. P4 is
//! the median of the last part's shares by that of the first's. How many trades a second there are is counted in between.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use crate::{
    cast::Size,
    database::{self, Counters},
    exchange::Exchange,
    machine,
    problem::Problem,
    processor,
    report::{Samples, latencies, median, result, say},
    tpcb::Yardstick,
    trade::{Times, Trace, trade},
};

const WORKERS: usize = 16;
const PARTS: usize = 10;
/// Slices of the first part and of the last.
const SLICES: usize = 8;
const SIZE: Size = Size {
    consumers: WORKERS,
    categories: 8,
    providers: 3,
    per_tenant: 1,
};

/// How much is traded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) runs: usize,
    pub(crate) trades: usize,
    /// Trades before the first part: plans are made and caches filled.
    pub(crate) warm: usize,
    pub(crate) yardstick: Duration,
}

/// One run.
struct Run {
    rate: f64,
    slope: f64,
}

pub(crate) async fn run(aex: &Path, folder: &Path, plan: Plan) -> Result<(), Problem> {
    let mut runs = Vec::new();
    for number in 1..=plan.runs {
        runs.push(once(aex, folder, plan, number).await?);
    }
    let rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
    let slopes: Vec<f64> = runs.iter().map(|run| run.slope).collect();
    say(result("trades", &rates, 1));
    say(result("P4", &slopes, 3));
    Ok(())
}

async fn once(aex: &Path, folder: &Path, plan: Plan, number: usize) -> Result<Run, Problem> {
    let exchange = Exchange::start(aex, SIZE).await?;
    let machine = machine::line(&exchange.admin(), aex).await?;
    say(format!("machine {machine}"));
    let yardstick = Yardstick::make(&exchange.admin()).await?;
    let traders = Traders::new(&exchange);
    traders.trade(plan.warm).await?;
    traders.forget_times()?;
    database::settle(&exchange.database()).await?;
    // The first touch of a page after a checkpoint writes the whole page; that is not to be part of a sample.
    yardstick.sample(plan.yardstick).await?;

    let measured = measure(&exchange, &traders, &yardstick, plan).await?;
    let heading = "what\trate per second";
    let mut samples = Samples::create(folder, &format!("trades-{number}"), &machine, heading)?;
    let run = Run {
        rate: measured.rate,
        slope: measured.last.share() / measured.first.share(),
    };
    say(format!(
        "run {number}: {} trades through the edge (plaintext loopback) and mutual TLS between services, {:.1} a second",
        plan.trades, run.rate
    ));
    for (what, rates) in [
        ("first", &measured.first.rates),
        ("yardstick", &measured.first.sticks),
        ("between", &measured.between),
        ("last", &measured.last.rates),
        ("yardstick", &measured.last.sticks),
    ] {
        say(format!("  {what:<9} {}", spelled(rates)));
        for (place, rate) in rates.iter().enumerate() {
            samples.line(format!("{what} {}\t{rate:.2}", place + 1))?;
        }
    }
    say(format!("  each      {}", measured.spent));
    let (times, acknowledged) = traders.ended()?;
    for (step, histogram) in times.steps() {
        say(format!("  {step:<9} {}", latencies(histogram)));
    }
    say(format!(
        "  {:<9} {}; {} looks at contracts that were not settled yet",
        "whole",
        latencies(&times.whole),
        times.late
    ));
    say(format!("  {}", exchange.end(&acknowledged).await?));
    say(format!("  samples   {}", samples.close()?.display()));
    Ok(run)
}

/// What a run has shown.
struct Measured {
    first: Sliced,
    /// The rates of the parts between the first and the last.
    between: Vec<f64>,
    last: Sliced,
    /// That of all of them together.
    rate: f64,
    /// What each of their trades cost, in words.
    spent: String,
}

/// A part in slices: the rate of each, and the yardstick before the first and after each.
struct Sliced {
    rates: Vec<f64>,
    sticks: Vec<f64>,
}

impl Sliced {
    /// The median of what the slices are of the yardstick beside them.
    fn share(&self) -> f64 {
        let beside = self.sticks.windows(2).map(|pair| pair.iter().sum::<f64>() / 2.0);
        let shares: Vec<f64> = self
            .rates
            .iter()
            .zip(beside)
            .map(|(rate, stick)| rate / stick)
            .collect();
        median(&shares)
    }
}

/// All parts, with the yardstick around each slice of the first and the last one.
async fn measure(
    exchange: &Exchange,
    traders: &Traders<'_>,
    yardstick: &Yardstick,
    plan: Plan,
) -> Result<Measured, Problem> {
    let share = plan.trades / PARTS;
    let sliced = async || {
        let mut sticks = vec![yardstick.sample(plan.yardstick).await?.rate];
        let mut rates = Vec::new();
        for _ in 0..SLICES {
            rates.push(per_second(share / SLICES, traders.timed(share / SLICES).await?));
            sticks.push(yardstick.sample(plan.yardstick).await?.rate);
        }
        Ok::<_, Problem>(Sliced { rates, sticks })
    };
    let first = sliced().await?;
    let before = Cost::read(exchange).await?;
    let (mut between, mut traded) = (Vec::new(), Duration::ZERO);
    for _ in 0..PARTS - 2 {
        let span = traders.timed(share).await?;
        between.push(per_second(share, span));
        traded += span;
    }
    let counted = share * (PARTS - 2);
    let spent = Cost::read(exchange).await?.since(&before, counted);
    Ok(Measured {
        first,
        between,
        last: sliced().await?,
        rate: per_second(counted, traded),
        spent,
    })
}

/// What was spent up to a moment: in the database, and on the processor.
struct Cost {
    database: Counters,
    processor: processor::Spent,
}

impl Cost {
    async fn read(exchange: &Exchange) -> Result<Self, Problem> {
        let database = Counters::read(&exchange.admin()).await?;
        Ok(Self {
            database,
            processor: processor::Spent::by(exchange.fleet()),
        })
    }

    fn since(&self, before: &Self, trades: usize) -> String {
        let database = self.database.since(&before.database, trades);
        let processor = self
            .processor
            .since(&before.processor, u32::try_from(trades).unwrap_or(u32::MAX));
        format!(
            "{:.1} transactions, {:.1} waits for the disk, {:.1} kB of log, {processor}",
            database.commits, database.syncs, database.wal_kb
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no run has more than 52 bits of trades"
)]
fn per_second(number: usize, span: Duration) -> f64 {
    number as f64 / span.as_secs_f64()
}

fn spelled(rates: &[f64]) -> String {
    let rates: Vec<_> = rates.iter().map(|rate| format!("{rate:.1}")).collect();
    rates.join(" ")
}

/// Those who trade, and what they noted.
struct Traders<'a> {
    exchange: &'a Exchange,
    noted: Arc<std::sync::Mutex<Noted>>,
}

#[derive(Default)]
struct Noted {
    times: Option<Times>,
    traces: Vec<Trace>,
}

impl<'a> Traders<'a> {
    fn new(exchange: &'a Exchange) -> Self {
        Self {
            exchange,
            noted: Arc::default(),
        }
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn forget_times(&self) -> Result<(), Problem> {
        self.noted().times = Some(Times::new()?);
        Ok(())
    }

    /// Makes so many trades. Answers how long they took.
    async fn timed(&self, number: usize) -> Result<Duration, Problem> {
        let begun = Instant::now();
        self.trade(number).await?;
        Ok(begun.elapsed())
    }

    /// Makes so many trades, each worker taking the next one when its last is done.
    async fn trade(&self, number: usize) -> Result<(), Problem> {
        let left = Arc::new(std::sync::atomic::AtomicUsize::new(number));
        let mut workers = JoinSet::new();
        for consumer in &self.exchange.cast.consumers {
            let place = workers.len();
            let (consumer, keys, left) = (consumer.clone(), self.exchange.keys.clone(), Arc::clone(&left));
            let providers = self.exchange.cast.providers.get(place % SIZE.categories).cloned();
            let providers = providers.unwrap_or_default();
            workers.spawn(async move {
                let (mut times, mut traces) = (Times::new()?, Vec::new());
                while take(&left) {
                    traces.push(trade(&consumer, &providers, &keys, &mut times).await?);
                }
                Ok::<_, Problem>((times, traces))
            });
        }
        while let Some(worker) = workers.join_next().await {
            let (times, traces) = worker??;
            let mut noted = self.noted();
            match &mut noted.times {
                Some(all) => all.add(&times)?,
                none => *none = Some(times),
            }
            noted.traces.extend(traces);
        }
        Ok(())
    }

    /// The times, and everything that was acknowledged, as fsck reads it. No two trades may have left the same behind.
    fn ended(&self) -> Result<(Times, Vec<String>), Problem> {
        let mut noted = self.noted();
        let mut acknowledged: Vec<String> = Vec::with_capacity(noted.traces.len() * 6);
        for trace in &noted.traces {
            acknowledged.push(format!("work {}", trace.work));
            acknowledged.extend(trace.bids.iter().map(|bid| format!("bid {bid}")));
            acknowledged.push(format!("contract {}", trace.contract));
            acknowledged.push(format!("hold {}", trace.contract));
        }
        acknowledged.sort_unstable();
        if acknowledged.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Problem::new("two trades left the same behind"));
        }
        let times = noted.times.take();
        Ok((
            times.ok_or_else(|| Problem::new("nothing was traded"))?,
            acknowledged,
        ))
    }
}

fn take(left: &std::sync::atomic::AtomicUsize) -> bool {
    use std::sync::atomic::Ordering::Relaxed;
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_slows_down_does_not_change_the_share() {
        let sliced = |rates: &[f64], sticks: &[f64]| Sliced {
            rates: rates.to_vec(),
            sticks: sticks.to_vec(),
        };
        let first = sliced(&[100.0, 100.0, 75.0], &[1000.0, 1000.0, 1000.0, 500.0]);
        let last = sliced(&[50.0, 10.0, 25.0], &[500.0, 500.0, 250.0, 250.0]);
        assert!((first.share() - 0.1).abs() < 1e-9);
        assert!(
            (last.share() - 0.1).abs() < 1e-9,
            "one slice that was held up does not count"
        );
        let slower = sliced(&[50.0, 50.0], &[1000.0, 1000.0, 1000.0]);
        assert!((slower.share() / first.share() - 0.5).abs() < 1e-9);
    }
}
