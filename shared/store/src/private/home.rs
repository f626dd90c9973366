//! The folder of a cluster, and the locks that say who works in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{process, thread};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::{Trouble, now};

/// How long the programs of a killed process may take to end before a new start gives up.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(10);
/// How long a process may take to go that was killed just now; one that lives keeps its lock for longer.
const DYING_LIMIT: Duration = Duration::from_millis(500);
/// How often a lock that somebody else holds is tried.
const POLL: Duration = Duration::from_millis(5);

/// A data directory that this process holds until the value is dropped.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _lock: File,
    programs_lock: File,
}

impl Home {
    /// Takes hold of the folder when nobody else runs it and nothing of a killed process is left in it.
    pub(super) fn claim(path: &Path) -> Result<Self, Trouble> {
        fs::create_dir_all(path).map_err(Trouble::at(path))?;
        let path = path.canonicalize().map_err(Trouble::at(path))?;
        let in_use = |holder| Trouble::DataDirectoryInUse {
            path: path.clone(),
            holder,
        };

        let file = path.join("supervisor.lock");
        let mut lock = try_lock(&file, DYING_LIMIT)?;
        if lock.is_none() && first_number(&file).is_some_and(is_dead) {
            // A child that the dead process had forked keeps the file open until it becomes its program.
            lock = try_lock(&file, LEFTOVER_LIMIT)?;
        }
        let lock = lock.ok_or_else(|| in_use(first_number(&file)))?;
        lock.set_len(0)
            .and_then(|()| write!(&lock, "{}", process::id()))
            .map_err(Trouble::at(&file))?;

        let pid_file = path.join("data/postmaster.pid");
        let programs_lock = try_lock(&path.join("programs.lock"), LEFTOVER_LIMIT)?
            .ok_or_else(|| in_use(first_number(&pid_file)))?;
        if let Some(pid) = first_number(&pid_file) {
            match fs::read_link(format!("/proc/{pid}/cwd")) {
                // Somebody started it by hand, without our locks.
                Ok(folder) if path.join("data").canonicalize().is_ok_and(|data| data == folder) => {
                    return Err(in_use(Some(pid)));
                }
                // Another program has the number now. Postgres would take that one for a running server.
                Ok(_) => fs::remove_file(&pid_file).map_err(Trouble::at(&pid_file))?,
                // No such process, or not one of ours: Postgres sees that for itself.
                Err(_) => {}
            }
        }
        Ok(Self {
            path,
            _lock: lock,
            programs_lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("postgres.log")
    }

    /// The lock for a program to inherit that works on the cluster.
    pub(super) fn programs_lock(&self) -> Result<File, Trouble> {
        self.programs_lock.try_clone().map_err(Trouble::at(&self.path))
    }

    /// The major version of Postgres that made the cluster, if there is one.
    pub(super) fn major(&self) -> Result<Option<u32>, Trouble> {
        let file = self.cluster().join("PG_VERSION");
        match fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                Trouble::at(&file)(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "names no version of PostgreSQL",
                ))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Trouble::at(&file)(error)),
        }
    }
}

/// Locks a file for as long as it is open here or in a program that inherited it. `None` when somebody else
/// keeps it.
pub(super) fn try_lock(file: &Path, patience: Duration) -> Result<Option<File>, Trouble> {
    let mut open = OpenOptions::new();
    open.read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let held = open.open(file).map_err(|error| refusal(file, error))?;
    let begun = now();
    loop {
        match held.try_lock() {
            Ok(()) => return Ok(Some(held)),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= patience => return Ok(None),
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(error)) => return Err(Trouble::at(file)(error)),
        }
    }
}

/// A lock that may not be opened is somebody else's, and says whose the folder is.
fn refusal(file: &Path, error: io::Error) -> Trouble {
    let found = fs::metadata(file).or_else(|_| fs::metadata(file.parent().unwrap_or(file)));
    let uid = rustix::process::geteuid().as_raw();
    match found {
        Ok(found) if error.kind() == io::ErrorKind::PermissionDenied && found.uid() != uid => {
            Trouble::Foreign {
                path: file.to_path_buf(),
                owner: found.uid(),
                uid,
            }
        }
        _ => Trouble::at(file)(error),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the start blocks its thread, as its caller knows"
)]
fn pause() {
    thread::sleep(POLL);
}

fn is_dead(process: u32) -> bool {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// The process id in the first line of a file, if there is one.
fn first_number(file: &Path) -> Option<u32> {
    fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
}
