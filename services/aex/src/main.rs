//! The exchange in one binary: `dev` runs all of it on one machine, `serve` runs services as processes of their own, and
//! the other commands are for those who operate it and those who trade on it.

mod calls;
mod database;
mod dev;
mod exchange;
mod fsck;
mod home;
mod init;
mod market;
mod operator;
mod problem;
mod rules;
mod serve;
mod services;
mod settings;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{market::Door, problem::Problem};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Agent Exchange: publish work, take bids, award, settle, and trust what came out.
#[derive(Debug, Parser)]
#[command(
    name = "aex",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// A command of those who trade, and where it goes.
#[derive(Debug, clap::Args)]
struct Trade<C: Subcommand> {
    #[command(subcommand)]
    command: C,
    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the whole exchange on this machine.
    Dev(dev::Dev),
    /// Runs services as a process of their own, over mutual TLS.
    Serve(serve::Serve),
    /// Makes a tenant and its first key.
    Init(init::Init),
    /// Publishes work and follows it.
    Work(Trade<market::Work>),
    /// Bids on work.
    Bid(Trade<market::Bid>),
    /// Awards, fulfils and accepts.
    Contract(Trade<market::Contract>),
    /// Registers providers and subscribes them.
    Provider(Trade<market::Provider>),
    /// Shows your money.
    Balance {
        /// Of which currency.
        #[arg(long, default_value = "USD")]
        currency: String,
        #[command(flatten)]
        door: Door,
    },
    /// Brings money in.
    Deposit {
        #[command(flatten)]
        price: market::Price,
        /// By which way; `test` exists in a test deployment only.
        #[arg(long, default_value = "test")]
        rail: String,
        #[command(flatten)]
        door: Door,
    },
    /// Shows what happened.
    Events(Trade<market::Events>),
    /// Shows how far providers are trusted, and why.
    Trust(Trade<market::Trust>),
    /// Checks that what the services know agrees.
    Fsck(fsck::Fsck),
    /// Prints or checks the configuration.
    #[command(subcommand)]
    Config(settings::Config),
    /// Prints the version.
    Version,
    /// Prints completions for a shell.
    Completions {
        /// Which one.
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let ended = runtime.block_on(run(cli.command));
    // What still waits, such as the reader of a terminal, does not hold the process up.
    runtime.shutdown_background();
    match ended {
        Ok(code) => code,
        Err(problem) => failed(&problem),
    }
}

fn failed(problem: &Problem) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "aex: {problem}");
    ExitCode::FAILURE
}

async fn run(command: Command) -> Result<ExitCode, Problem> {
    match command {
        Command::Dev(options) => dev::run(options).await?,
        Command::Serve(options) => serve::run(options).await?,
        Command::Init(options) => init::run(options).await?,
        Command::Work(trade) => trade.command.ask()?.put(&trade.door).await?,
        Command::Bid(trade) => trade.command.ask().put(&trade.door).await?,
        Command::Contract(trade) => trade.command.ask()?.put(&trade.door).await?,
        Command::Provider(trade) => trade.command.ask().put(&trade.door).await?,
        Command::Balance { currency, door } => market::balance(&currency).put(&door).await?,
        Command::Deposit { price, rail, door } => market::deposit(&price, &rail).put(&door).await?,
        Command::Events(trade) => trade.command.ask().put(&trade.door).await?,
        Command::Trust(trade) => trade.command.ask().put(&trade.door).await?,
        Command::Fsck(options) => {
            let is_whole = fsck::run(options).await?;
            return Ok(if is_whole {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            });
        }
        Command::Config(command) => settings::run(&command)?,
        Command::Version => show::out(&format!("aex {}\n", env!("CARGO_PKG_VERSION")))?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "aex", &mut script);
            show::out(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
