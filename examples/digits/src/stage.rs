//! The agents of a day: each a process of its own, fed by nobody but the exchange.

use std::{fs::File, path::Path, process::Stdio, time::Duration};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    agent::{AGENT_SEED, API_KEY, Ready},
    cast::Role,
    methods::Method,
};

/// How long an agent may take to learn and to register.
const READY_LIMIT: Duration = Duration::from_mins(2);
/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// The longest line that an agent says.
const LINE: usize = 4096;

/// A running agent. It dies with the value.
#[derive(Debug)]
pub(crate) struct Player {
    /// How it reads.
    pub(crate) method: Method,
    /// What it said when it was ready.
    pub(crate) ready: Ready,
    process: Child,
    input: Option<ChildStdin>,
}

/// Starts the agents of all methods at once and waits until all are ready.
pub(crate) async fn enter(
    roles: &[(Method, Role)],
    edge: &str,
    acks: &Path,
    log: &File,
) -> Result<Vec<Player>, String> {
    let mut started = Vec::new();
    for (method, role) in roles {
        let log = log.try_clone().map_err(|error| error.to_string())?;
        started.push((*method, start(*method, role, edge, acks, log)?));
    }
    let mut players = Vec::new();
    for (method, mut process) in started {
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("an agent without standard output")?;
        let said = timeout(READY_LIMIT, line(output)).await;
        let said = said.map_err(|_| format!("{} was not ready in time", method.name()))??;
        let ready = serde_json::from_str(&said).map_err(|_| {
            format!(
                "{} did not come to the market; see the log of the agents",
                method.name()
            )
        })?;
        players.push(Player {
            method,
            ready,
            process,
            input,
        });
    }
    Ok(players)
}

fn start(method: Method, role: &Role, edge: &str, acks: &Path, log: File) -> Result<Child, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program cannot be found: {error}"))?;
    Command::new(own)
        .args(["agent", "--method", method.name(), "--edge", edge])
        .arg("--acks")
        .arg(acks)
        // Arguments can be read by everybody on the machine, the environment only by the same user.
        .env(API_KEY, &role.api_key)
        .env(AGENT_SEED, &role.seed)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("the agent {} cannot be started: {error}", method.name()))
}

/// The first line of an output.
async fn line(mut output: ChildStdout) -> Result<String, String> {
    let mut text = Vec::new();
    while text.len() < LINE && !text.ends_with(b"\n") {
        match output.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).map_err(|error| error.to_string())
}

impl Player {
    /// Whether it is still there; an agent that ends during the day has met something that it cannot work with.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!(
                "the agent {} has ended ({status}); see the log of the agents",
                self.method.name()
            )),
            Err(error) => Err(format!(
                "the agent {} cannot be looked after: {error}",
                self.method.name()
            )),
        }
    }

    /// Ends it, by the end of its input.
    pub(crate) async fn leave(mut self) -> Result<(), String> {
        drop(self.input.take());
        match timeout(STOP_LIMIT, self.process.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the agent {} ended with {status}", self.method.name())),
            _ => Err(format!("the agent {} did not end in time", self.method.name())),
        }
    }
}
