//! The market day from outside: starts an exchange and the agents, lets a consumer trade, and looks whether all is well.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aex_proto::aex::{
    settlement::v1::{DepositStatus, GetBalanceRequest, GetDepositRequest, RequestDepositRequest},
    trust_broker::v1::{GetTrustRequest, Trust},
};
use aex_types::Amount;
use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    acks::Acks,
    books::{self, Balance, Change},
    caller::{Caller, ask},
    cast::Cast,
    chaos::Chaos,
    consumer::{Consumer, usd},
    exchange::{Exchange, find_aex, open_log},
    images::{self, Images},
    key::{hex, key},
    methods::{Method, share},
    outside::{pause, secret},
    plan::{self, Plan},
    progress::Progress,
    report::{AgentDay, Report},
    sale::Sale,
    stage::{Player, enter},
};

/// The most works of one day: the deposit that pays for them has a limit.
const MOST_WORKS: u32 = 10_000;
/// How long a day may take besides its works.
const DAY_LIMIT: Duration = Duration::from_mins(10);
/// How long a work may take on average.
const WORK_LIMIT: Duration = Duration::from_secs(3);
/// How long trust may take to follow what happened.
const TRUST_LIMIT: Duration = Duration::from_secs(20);
/// How often is looked for what comes by itself.
const POLL: Duration = Duration::from_millis(100);

/// The options of `day`.
#[derive(Debug, Args)]
pub(crate) struct DayArgs {
    /// How many batches are published.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_WORKS)))]
    works: u32,
    /// Chooses images, kinds of work and when the exchange is killed; the same seed publishes the same works, and who wins them
    /// also depends on who is faster.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where everything is kept; a new day empties it [default: aex-market-day-<user> in the folder of temporary files].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Goes on with the exchange, the agents and the trust of the last day.
    #[arg(long)]
    keep: bool,
    /// Kills the exchange so many times, at random moments and within awards, and starts it again.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    chaos: u32,
    /// Batches that are traded at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=64))]
    lanes: u32,
    /// Prints all that happened, as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The files of a day, which no other day gets as long as this exists.
struct Folder {
    path: PathBuf,
    /// Beside the folder, which comes and goes; the lock ends with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Empties it, unless the last day goes on. Refuses one on which a day runs.
    fn prepare(args: &DayArgs) -> Result<Self, String> {
        let user = rustix::process::geteuid().as_raw();
        let default = || std::env::temp_dir().join(format!("aex-market-day-{user}"));
        let named = args.data_dir.clone().unwrap_or_else(default);
        let trouble = |error: std::io::Error| format!("{}: {error}", named.display());
        fs::create_dir_all(&named).map_err(trouble)?;
        // However a folder is spelled, its lock is one file.
        let path = named.canonicalize().map_err(trouble)?;
        let folder = Self {
            _lock: lock(&path)?,
            path,
        };
        if !args.keep {
            folder.is_ours()?;
            fs::remove_dir_all(&folder.path).map_err(trouble)?;
            fs::create_dir_all(&folder.path).map_err(trouble)?;
        }
        fs::write(
            folder.mark(),
            "The data of a market day. The next one empties this folder.\n",
        )
        .map_err(trouble)?;
        Ok(folder)
    }

    /// Refuses to empty what no day has filled.
    fn is_ours(&self) -> Result<(), String> {
        let is_empty = fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_none());
        if is_empty || self.mark().is_file() {
            Ok(())
        } else {
            Err(format!(
                "{} is not empty and no market day filled it: name another --data-dir",
                self.path.display()
            ))
        }
    }

    fn mark(&self) -> PathBuf {
        self.path.join("market-day.txt")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Takes a folder for one day.
fn lock(folder: &Path) -> Result<File, String> {
    let mut name = folder.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let trouble = |error: std::io::Error| format!("{}: {error}: name another --data-dir", path.display());
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(trouble)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another market day runs in {}: wait until it has ended, or name another --data-dir",
            folder.display()
        )),
        Err(TryLockError::Error(error)) => Err(trouble(error)),
    }
}

/// Plays a day. Answers its report; whether all was well stands in it.
pub(crate) async fn run(args: &DayArgs) -> Result<Report, String> {
    let limit = DAY_LIMIT + WORK_LIMIT * args.works;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let aex = find_aex()?;
    let images = images::load()?;
    // It is held until the exchange has ended too.
    let folder = Folder::prepare(args)?;
    let mut running = None;
    let played = tokio::select! {
        played = timeout(limit, play(args, &aex, images, &folder, &mut running)) => {
            played.unwrap_or_else(|_| Err(format!("the day has not ended within {} s", limit.as_secs())))
        }
        _ = tokio::signal::ctrl_c() => Err("interrupted".to_owned()),
        _ = terminate.recv() => Err("asked to end".to_owned()),
    };
    // The agents have ended with the day; when the exchange has, nothing of it is left.
    let stopped = match running {
        Some(exchange) => Exchange::stop(exchange).await,
        None => Ok(()),
    };
    match (played, stopped) {
        (Ok(mut report), Err(problem)) => {
            report.problems.push(problem);
            Ok(report)
        }
        (played, _) => played,
    }
}

/// Plays a day on an exchange that it leaves in `running`.
async fn play(
    args: &DayArgs,
    aex: &Path,
    images: Images,
    folder: &Folder,
    running: &mut Option<Exchange>,
) -> Result<Report, String> {
    let progress = Progress::new(args.works, args.json);
    let begun = Instant::now();

    progress.say("starting the exchange");
    let exchange = Exchange::launch(aex, &folder.at("exchange"), &folder.at("exchange.log"))?;
    let exchange = running.insert(exchange);
    exchange.start().await?;
    progress.say(&format!(
        "the exchange listens at {}; its files are in {}",
        exchange.edge(),
        folder.path.display()
    ));
    let acks_path = folder.at("acks");
    let acks = Acks::open(&acks_path)?;
    let cast = Cast::of(&folder.at("cast.json"), exchange, &acks).await?;

    let works = usize::try_from(args.works).map_err(|error| error.to_string())?;
    let plans = plan::day(works, args.seed, &images.market);
    let wallet = Caller::new(exchange.edge(), Some(&cast.consumer.api_key))?;
    let run = hex(&secret());
    let before = balance(&wallet).await?;
    let deposited = deposit(&wallet, &plans, &run, &acks).await?;

    progress.say("the agents learn from 1,000 images");
    let roles = Method::ALL
        .into_iter()
        .map(|method| Ok((method, cast.agent(method)?.clone())));
    let roles = roles.collect::<Result<Vec<_>, String>>()?;
    let log = open_log(&folder.at("agents.log"))?;
    let mut players = enter(&roles, exchange.edge(), &acks_path, &log).await?;
    let mut agents = Vec::new();
    for (player, (_, role)) in players.iter().zip(&roles) {
        agents.push(Watched::begin(player, Caller::new(exchange.edge(), Some(&role.api_key))?).await?);
    }

    let consumer = Arc::new(Consumer::new(wallet.clone(), acks, run));
    let opened = Instant::now();
    let mut chaos = Chaos::plan(args.chaos, plans.len(), args.seed);
    let sales = trade(
        args,
        plans,
        &consumer,
        (exchange, &mut chaos),
        &mut players,
        &progress,
    )
    .await?;
    let traded = opened.elapsed();
    progress.end();

    let mut days = Vec::new();
    for agent in agents {
        days.push(agent.end(&sales).await?);
    }
    let after = balance(&wallet).await?;
    for player in players {
        player.leave().await?;
    }
    let change = Change {
        provider_id: String::new(),
        before,
        after,
    };
    let sums = books::sums(&sales, deposited)?;
    let changes: Vec<Change> = days.iter().map(|day| day.change.clone()).collect();
    let mut problems = books::audit(&sales, sums, &change, &changes)?;
    let fsck = exchange.fsck(&acks_path).await;
    problems.extend(fsck.as_ref().err().cloned());
    Ok(Report {
        seed: args.seed,
        kills: chaos.killed,
        slowest_award_seconds: consumer.awards.slowest().as_secs_f64(),
        seconds: begun.elapsed().as_secs_f64(),
        trading_seconds: traded.as_secs_f64(),
        sales,
        agents: days,
        consumer: after,
        sums,
        fsck: fsck.unwrap_or_default(),
        problems,
    })
}

/// Trades all batches, some at once, and kills the exchange in between when that is asked for.
async fn trade(
    args: &DayArgs,
    plans: Vec<Plan>,
    consumer: &Arc<Consumer>,
    (exchange, chaos): (&mut Exchange, &mut Chaos),
    players: &mut [Player],
    progress: &Progress,
) -> Result<Vec<Sale>, String> {
    let mut waiting = plans.into_iter();
    let mut under_way = JoinSet::new();
    let mut sales: Vec<Sale> = Vec::new();
    let listening = consumer.listen();
    tokio::pin!(listening);
    loop {
        while under_way.len() < usize::try_from(args.lanes).unwrap_or(1) {
            let Some(plan) = waiting.next() else { break };
            let consumer = consumer.clone();
            under_way.spawn(async move { consumer.trade(&plan).await });
        }
        chaos
            .strike(sales.len(), &consumer.awards, exchange, progress)
            .await?;
        let ended = tokio::select! {
            refused = &mut listening => return Err(refused),
            ended = under_way.join_next() => ended,
        };
        let Some(ended) = ended else { break };
        sales.push(ended.map_err(|error| format!("a trade broke off: {error}"))??);
        progress.traded(sales.len());
        for player in &mut *players {
            player.check()?;
        }
    }
    sales.sort_by_key(|sale| sale.number);
    Ok(sales)
}

/// Deposits what all works may cost at most, on the test rail, which confirms by itself.
async fn deposit(wallet: &Caller, plans: &[Plan], run: &str, acks: &Acks) -> Result<Amount, String> {
    let amount = books::sum(plans.iter().map(|plan| plan.kind.most()))?;
    let request = RequestDepositRequest {
        idempotency_key: key("deposit", &[run]),
        amount: Some(usd(amount)),
        rail: "test".to_owned(),
    };
    let deposit = ask!(wallet, money.request_deposit, request)?
        .deposit
        .unwrap_or_default();
    acks.note("deposit", &deposit.deposit_id, deposit.status().as_str_name())?;
    let end = Instant::now() + TRUST_LIMIT;
    loop {
        let request = GetDepositRequest {
            deposit_id: deposit.deposit_id.clone(),
        };
        let deposit = ask!(wallet, money.get_deposit, request)?
            .deposit
            .unwrap_or_default();
        match deposit.status() {
            DepositStatus::Confirmed => {
                acks.note("deposit", &deposit.deposit_id, deposit.status().as_str_name())?;
                return Ok(amount);
            }
            DepositStatus::Pending if Instant::now() < end => pause(POLL).await,
            status => {
                return Err(format!(
                    "the deposit is {} {}",
                    status.as_str_name(),
                    deposit.reason
                ));
            }
        }
    }
}

/// What the tenant of a key has, in dollars.
async fn balance(wallet: &Caller) -> Result<Balance, String> {
    let request = GetBalanceRequest {
        currency_code: "USD".to_owned(),
    };
    let found = ask!(wallet, money.get_balance, request)?
        .balances
        .into_iter()
        .next();
    let Some(found) = found else {
        return Ok(Balance::default());
    };
    let read = |text: &str| {
        text.parse::<Amount>()
            .map_err(|error| format!("the balance {text:?} {error}"))
    };
    if !read(&found.receivable)?.is_zero() {
        return Err(format!("a tenant owes {} USD to the exchange", found.receivable));
    }
    Ok(Balance {
        available: read(&found.available)?,
        escrow: read(&found.escrow)?,
        pending: read(&found.pending)?,
    })
}

async fn trust(caller: &Caller, provider_id: &str) -> Result<Trust, String> {
    let request = GetTrustRequest {
        provider_id: provider_id.to_owned(),
    };
    Ok(ask!(caller, trust.get_trust, request)?.trust.unwrap_or_default())
}

/// An agent, watched from the beginning to the end of the day.
struct Watched {
    method: Method,
    price: Amount,
    confidence: f64,
    provider_id: String,
    wallet: Caller,
    trust: Trust,
    balance: Balance,
}

impl Watched {
    async fn begin(player: &Player, wallet: Caller) -> Result<Self, String> {
        let ready = &player.ready;
        Ok(Self {
            method: player.method,
            price: ready
                .price
                .parse()
                .map_err(|error| format!("the price {:?} {error}", ready.price))?,
            confidence: ready.confidence,
            provider_id: ready.provider_id.clone(),
            trust: trust(&wallet, &ready.provider_id).await?,
            balance: balance(&wallet).await?,
            wallet,
        })
    }

    async fn end(self, sales: &[Sale]) -> Result<AgentDay, String> {
        let id = &self.provider_id;
        let won: Vec<&Sale> = sales
            .iter()
            .filter(|sale| {
                sale.winner
                    .as_ref()
                    .is_some_and(|winner| winner.provider_id == *id)
            })
            .collect();
        let trust = self.settled_trust(won.len()).await?;
        let read: Vec<&&Sale> = won.iter().filter(|sale| sale.right.is_some()).collect();
        let right: usize = read.iter().filter_map(|sale| sale.right).sum();
        let judged = |verdict| {
            won.iter()
                .filter(|sale| sale.is_accepted == Some(verdict))
                .count()
        };
        Ok(AgentDay {
            method: self.method.name(),
            provider_id: id.clone(),
            price: self.price,
            claimed: self.confidence,
            found: share(right, read.len() * plan::BATCH),
            bids: sales.iter().filter(|sale| sale.bidders.contains(id)).count(),
            won: won.len(),
            accepted: judged(true),
            rejected: judged(false),
            earned: books::earned(sales, id)?,
            trust_before: self.trust.score,
            trust_after: trust.score,
            tier: trust
                .tier()
                .as_str_name()
                .trim_start_matches("TIER_")
                .to_lowercase(),
            change: Change {
                provider_id: id.clone(),
                before: self.balance,
                after: balance(&self.wallet).await?,
            },
        })
    }

    /// Trust follows the events of contracts; this waits until it knows of all of them.
    async fn settled_trust(&self, won: usize) -> Result<Trust, String> {
        let known = usize::try_from(self.trust.total_contracts).unwrap_or_default() + won;
        let end = Instant::now() + TRUST_LIMIT;
        loop {
            let trust = trust(&self.wallet, &self.provider_id).await?;
            if usize::try_from(trust.total_contracts).is_ok_and(|total| total >= known) {
                return Ok(trust);
            }
            if Instant::now() > end {
                return Err(format!(
                    "trust knows of {} contracts of {}, not of {known}",
                    trust.total_contracts,
                    self.method.name()
                ));
            }
            pause(POLL).await;
        }
    }
}

/// Writes what happened, for people or for programs.
pub(crate) fn tell(report: &Report, is_json: bool) -> Result<(), String> {
    let text = if is_json { report.json()? } else { report.table() };
    crate::progress::print(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(data_dir: &Path, keep: bool) -> DayArgs {
        let data_dir = Some(data_dir.to_owned());
        DayArgs {
            works: 1,
            seed: 1,
            data_dir,
            keep,
            chaos: 0,
            lanes: 1,
            json: false,
        }
    }

    #[test]
    fn a_new_day_empties_the_folder_of_the_last_one_and_a_kept_one_does_not() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("day");
        let folder = Folder::prepare(&args(&path, false)).unwrap();
        let acks = folder.at("acks");
        fs::write(&acks, "work work_1\n").unwrap();
        drop(folder);
        drop(Folder::prepare(&args(&path, true)).unwrap());
        assert!(acks.is_file());
        drop(Folder::prepare(&args(&path, false)).unwrap());
        assert!(!acks.exists());
    }

    #[test]
    fn the_folder_of_a_day_that_runs_is_left_alone_however_it_is_spelled() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("day");
        let running = Folder::prepare(&args(&path, false)).unwrap();
        let acks = running.at("acks");
        fs::write(&acks, "work work_1\n").unwrap();
        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for spelled in [path.clone(), path.join("../day/"), link] {
            for keep in [false, true] {
                let refused = Folder::prepare(&args(&spelled, keep)).map(|_| ()).unwrap_err();
                for words in ["another market day runs in", "name another --data-dir"] {
                    assert!(refused.contains(words), "{words} in {refused}");
                }
            }
            assert!(acks.is_file());
        }
        drop(running);
        drop(Folder::prepare(&args(&path, false)).unwrap());
        assert!(!acks.exists());
    }

    #[test]
    fn a_folder_with_something_else_in_it_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("thesis.txt"), "years of work").unwrap();
        let refused = Folder::prepare(&args(parent.path(), false))
            .map(|_| ())
            .unwrap_err();
        assert!(refused.contains("name another --data-dir"), "{refused}");
        assert!(parent.path().join("thesis.txt").is_file());
    }
}
