//! The server as a process: spawned, followed, stopped, and never left behind.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::now;

/// How long the server may take to accept connections, recovery after a crash included.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How often it is asked whether it does.
const POLL: Duration = Duration::from_millis(5);
/// How the server is asked to go, politely first, and how long it has for each.
const STOP: [(Signal, Duration); 3] = [
    // Fast shutdown: connections are closed, then everything is written to disk.
    (Signal::INT, Duration::from_secs(30)),
    // Immediate shutdown: the next start recovers from the log.
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(5)),
];

/// A running server, stopped when dropped.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    pid_file: PathBuf,
    /// When the process id file that a killed server left was written.
    stale: Option<SystemTime>,
    fate: Arc<Fate>,
    thread: Option<JoinHandle<()>>,
}

impl Process {
    /// Spawns the server from a thread of its own, which lives exactly as long as the server: the kernel
    /// sends the signal at the parent's death when the *thread* that spawned ends, be the process alive or
    /// not.
    pub(super) fn spawn(mut command: Command, cluster: &Path) -> io::Result<Self> {
        let pid_file = cluster.join("postmaster.pid");
        let stale = modified(&pid_file);
        let fate = Arc::new(Fate::default());
        let (report, spawned) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("postgres".into()).spawn({
            let fate = Arc::clone(&fate);
            move || match command.spawn() {
                Ok(child) => {
                    // The other side waits for this before it does anything else.
                    let _ = report.send(Ok(Pid::from_child(&child)));
                    fate.follow(child);
                }
                Err(error) => drop(report.send(Err(error))),
            }
        })?;
        let pid = spawned.recv().map_err(io::Error::other)??;
        Ok(Self {
            pid,
            pid_file,
            stale,
            fate,
            thread: Some(thread),
        })
    }

    /// Waits until the server accepts connections, or says what it did instead.
    pub(super) fn wait_until_ready(&self) -> Result<(), String> {
        let begun = now();
        while !self.says_ready() {
            if self.fate.is_over_within(POLL) {
                return Err(format!(
                    "ended at once ({})",
                    self.fate.lock().end.as_deref().unwrap_or_default()
                ));
            }
            if begun.elapsed() >= START_LIMIT {
                return Err(format!("was not ready within {START_LIMIT:?}"));
            }
        }
        self.fate.lock().is_wanted = true;
        Ok(())
    }

    /// The first line of the file is the process, the eighth and last its state. In a container a killed
    /// server may have had the same process id, so that its file says the same.
    fn says_ready(&self) -> bool {
        let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        lines.next() == Some(&self.id().to_string())
            && lines.nth(6) == Some("ready")
            && modified(&self.pid_file) != self.stale
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    pub(super) fn is_running(&self) -> bool {
        !self.fate.is_over_within(Duration::ZERO)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for (signal, patience) in STOP {
            self.fate.signal(self.pid, signal);
            if self.fate.is_over_within(patience) {
                // The thread has nothing left to do but to return.
                let _ = self.thread.take().map(JoinHandle::join);
                return;
            }
            tracing::warn!(
                pid = self.id(),
                ?signal,
                ?patience,
                "private PostgreSQL does not stop"
            );
        }
    }
}

/// What became of the server, shared with the thread that follows it.
#[derive(Debug, Default)]
struct Fate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it is ready and has not been asked to stop, so that its end is an accident.
    is_wanted: bool,
    /// How it ended. While this is `None` the process id is the server's, for nobody has collected its
    /// status.
    end: Option<String>,
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks until the server ends.
    fn follow(&self, mut child: Child) {
        let id = Pid::from_child(&child);
        // Waits but leaves the status, which keeps the process id from being given to another process.
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        if let Some(mut pipe) = child.stdin.take() {
            // Dismisses the shell on the side before the process id is free. It fails only when that shell
            // was killed.
            let _ = pipe.write_all(b"done\n");
        }
        let mut state = self.lock();
        let end = child
            .wait()
            .map_or_else(|error| error.to_string(), |status| status.to_string());
        if state.is_wanted {
            tracing::error!(pid = child.id(), %end, "private PostgreSQL ended by itself");
        }
        state.end = Some(end);
        self.changed.notify_all();
    }

    fn signal(&self, pid: Pid, signal: Signal) {
        let mut state = self.lock();
        state.is_wanted = false;
        if state.end.is_none()
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::warn!(?pid, ?signal, %error, "cannot signal private PostgreSQL");
        }
    }

    fn is_over_within(&self, patience: Duration) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), patience, |state| state.end.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.end.is_some()
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|found| found.modified()).ok()
}
