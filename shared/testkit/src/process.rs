//! Processes that a test starts: what they say goes into a file, and they die with the test, however it ends.

use std::{
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, Mutex, OnceLock, PoisonError, mpsc},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(2);
/// How much of what a process said is shown when something is wrong with it.
const TAIL: usize = 25;

/// A process; killed when dropped, and by the kernel when the test is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program. What it says on both its outputs is added to the file.
    pub fn start(name: &str, command: &Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log);
        let file = file.expect("the log can be written");
        let mut tied = tied(command);
        tied.stdin(Stdio::null())
            .stderr(file.try_clone().expect("a file can be shared"))
            .stdout(file);
        let child = spawn(tied).unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it; it is gone when this returns.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal, if it is still there.
    pub fn signal(&mut self, signal: Signal) {
        if self.end().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// How it ended, if it has.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be waited for")
    }

    /// Waits until it has ended by itself. Fails the test when it takes longer.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            assert!(
                begun.elapsed() < within,
                "{} did not end within {within:?}\n{}",
                self.name,
                self.tail()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Everything that it and its predecessors of the same file said.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines of that.
    pub fn tail(&self) -> String {
        let said = self.said();
        let lines: Vec<_> = said.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Did the end come by SIGKILL?
pub fn was_killed(end: ExitStatus) -> bool {
    end.signal() == Some(Signal::KILL.as_raw())
}

/// The lines of a log that a run which went well does not have.
pub fn errors(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| {
            line.contains(r#""level":"ERROR""#) || line.contains(" ERROR ") || line.contains("panicked at")
        })
        .map(str::to_owned)
        .collect()
}

/// The same command, killed by the kernel when this process ends, where the machine has a `setpriv` that can ask for it.
fn tied(command: &Command) -> Command {
    static CAN: LazyLock<bool> = LazyLock::new(|| {
        let asked = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "--version"])
            .output();
        asked.is_ok_and(|answer| answer.status.success())
    });
    let mut tied = if *CAN {
        let mut tied = Command::new("setpriv");
        tied.args(["--pdeathsig=KILL", "--"]).arg(command.get_program());
        tied
    } else {
        Command::new(command.get_program())
    };
    tied.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        tied.current_dir(folder);
    }
    tied
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Spawns from one thread that lives as long as this process: the kernel takes the end of the *thread* that spawned for
/// the parent's death.
fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (give, take) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in take {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(give)
    });
    let (answer, child) = mpsc::channel();
    orders
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}
