//! A private Postgres cluster: found, initialised, started, watched and stopped by this process.
//!
//! `aex dev` and the tests need a database and no configuration. [`PrivateServer::start`] gives them one in
//! a folder of their own: a unix socket that only this user can reach, no TCP port, and a server that ends
//! with this process, even when the process is killed.
//!
//! The folder belongs to this module:
//!
//! | entry | what it is |
//! |---|---|
//! | `supervisor.lock` | locked by the process that runs the cluster; holds its process id |
//! | `programs.lock` | locked by every program that works on the cluster too, which inherits it |
//! | `data/` | the cluster; `data.tmp/` while it is being made |
//! | `postgres.log` | what the server says; put aside as `postgres.log.old` when it has grown too long |
//!
//! The two locks tell "somebody runs this cluster" (refused after a moment) from "the server of a killed process
//! is still shutting down" (waited for), without a process id that could since have been given to another
//! program.

mod account;
mod binaries;
mod cluster;
mod home;
mod log;
mod process;
mod socket;
mod trouble;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use account::Account;
pub use binaries::Search;
use binaries::{Binaries, MIN_MAJOR};
use home::Home;
use log::Log;
use process::Process;
use socket::SocketDir;
pub use trouble::Trouble;

/// The database superuser of every private cluster, whichever account of the machine runs it.
const SUPERUSER: &str = "postgres";
/// The number in the name of the socket file. There is no TCP port.
const PORT: u16 = 5432;

/// What to run and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of the cluster, its log and its locks. Made when missing; nothing else may live in it.
    pub data_dir: PathBuf,
    /// Where the programs may be.
    pub search: Search,
    /// Whether a commit survives a crash of the machine. `false` turns off every wait for the disk, for
    /// tests.
    pub durable: bool,
    /// How many connections the server accepts, three of them for the superuser only.
    pub max_connections: u16,
    /// A folder that keeps an initialised cluster for each version of Postgres, to be copied and not made
    /// anew.
    pub template_cache: Option<PathBuf>,
}

impl Options {
    /// A durable cluster with 200 connections and no template cache.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, search: Search) -> Self {
        Self {
            data_dir: data_dir.into(),
            search,
            durable: true,
            max_connections: 200,
            template_cache: None,
        }
    }
}

/// A running Postgres. Dropping it stops the server and waits until it has gone.
#[derive(Debug)]
pub struct PrivateServer {
    // Dropped in this order: the server ends, its socket's folder goes, the cluster is free for others.
    process: Process,
    sockets: SocketDir,
    home: Home,
    started_in: Duration,
    is_fresh: bool,
}

impl PrivateServer {
    /// Starts the cluster of `options.data_dir`, making it first if there is none, and waits until it
    /// accepts connections. Blocks the calling thread: for 0.04 s as a rule, for 1 s when the cluster is to
    /// be made, for 30 s at worst when the server recovers from a crash.
    pub fn start(options: &Options) -> Result<Self, Trouble> {
        let begun = now();
        let home = Home::claim(&options.data_dir)?;
        let account = Account::choose(&home.cluster(), &options.search)?;
        account.let_through(home.path())?;
        let binaries = Binaries::find(&options.search, &home.cluster(), home.major()?)?;
        account.check_reach(binaries.folder())?;
        let is_fresh = cluster::furnish(&home, &binaries, &account, options)?;
        let sockets = SocketDir::make(home.path(), &account, options.search.runtime_dir.as_deref())?;

        let log = Log::new(home.log())?;
        let mut command = account.tied_command(&binaries.postgres());
        command.args(arguments(&home.cluster(), sockets.path(), options));
        command.stdout(home.programs_lock()?).stderr(log.writer()?);
        let process = Process::spawn(command, &home.cluster()).map_err(Trouble::at(&binaries.postgres()))?;
        process.wait_until_ready().map_err(|what| Trouble::StartFailed {
            what,
            tail: log.tail(),
        })?;

        let started_in = begun.elapsed();
        tracing::info!(
            data_dir = %home.path().display(), version = binaries.version(), pid = process.id(),
            uid = account.uid(), is_fresh, ?started_in, "private PostgreSQL is ready"
        );
        Ok(Self {
            process,
            sockets,
            home,
            started_in,
            is_fresh,
        })
    }

    /// The folder of the unix socket: the `host` of a connection.
    #[must_use]
    pub fn socket_dir(&self) -> &Path {
        self.sockets.path()
    }

    /// The number in the socket's name: the `port` of a connection.
    #[must_use]
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The database user who may do everything, let in without a password.
    #[must_use]
    pub fn superuser(&self) -> &str {
        SUPERUSER
    }

    /// The file that the server writes its messages to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.home.log()
    }

    /// How long the start took, from the call to the first connection that the server would have accepted.
    #[must_use]
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Whether this start made the cluster, so that there is nothing in it.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Whether the server is still there. It ends by itself only when somebody kills it: drop this, start
    /// anew.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Stops the server as dropping it does: open transactions are rolled back, committed ones are on disk.
    pub fn stop(self) {
        drop(self);
    }
}

/// When a wait for another program begins.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no runtime yet, and Postgres keeps to the machine's clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// The command line of the server. Settings are given here and not in `postgresql.conf`, so that a cluster
/// made by an older release runs with the settings of this one.
fn arguments(cluster: &Path, sockets: &Path, options: &Options) -> Vec<OsString> {
    let on_disk = if options.durable { "on" } else { "off" };
    let settings = [
        ("listen_addresses", String::new()),
        ("port", PORT.to_string()),
        ("max_connections", options.max_connections.to_string()),
        ("shared_buffers", "128MB".into()),
        ("fsync", on_disk.into()),
        ("synchronous_commit", on_disk.into()),
        ("full_page_writes", on_disk.into()),
        ("wal_compression", "on".into()),
        ("max_wal_size", "2GB".into()),
        ("autovacuum", "on".into()),
        // Statements here are short; compiling them costs more than it saves.
        ("jit", "off".into()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        // A statement's error goes to the client that caused it, which logs it. Without those the log stays
        // small.
        ("log_min_messages", "log".into()),
    ];
    let mut arguments = vec!["-D".into(), cluster.into(), "-k".into(), sockets.into()];
    arguments.extend(
        settings
            .iter()
            .flat_map(|(name, value)| ["-c".into(), format!("{name}={value}").into()]),
    );
    arguments
}
