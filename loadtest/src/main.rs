//! Measures the exchange. Every figure is a ratio of two things measured beside each other, or is printed with the
//! machine that it was measured on.

mod auctions;
mod caller;
mod cast;
mod database;
mod echo;
mod exchange;
mod keys;
mod machine;
mod pace;
mod problem;
mod processor;
mod reads;
mod report;
mod tpcb;
mod trade;
mod trades;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};

use crate::{problem::Problem, report::say};

/// Trades and auctions of a run.
const TRADES: usize = 20_000;
const QUICK_TRADES: usize = 1000;
const AUCTIONS: usize = 42;

#[derive(Debug, Parser)]
#[command(name = "aex-loadtest", about, disable_help_subcommand = true)]
struct Cli {
    /// One scenario; absent means all of them.
    #[command(subcommand)]
    scenario: Option<Scenario>,
    /// One small run: shows that a scenario works, its figures mean nothing.
    #[arg(long, global = true)]
    quick: bool,
    /// Runs of each scenario, of which the median counts.
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// The command `aex`; absent means the one beside this program.
    #[arg(long, global = true, value_name = "FILE")]
    aex: Option<PathBuf>,
    /// Where the samples go.
    #[arg(long, global = true, value_name = "FOLDER", default_value = "target/bench")]
    samples: PathBuf,
}

#[derive(Debug, Clone, Subcommand)]
enum Scenario {
    /// Trades a second, and whether that lasts (P4).
    Trades {
        /// Trades of a run.
        #[arg(long, default_value_t = TRADES)]
        trades: usize,
    },
    /// A read beside an echo (P5).
    Reads,
    /// From the end of a bid window to the award, with a thousand bids (P7).
    Auctions {
        /// Auctions of a run.
        #[arg(long, default_value_t = AUCTIONS)]
        auctions: usize,
    },
    /// The echo of `reads`, a process of its own.
    #[command(hide = true)]
    Echo { folder: PathBuf },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(exchange::THREADS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &Problem) -> ExitCode {
    say(format!("FAILED {problem}"));
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<(), Problem> {
    if let Some(Scenario::Echo { folder }) = &cli.scenario {
        return echo::serve_until_input_ends(folder).await;
    }
    let aex = match &cli.aex {
        Some(aex) => aex.clone(),
        None => std::env::current_exe()?.with_file_name("aex"),
    };
    if !aex.is_file() {
        return Err(Problem::new(format!("there is no {}", aex.display())));
    }
    let scenarios = match cli.scenario.clone() {
        Some(scenario) => vec![scenario],
        None => vec![
            Scenario::Trades { trades: TRADES },
            Scenario::Reads,
            Scenario::Auctions { auctions: AUCTIONS },
        ],
    };
    let runs = if cli.quick { 1 } else { cli.runs };
    let minutes: usize = scenarios.iter().map(|scenario| scenario.minutes(cli.quick)).sum();
    say(format!(
        "about {} minutes at 50 trades a second",
        (minutes * runs).max(1)
    ));
    for scenario in scenarios {
        scenario.run(&cli, runs, &aex).await?;
    }
    Ok(())
}

impl Scenario {
    /// How long a run takes, roughly.
    fn minutes(&self, quick: bool) -> usize {
        match self {
            _ if quick => 1,
            Self::Trades { trades } => 1 + trades / (50 * 60),
            Self::Reads => 1,
            Self::Auctions { auctions } => 1 + auctions / 20,
            Self::Echo { .. } => 0,
        }
    }

    async fn run(self, cli: &Cli, runs: usize, aex: &Path) -> Result<(), Problem> {
        let span = |long, short| Duration::from_millis(if cli.quick { short } else { long });
        match self {
            Self::Trades { trades } => {
                let trades = if cli.quick {
                    trades.min(QUICK_TRADES)
                } else {
                    trades
                };
                let plan = trades::Plan {
                    runs,
                    trades,
                    warm: if cli.quick { trades / 10 } else { 500 },
                    yardstick: span(3000, 200),
                };
                trades::run(aex, &cli.samples, plan).await
            }
            Self::Reads => {
                let plan = reads::Plan {
                    runs,
                    span: span(3000, 1000),
                    turns: if cli.quick { 1 } else { 2 },
                };
                reads::run(aex, &cli.samples, plan).await
            }
            Self::Auctions { auctions } => {
                let plan = auctions::Plan {
                    runs,
                    auctions: if cli.quick { 2 } else { auctions },
                    group: 10,
                };
                auctions::run(aex, &cli.samples, plan).await
            }
            Self::Echo { .. } => Ok(()),
        }
    }
}
