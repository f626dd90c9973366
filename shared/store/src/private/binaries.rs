//! Finds the programs of Postgres.

use std::cmp::Reverse;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Trouble;

/// The oldest major version whose behaviour the services rely on.
pub(super) const MIN_MAJOR: u32 = 15;
/// Debian and Ubuntu put each major version into a folder of its own, outside `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// What the environment says about where things are.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// The folder that holds `initdb` and `postgres`. When it is given, no other is looked at.
    pub pg_bin: Option<PathBuf>,
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// Where the user's sockets go. `/tmp/aex-<uid>` when absent, or of no use to the server.
    pub runtime_dir: Option<PathBuf>,
}

impl Search {
    /// Reads `AEX_PG_BIN`, `PATH` and `XDG_RUNTIME_DIR`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this module that reads the environment"
    )]
    #[must_use]
    pub fn from_env() -> Self {
        let given = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            pg_bin: given("AEX_PG_BIN").map(PathBuf::from),
            path: given("PATH"),
            runtime_dir: given("XDG_RUNTIME_DIR").map(PathBuf::from),
        }
    }

    /// The full path of a program on `PATH`.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        self.on_path()
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
    }

    fn on_path(&self) -> impl Iterator<Item = PathBuf> {
        self.path
            .iter()
            .flat_map(env::split_paths)
            .filter(|folder| folder.is_absolute())
    }

    /// The folders that may hold Postgres, best first.
    fn folders(&self) -> Vec<PathBuf> {
        if let Some(folder) = &self.pg_bin {
            return vec![folder.clone()];
        }
        let mut debian: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                Some((
                    entry.file_name().to_str()?.parse().ok()?,
                    entry.path().join("bin"),
                ))
            })
            .collect();
        if debian.is_empty() {
            debian.push((0, DEBIAN.into()));
        }
        debian.sort_by_key(|(major, _)| Reverse(*major));
        debian
            .into_iter()
            .map(|(_, folder)| folder)
            .chain(self.on_path())
            .collect()
    }
}

/// The programs of one version of Postgres.
#[derive(Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    version: String,
}

impl Binaries {
    /// The newest programs, or for a cluster that exists those that can run it.
    pub(super) fn find(search: &Search, cluster: &Path, cluster_major: Option<u32>) -> Result<Self, Trouble> {
        let looked_in = search.folders();
        let mut unfit = None;
        for folder in &looked_in {
            let Some((binaries, major)) = Self::in_folder(folder) else {
                continue;
            };
            if major < MIN_MAJOR {
                unfit.get_or_insert(Trouble::TooOld {
                    folder: binaries.folder,
                    major,
                });
            } else if let Some(wanted) = cluster_major.filter(|wanted| *wanted != major) {
                let path = cluster.to_path_buf();
                unfit = Some(Trouble::OtherMajor {
                    path,
                    cluster: wanted,
                    found: major,
                });
            } else {
                return Ok(binaries);
            }
        }
        Err(unfit.unwrap_or(Trouble::NoBinaries { looked_in }))
    }

    /// What `folder` holds, and its major version. A link in `PATH` leads to the folder of all programs.
    fn in_folder(folder: &Path) -> Option<(Self, u32)> {
        let postgres = folder.join("postgres").canonicalize().ok()?;
        let folder = postgres.parent()?;
        // It is of the same version as `postgres`, and loads in half the time.
        let answer = Command::new(folder.join("initdb"))
            .arg("--version")
            .output()
            .ok()?;
        let answer = String::from_utf8(answer.stdout).ok()?;
        let (version, major) = parse_version(&answer)?;
        Some((
            Self {
                folder: folder.to_path_buf(),
                version: version.to_owned(),
            },
            major,
        ))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }

    /// As the programs print it, such as `15.18 (Debian 15.18-0+deb12u1)`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }
}

/// `initdb (PostgreSQL) 18beta1` is version `18beta1`, major 18.
pub(super) fn parse_version(answer: &str) -> Option<(&str, u32)> {
    let version = answer.trim().strip_prefix("initdb (PostgreSQL) ")?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    Some((version, version.get(..digits)?.parse().ok()?))
}
