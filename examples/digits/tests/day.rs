//! Whole days: with the exchange killed in between, broken off, and a second one on the data of the first. All end with
//! nothing left of them. The command `aex` has to lie beside `aex-digits`: a build of the workspace puts it there.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what does not hold fails the test"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// How long what was broken off may take to end.
const PATIENCE: Duration = Duration::from_secs(15);

struct Day {
    folder: TempDir,
}

impl Day {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("aex-day-").tempdir().unwrap();
        // As root, the database's account has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Self { folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("day")
    }

    fn begin(&self, options: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_aex-digits"))
            .args(["day", "--json", "--data-dir"])
            .arg(self.data())
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Plays a day to its end, which is good, and answers its report.
    fn play(&self, options: &[&str]) -> Value {
        let ended = self.begin(options).wait_with_output().unwrap();
        let log = fs::read_to_string(self.data().join("exchange.log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            ended.status.success(),
            "{said}{}{log}",
            String::from_utf8_lossy(&ended.stdout)
        );
        let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!(report.get("problems"), Some(&Value::Array(Vec::new())));
        report
    }

    fn acks(&self) -> String {
        fs::read_to_string(self.data().join("acks")).unwrap()
    }

    /// Everything that runs on its folder: by what it was started with, or where it is.
    fn processes(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let words = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
            let place = fs::read_link(entry.path().join("cwd")).unwrap_or_default();
            if words.contains(&folder) || place.starts_with(self.folder.path()) {
                found.push(format!("{} {words}", entry.file_name().display()));
            }
        }
        found
    }

    /// What was asked to end may need a moment for it.
    fn until_nothing_runs(&self) {
        let begun = Instant::now();
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{left:?}");
            println!("after {:.1?}: {left:?}", begun.elapsed());
            std::thread::yield_now();
        }
    }

    /// What PostgreSQL leaves on a machine when it is not ended in order, by the account of its own log.
    fn remains(&self) -> Vec<String> {
        let log = fs::read_to_string(self.data().join("exchange/postgres/postgres.log")).unwrap();
        let servers: BTreeSet<&str> = log
            .lines()
            .filter(|line| line.contains("starting PostgreSQL"))
            .filter_map(|line| line.split_once('[')?.1.split_once(']').map(|(pid, _)| pid))
            .collect();
        assert!(!servers.is_empty(), "{log}");
        let memory = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
        let memory = memory
            .lines()
            // The fifth column is who made it.
            .filter(|line| {
                line.split_whitespace()
                    .nth(4)
                    .is_some_and(|pid| servers.contains(pid))
            })
            .map(str::to_owned);
        let sockets = log
            .lines()
            .filter_map(|line| line.split_once("listening on Unix socket \"")?.1.split_once('"'))
            .filter_map(|(socket, _)| Path::new(socket).parent())
            .filter(|folder| folder.exists())
            .map(|folder| folder.display().to_string());
        memory.chain(sockets).collect()
    }
}

#[test]
fn a_day_on_which_the_exchange_is_killed_ten_times_ends_and_leaves_nothing_behind() {
    let day = Day::new();
    let begun = Instant::now();
    let report = day.play(&["--works", "40", "--chaos", "10"]);
    assert_eq!(report["sales"].as_array().unwrap().len(), 40);
    let kills = report["kills"].as_array().unwrap();
    assert_eq!(kills.len(), 10);
    let in_awards = kills.iter().filter(|kill| kill["in_award"] == true).count();
    assert!(in_awards > 0, "{kills:?}");
    let own =
        |kill: &Value| kill["down_seconds"].as_f64().unwrap() - kill["database_seconds"].as_f64().unwrap();
    println!(
        "{:.1?}; {in_awards} of 10 kills in awards; back after {:.2} s at most beside PostgreSQL, interrupted awards \
         answered after {:.2} s at most",
        begun.elapsed(),
        kills.iter().map(own).fold(0.0, f64::max),
        report["slowest_award_seconds"].as_f64().unwrap()
    );
    day.until_nothing_runs();
    assert_eq!(day.remains(), [""; 0]);
}

/// The amount of a report, in millionths.
fn micros(amount: &Value) -> i64 {
    let (whole, part) = amount
        .as_str()
        .unwrap()
        .split_once('.')
        .unwrap_or((amount.as_str().unwrap(), ""));
    format!("{whole}{part:0<6}").parse().unwrap()
}

fn works(report: &Value) -> BTreeSet<&str> {
    let sales = report["sales"].as_array().unwrap();
    sales
        .iter()
        .map(|sale| sale["work_id"].as_str().unwrap())
        .collect()
}

/// The trust of each provider, at the beginning or at the end.
fn trust(report: &Value, when: &str) -> BTreeMap<String, String> {
    let agents = report["agents"].as_array().unwrap();
    let named = |agent: &Value| {
        (
            agent["provider_id"].as_str().unwrap().to_owned(),
            agent[when].to_string(),
        )
    };
    agents.iter().map(named).collect()
}

#[test]
fn a_second_day_goes_on_with_money_trust_and_acknowledgements_of_the_first() {
    let day = Day::new();
    let begun = Instant::now();
    let first = day.play(&["--works", "6"]);
    let noted = day.acks();
    assert_ne!(trust(&first, "trust_before"), trust(&first, "trust_after"));
    let second = day.play(&["--works", "6", "--keep"]);
    println!("two days in {:.1?}", begun.elapsed());

    assert_eq!((works(&first).len(), works(&second).len()), (6, 6));
    assert!(works(&first).is_disjoint(&works(&second)));
    assert_eq!(trust(&second, "trust_before"), trust(&first, "trust_after"));
    let available = |day: &Value| micros(&day["consumer"]["available"]);
    let moved = micros(&second["sums"]["deposited"]) - micros(&second["sums"]["paid"]);
    assert_eq!(available(&second), available(&first) + moved);

    // Nobody comes to the market twice, and fsck held what both days were told.
    let both = day.acks();
    assert!(both.starts_with(&noted) && both.len() > noted.len());
    for kind in ["tenant ", "key ", "provider ", "agent ", "subscription "] {
        let count = |acks: &str| acks.lines().filter(|line| line.starts_with(kind)).count();
        assert!(count(&noted) >= 5, "{kind}in {noted}");
        assert_eq!(count(&both), count(&noted), "{kind}");
    }
    let said = second["fsck"].as_str().unwrap();
    let acknowledged = format!("{} acknowledged", both.lines().count());
    for words in [acknowledged.as_str(), "nothing is broken"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    day.until_nothing_runs();
    assert_eq!(day.remains(), [""; 0]);
}

#[test]
fn an_interrupt_ends_the_day_the_agents_the_exchange_and_its_database() {
    for signal in ["INT", "TERM"] {
        let day = Day::new();
        let mut running = day.begin(&["--works", "1000"]);
        let acks = day.data().join("acks");
        let begun = Instant::now();
        while !fs::read_to_string(&acks).is_ok_and(|acks| acks.contains("bid ")) {
            assert_eq!(running.try_wait().unwrap(), None);
            assert!(begun.elapsed() < 4 * PATIENCE, "nobody bids");
            std::thread::yield_now();
        }
        assert!(day.processes().len() > 7, "{:?}", day.processes());
        let begun = Instant::now();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &running.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        assert!(!running.wait().unwrap().success());
        let took = begun.elapsed();
        day.until_nothing_runs();
        println!(
            "{signal}: the day ended after {took:.2?}, everything after {:.2?}",
            begun.elapsed()
        );
        assert!(took < PATIENCE);
        assert_eq!(day.remains(), [""; 0]);
    }
}
