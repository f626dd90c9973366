//! The exchange in one binary: `dev` runs all of it on one machine, `serve` runs services as processes of their own, and
//! the other commands are for those who operate it and those who trade on it.

mod acks;
mod calls;
mod database;
mod deployment;
mod dev;
mod exchange;
mod fsck;
mod home;
mod init;
mod log;
mod market;
mod operator;
mod problem;
mod rebuild;
mod rules;
mod sections;
mod serve;
mod services;
mod settings;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    market::{Ask, Door},
    problem::Problem,
};

/// Calls are short and their memory is small and goes from task to task, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Agent Exchange: publish work, take bids, award, settle, and trust what came out.
#[derive(Debug, Parser)]
#[command(
    name = "aex",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done; 1 refused, or something is broken; 2 the command line cannot be meant; 3 nobody answered."
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
    /// Lists what moved your money.
    Statement {
        /// Only of this currency.
        #[arg(long, default_value = "")]
        currency: String,
        /// Only of this contract.
        #[arg(long, default_value = "")]
        contract: String,
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
    ExitCode::from(problem.exit())
}

/// The question that a command of those who trade puts, and where.
fn question(command: &Command) -> Option<(Result<Ask, Problem>, &Door)> {
    match command {
        Command::Work(trade) => Some((trade.command.ask(), &trade.door)),
        Command::Bid(trade) => Some((Ok(trade.command.ask()), &trade.door)),
        Command::Contract(trade) => Some((trade.command.ask(), &trade.door)),
        Command::Provider(trade) => Some((trade.command.ask(), &trade.door)),
        Command::Balance { currency, door } => Some((Ok(market::balance(currency)), door)),
        Command::Deposit { price, rail, door } => Some((Ok(market::deposit(price, rail)), door)),
        Command::Statement {
            currency,
            contract,
            door,
        } => Some((Ok(market::statement(currency, contract)), door)),
        Command::Events(trade) => Some((Ok(trade.command.ask()), &trade.door)),
        Command::Trust(trade) => Some((Ok(trade.command.ask()), &trade.door)),
        _ => None,
    }
}

async fn run(command: Command) -> Result<ExitCode, Problem> {
    if let Some((ask, door)) = question(&command) {
        ask?.put(door).await?;
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        Command::Dev(options) => dev::run(options).await?,
        Command::Serve(options) => serve::run(options).await?,
        Command::Init(options) => init::run(options).await?,
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
        // The rest are questions.
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use aex_proto::{
        POOL,
        prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor},
    };

    use super::*;
    use crate::market::Kind;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// What an answer, or the resource in it, has lists of.
    fn rows(answer: &MessageDescriptor) -> Vec<MessageDescriptor> {
        let lists = |message: &MessageDescriptor| -> Vec<_> {
            let fields = message.fields().filter(FieldDescriptor::is_list);
            fields
                .filter_map(|field| field.kind().as_message().cloned())
                .collect()
        };
        let inner = answer
            .fields()
            .filter_map(|field| field.kind().as_message().cloned());
        inner
            .flat_map(|message| lists(&message))
            .chain(lists(answer))
            .collect()
    }

    /// Which option carries which field, and in how many of the field's unit the help counts.
    const LIMITED: &[(&str, &str, i64)] = &[
        (
            "work publish window",
            "work_publisher.v1.PublishWorkRequest.bid_window",
            1000,
        ),
        (
            "work publish category",
            "work_publisher.v1.PublishWorkRequest.category",
            1,
        ),
        (
            "work publish description",
            "work_publisher.v1.PublishWorkRequest.description",
            1,
        ),
        (
            "work publish payload",
            "work_publisher.v1.PublishWorkRequest.payload",
            1 << 20,
        ),
        (
            "work publish payload",
            "work_publisher.v1.PublishWorkRequest.payload_size_bytes",
            1 << 20,
        ),
        (
            "bid submit confidence",
            "bid_gateway.v1.SubmitBidRequest.confidence",
            1,
        ),
        (
            "bid submit approach",
            "bid_gateway.v1.SubmitBidRequest.approach",
            1 << 10,
        ),
        (
            "contract complete summary",
            "contract_engine.v1.CompleteContractRequest.summary",
            1,
        ),
        (
            "contract complete result",
            "contract_engine.v1.CompleteContractRequest.result",
            1 << 20,
        ),
        (
            "contract complete result",
            "contract_engine.v1.CompleteContractRequest.result_size_bytes",
            1 << 20,
        ),
        (
            "contract progress message",
            "contract_engine.v1.ReportProgressRequest.message",
            1,
        ),
        (
            "contract progress percent",
            "contract_engine.v1.ReportProgressRequest.percent",
            1,
        ),
    ];

    /// What `--help` says of an option, which comes after its command.
    fn help(option: &str) -> String {
        let (line, option) = option.rsplit_once(' ').unwrap();
        let cli = Cli::command();
        let command = line
            .split(' ')
            .fold(&cli, |command, name| command.find_subcommand(name).unwrap());
        let option = command.get_arguments().find(|known| known.get_id() == option);
        option.unwrap().get_help().unwrap().to_string()
    }

    #[test]
    fn help_says_the_limits_of_the_contracts() {
        let limits = POOL.get_extension_by_name("aex.common.v1.limits").unwrap();
        for (option, field, of) in LIMITED {
            let (request, name) = field.rsplit_once('.').unwrap();
            let request = POOL.get_message_by_name(&format!("aex.{request}")).unwrap();
            let options = request.get_field_by_name(name).unwrap().options();
            let options = options.get_extension(&limits);
            let stated = options.as_message().unwrap();
            let help = help(option).replace(',', "");
            for name in ["min", "max", "max_len"] {
                if !stated.has_field_by_name(name) {
                    continue;
                }
                let value = stated.get_field_by_name(name).unwrap();
                let value = value
                    .as_i64()
                    .or(value.as_u64().map(u64::cast_signed))
                    .or(value.as_i32().map(i64::from))
                    .or(value.as_u32().map(i64::from))
                    .unwrap();
                assert!(
                    help.contains(&(value / of).to_string()),
                    "{option} {field}: {help}"
                );
            }
        }
    }

    #[test]
    fn every_command_is_a_request_of_the_contracts() {
        for line in [
            "work publish 5.25 --category a.b --description x --window 30 --auto-award --payload Cargo.toml",
            "work get work_1",
            "work list",
            "work ranking work_1",
            "work explain work_1 bid_1",
            "work cancel work_1",
            "work watch work_1",
            "bid submit work_1 4 --confidence 0.5 --approach x --endpoint https://x --provider p --valid-for 60",
            "bid get bid_1",
            "bid list --work work_1",
            "bid list --provider p",
            "bid withdraw bid_1",
            "contract award work_1 bid_1",
            "contract start c",
            "contract payload c --out x",
            "contract progress c 50 --message half",
            "contract result c",
            "contract complete c --summary x --result Cargo.toml",
            "contract accept c",
            "contract reject c why",
            "contract fail c why",
            "contract get c",
            "contract list",
            "contract watch c",
            "contract watch",
            "provider register Ada --endpoint https://x --capability a.b --capability c",
            "provider update p --name Ada --description x --endpoint https://x --capability a.b",
            "provider deactivate p",
            "provider activate p",
            "provider subscriptions p",
            "provider unsubscribe s",
            "provider agents p",
            "provider retire-agent a",
            "provider get p",
            "provider list",
            "provider search a.b",
            "provider subscribe p a.b c.*",
            "provider watch p",
            "balance --currency EUR",
            "deposit 100",
            "statement --currency USD --contract contract_1",
            "events tail --after 7",
            "events list --about work_1",
            "trust get p",
            "trust explain p",
        ] {
            let cli = Cli::try_parse_from(["aex"].into_iter().chain(line.split(' ')))
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            let mut ask = question(&cli.command).unwrap().0.unwrap();
            if ask.kind == Kind::Change {
                ask.body["idempotency_key"] = "0123456789abcdef".into();
            }
            let (service, name) = ask.method.split_once('/').unwrap();
            let service = POOL.get_service_by_name(service).unwrap();
            let method = service.methods().find(|method| method.name() == name).unwrap();
            assert_eq!(method.is_server_streaming(), ask.kind == Kind::Watch, "{line}");
            DynamicMessage::deserialize(method.input(), ask.body)
                .unwrap_or_else(|error| panic!("{line}: {error}"));
            let mut rows = rows(&method.output());
            if name == "ListEvents" {
                rows.push(POOL.get_message_by_name("aex.common.v1.Event").unwrap());
            }
            for column in ask.columns {
                let is_known = rows.iter().any(|row| row.get_field_by_name(column).is_some());
                assert!(is_known, "{line}: {column}");
            }
        }
    }
}
