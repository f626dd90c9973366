//! Why there is no private server, each in one line that says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::MIN_MAJOR;

/// Why the private server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// Postgres is not installed, or not where it was looked for.
    #[error(
        "found no PostgreSQL in {}: install {MIN_MAJOR} or newer (Debian: apt-get install postgresql) or \
         set AEX_PG_BIN to the folder that holds initdb and postgres",
        join(looked_in)
    )]
    NoBinaries {
        /// The folders that were looked at.
        looked_in: Vec<PathBuf>,
    },

    /// The only Postgres found is older than this program supports.
    #[error("PostgreSQL {major} in {} is too old: install version {MIN_MAJOR} or newer", .folder.display())]
    TooOld {
        /// Where it is.
        folder: PathBuf,
        /// Its major version.
        major: u32,
    },

    /// The cluster was made by a major version of Postgres that is not installed.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, and only {found} was found: install PostgreSQL \
         {cluster} or set AEX_PG_BIN to its folder, or move the cluster away to begin with an empty one",
        .path.display()
    )]
    OtherMajor {
        /// The cluster.
        path: PathBuf,
        /// The major version that made it.
        cluster: u32,
        /// The major version that was found instead.
        found: u32,
    },

    /// Another process runs this cluster.
    #[error(
        "{} is in use{}: stop that process or choose another data directory",
        .path.display(),
        .holder.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    DataDirectoryInUse {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it: a supervisor, or a server that a killed one left and that will not
        /// end.
        holder: Option<u32>,
    },

    /// A folder on the way is closed to the account that Postgres runs as.
    #[error(
        "uid {uid}, which PostgreSQL runs as because it refuses to run as root, may not pass {} and so \
         cannot reach {}: choose a place outside, such as /var/lib/aex for data",
        .closed.display(),
        .path.display()
    )]
    Unreachable {
        /// What has to be reached.
        path: PathBuf,
        /// The folder that stops the account.
        closed: PathBuf,
        /// The account.
        uid: u32,
    },

    /// Something that must be ours belongs to somebody else.
    #[error(
        "{} must belong to uid {uid} alone but belongs to uid {owner} or is open to others: remove it, or \
         run as its owner",
        .path.display()
    )]
    Foreign {
        /// What it is.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        uid: u32,
    },

    /// The account has no name, and `initdb` refuses to work for it.
    #[error(
        "uid {uid} has no entry in /etc/passwd, which initdb needs: add one (echo \
         'aex:x:{uid}:{uid}::/:/bin/false' >> /etc/passwd) or run as a user that has one"
    )]
    NoPasswdEntry {
        /// The account.
        uid: u32,
    },

    /// `initdb`, or the copy of a template, failed.
    #[error("could not make a PostgreSQL cluster in {}: {}", .path.display(), one_line(tail))]
    InitFailed {
        /// Where it was to be.
        path: PathBuf,
        /// The last lines that the program wrote.
        tail: String,
    },

    /// The server ended, or was not ready in time.
    #[error("PostgreSQL did not start, it {what}: {}", one_line(tail))]
    StartFailed {
        /// What it did instead.
        what: String,
        /// The last lines of the log of this start.
        tail: String,
    },

    /// The operating system refused something.
    #[error("cannot use {}: {source}", .path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Trouble {
    /// Makes an error of the operating system say which path it is about.
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// The last few lines of what a program wrote.
pub(super) fn last_lines(text: &str) -> String {
    const LINES: usize = 8;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(LINES);
    lines.into_iter().skip(skipped).collect::<Vec<_>>().join("\n")
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" / ")
}

fn join(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
