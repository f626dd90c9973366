//! The folder of the unix socket: short enough for an address, and closed to every other user.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Account;
use super::{PORT, Trouble};

/// How long the path of a socket may be. The shortest limit of a system we know is 104 bytes with the final
/// zero.
const PATH_LIMIT: usize = 100;

/// How long a folder may stand empty before its server must have made its socket.
const EMPTY_LIMIT: Duration = Duration::from_mins(1);

/// A folder for one server's socket, removed when dropped.
#[derive(Debug)]
pub(super) struct SocketDir {
    path: PathBuf,
}

impl SocketDir {
    /// Makes `<runtime_dir>/aex/<hash of the data directory>`, or under `/tmp/aex-<uid>` where the first is
    /// not ours, too long, or out of the account's reach.
    pub(super) fn make(home: &Path, account: &Account, runtime_dir: Option<&Path>) -> Result<Self, Trouble> {
        let mut hasher = DefaultHasher::new();
        home.hash(&mut hasher);
        let name = format!("{:016x}", hasher.finish());

        let me = rustix::process::geteuid().as_raw();
        let parent = runtime_dir
            .filter(|folder| fs::metadata(folder).is_ok_and(|found| found.uid() == me))
            .filter(|folder| account.check_reach(folder).is_ok())
            .map(|folder| folder.join("aex"))
            .filter(|parent| socket_in(&parent.join(&name)).as_os_str().len() <= PATH_LIMIT)
            .unwrap_or_else(|| PathBuf::from(format!("/tmp/aex-{me}")));
        create(&parent)?;
        check_ours(&parent, me)?;
        account.let_through(&parent)?;

        let path = parent.join(name);
        // Left by a server that was killed. We hold its data directory, so no server uses them.
        let socket = socket_in(&path);
        gone(
            fs::remove_file(socket.with_extension(format!("{PORT}.lock"))),
            &path,
        )?;
        gone(fs::remove_file(&socket), &path)?;
        gone(fs::remove_dir(&path), &path)?;
        sweep(&parent);
        create(&path)?;
        account.hand_over(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        // The server has removed its socket. If it was killed instead, a later start removes the folder.
        let _ = fs::remove_dir(&self.path);
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// In `/tmp` somebody else may have made the folder before us, to wait for our socket there.
fn check_ours(folder: &Path, me: u32) -> Result<(), Trouble> {
    let found = fs::symlink_metadata(folder).map_err(Trouble::at(folder))?;
    if found.is_dir() && found.uid() == me && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Trouble::Foreign {
        path: folder.to_path_buf(),
        owner: found.uid(),
        uid: me,
    })
}

fn create(folder: &Path) -> Result<(), Trouble> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(Trouble::at(folder)(error)),
        _ => Ok(()),
    }
}

fn gone(removed: io::Result<()>, folder: &Path) -> Result<(), Trouble> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Trouble::at(folder)(error)),
        _ => Ok(()),
    }
}

/// Removes the folders whose process was killed: those that hold no socket, and not because it is still to
/// come.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|found| found.modified());
        if modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > EMPTY_LIMIT)) {
            // It fails when the folder is in use.
            let _ = fs::remove_dir(entry.path());
        }
    }
}
