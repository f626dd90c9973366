//! The market day: agents that read handwritten digits, trading on the exchange.

mod acks;
mod agent;
mod awards;
mod books;
mod caller;
mod cast;
mod chaos;
mod choice;
mod consumer;
mod day;
mod exchange;
mod images;
mod key;
mod methods;
mod offer;
mod outside;
mod plan;
mod progress;
mod report;
mod sale;
mod stage;
mod task;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A market of agents that read handwritten digits.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a market day on an exchange of its own, and checks it.
    Day(day::DayArgs),
    /// Runs one provider's agent; `day` starts these.
    Agent(agent::AgentArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Options::parse().command {
        Command::Day(args) => play(&args).await,
        Command::Agent(args) => agent::run(&args).await.map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            progress::fail(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Whether all was well.
async fn play(args: &day::DayArgs) -> Result<bool, String> {
    let report = day::run(args).await?;
    day::tell(&report, args.json)?;
    Ok(report.is_well())
}
