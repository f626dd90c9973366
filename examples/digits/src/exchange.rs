//! The exchange that the day is played on: a process of `aex dev`, and what operators do with `aex`.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::{
    process::{Child, Command},
    time::{Instant, timeout},
};

use crate::outside::pause;

/// How long it may take to start; the first time the database is made.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long it may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How long a command of an operator may take.
const COMMAND_LIMIT: Duration = Duration::from_mins(2);
/// How often is looked whether it has started.
const POLL: Duration = Duration::from_millis(20);
/// Lines of the log that are shown when it does not start.
const SHOWN: usize = 3;

/// A running exchange. It dies with the value.
#[derive(Debug)]
pub(crate) struct Exchange {
    aex: PathBuf,
    home: PathBuf,
    log: PathBuf,
    process: Child,
    edge: String,
}

/// The note that a running exchange leaves in its data directory.
#[derive(Debug, Deserialize)]
struct Running {
    edge: String,
    pid: u32,
    database_ms: u64,
}

/// How long an exchange was away that was killed and started again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// From the kill until it took calls again.
    pub(crate) down: Duration,
    /// What of that was PostgreSQL's own: to end, to start and to recover.
    pub(crate) database: Duration,
}

/// A tenant, as `aex init` tells of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Tenant {
    /// Its id.
    #[serde(rename = "tenant_id")]
    pub(crate) id: String,
    /// The id of its key.
    pub(crate) key_id: String,
    /// The key that speaks for it.
    pub(crate) api_key: String,
}

/// The command `aex`, which is built into the same folder as this program.
pub(crate) fn find_aex() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    let aex = own.with_file_name("aex");
    if aex.is_file() {
        return Ok(aex);
    }
    let release = if own.components().any(|part| part.as_os_str() == "release") {
        " --release"
    } else {
        ""
    };
    Err(format!(
        "there is no {}; build it: cargo build{release} -p aex",
        aex.display()
    ))
}

impl Exchange {
    /// A new process on a data directory and on a port that is free.
    pub(crate) fn launch(aex: &Path, home: &Path, log: &Path) -> Result<Self, String> {
        Ok(Self {
            aex: aex.to_owned(),
            home: home.to_owned(),
            log: log.to_owned(),
            process: launch(aex, home, log, 0)?,
            edge: String::new(),
        })
    }

    /// Waits until it takes calls.
    pub(crate) async fn start(&mut self) -> Result<(), String> {
        self.edge = self.ready().await?.edge;
        Ok(())
    }

    /// Where clients reach it.
    pub(crate) fn edge(&self) -> &str {
        &self.edge
    }

    /// Kills it as a power cut would, and starts it again on the same port and data.
    pub(crate) async fn kill_and_restart(&mut self) -> Result<Recovery, String> {
        let killed = Instant::now();
        self.process
            .kill()
            .await
            .map_err(|error| format!("the exchange cannot be killed: {error}"))?;
        let port = port(&self.edge).ok_or_else(|| format!("no port in {}", self.edge))?;
        self.process = launch(&self.aex, &self.home, &self.log, port)?;
        let running = self.ready().await?;
        if running.edge == self.edge {
            Ok(Recovery {
                down: killed.elapsed(),
                database: Duration::from_millis(running.database_ms),
            })
        } else {
            let edge = running.edge;
            Err(format!("the exchange came back at {edge}, not at {}", self.edge))
        }
    }

    /// Waits until this process says where it is.
    async fn ready(&mut self) -> Result<Running, String> {
        let end = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.process.try_wait().map_err(|error| error.to_string())? {
                return Err(format!(
                    "the exchange did not start ({status}): {}",
                    last_lines(&self.log)
                ));
            }
            let note = fs::read(self.home.join("operator.json")).unwrap_or_default();
            // The note of a killed process stays behind.
            let running = serde_json::from_slice::<Running>(&note).ok();
            if let Some(running) = running.filter(|running| Some(running.pid) == self.process.id()) {
                return Ok(running);
            }
            if Instant::now() > end {
                return Err(format!(
                    "the exchange has not started in time: {}",
                    last_lines(&self.log)
                ));
            }
            pause(POLL).await;
        }
    }

    /// Makes a tenant and a key that may do everything a tenant may.
    pub(crate) async fn tenant(&self, name: &str, kind: &str) -> Result<Tenant, String> {
        let told = self
            .command(&["init", "--name", name, "--type", kind, "--json"])
            .await?;
        serde_json::from_str(&told).map_err(|error| format!("aex init said something else: {error}"))
    }

    /// Checks every invariant, and that everything acknowledged still holds. Answers what it says.
    pub(crate) async fn fsck(&self, acks: &Path) -> Result<String, String> {
        self.command(&["fsck", "--acks", &acks.to_string_lossy()]).await
    }

    async fn command(&self, words: &[&str]) -> Result<String, String> {
        let (name, rest) = words.split_first().ok_or("no command")?;
        let run = Command::new(&self.aex)
            .arg(name)
            .arg("--data-dir")
            .arg(&self.home)
            .args(rest)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let done = timeout(COMMAND_LIMIT, run)
            .await
            .map_err(|_| format!("aex {name} did not end in time"))?;
        let done = done.map_err(|error| format!("aex {name} cannot be run: {error}"))?;
        let (said, complained) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        if done.status.success() {
            return Ok(said.trim().to_owned());
        }
        let words: Vec<&str> = said
            .lines()
            .chain(complained.lines())
            .filter(|line| !line.is_empty())
            .collect();
        Err(format!(
            "aex {name} failed ({}): {}",
            done.status,
            words.join(" / ")
        ))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<(), String> {
        let pid = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            kill_process(pid, Signal::TERM)
                .map_err(|error| format!("the exchange cannot be stopped: {error}"))?;
        }
        match timeout(STOP_LIMIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!(
                "the exchange ended with {status}: {}",
                last_lines(&self.log)
            )),
            Ok(Err(error)) => Err(format!("the exchange cannot be waited for: {error}")),
            Err(_) => Err("the exchange did not stop in time".to_owned()),
        }
    }
}

fn launch(aex: &Path, home: &Path, log: &Path, port: u16) -> Result<Child, String> {
    let log = open_log(log)?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    Command::new(aex)
        .args(["dev", "--port", &port.to_string()])
        .arg("--data-dir")
        .arg(home)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", aex.display()))
}

/// A log that several processes and starts append to.
pub(crate) fn open_log(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| format!("{}: {error}", path.display()))
}

/// The end of a log, as one line.
fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(SHOWN)
        .collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}

/// The port of an address like `http://127.0.0.1:8080`.
fn port(edge: &str) -> Option<u16> {
    edge.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_end_of_the_address() {
        assert_eq!(port("http://127.0.0.1:8080"), Some(8080));
        assert_eq!(port("http://[::1]:80/"), Some(80));
        assert_eq!(port("http://localhost"), None);
    }

    #[test]
    fn of_a_long_log_the_last_lines_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "one\ntwo\n\nthree\nfour\n").unwrap();
        assert_eq!(last_lines(&log), "two / three / four");
        assert_eq!(last_lines(&folder.path().join("none")), "");
    }

    #[tokio::test]
    async fn a_command_that_ends_before_it_is_ready_is_reported_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let (home, log) = (folder.path().join("home"), folder.path().join("log"));
        let mut exchange = Exchange::launch(Path::new("/bin/false"), &home, &log).unwrap();
        let failed = exchange.start().await.unwrap_err();
        assert!(
            failed.starts_with("the exchange did not start (exit status: 1)"),
            "{failed}"
        );
        let missing = Exchange::launch(&folder.path().join("none"), &home, &log).unwrap_err();
        assert!(missing.contains("cannot be started"), "{missing}");
    }
}
