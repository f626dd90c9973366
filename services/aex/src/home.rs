//! The data directory of a development exchange.
//!
//! | entry | what it is |
//! |---|---|
//! | `postgres/` | the private cluster, its log and its locks |
//! | `secrets/` | the authority, the pepper, the principal key and the operator's certificate; for their owner only |
//! | `version` | the release that used it last |
//! | `operator.json` | while it runs: where the operator port and the edge are |

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use aex_kit::{
    Clock, Runtime, Wire,
    config::Secret,
    principal::PrincipalKey,
    remote,
    tls::{Credentials, DevAuthority, read_pem, write_private},
};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The domain of the certificates of a development exchange.
pub(crate) const TRUST_DOMAIN: &str = "aex";
/// The name on the certificate of the operator port.
const PORT_NAME: &str = "gateway";
const OPERATOR: &str = "operator";
/// What must be free on the disk before PostgreSQL is started, in bytes.
const LEAST_ROOM: u64 = 256 << 20;
/// How long the operator port, which is on this machine, may take to take a connection.
const KNOCK: Duration = Duration::from_secs(1);

/// A data directory.
#[derive(Debug, Clone)]
pub(crate) struct Home(PathBuf);

/// Where a running exchange can be reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Running {
    /// The operator port, mutual TLS.
    pub(crate) operator: SocketAddr,
    /// The edge, as clients write it.
    pub(crate) edge: String,
    /// The process.
    pub(crate) pid: u32,
    /// What runs.
    pub(crate) version: String,
    /// How long PostgreSQL took: to end if an earlier one still ran, to start, to recover. In milliseconds.
    #[serde(default)]
    pub(crate) database_ms: u64,
}

/// What an exchange of this directory is made with.
pub(crate) struct Secrets {
    pub(crate) authority: DevAuthority,
    pub(crate) pepper: Secret,
    pub(crate) principal: PrincipalKey,
    /// The key of contract tokens.
    pub(crate) token_key: Secret,
}

impl Home {
    /// The directory that was named, else root's `/var/lib/aex`, else the user's state folder.
    pub(crate) fn choose(named: Option<PathBuf>) -> Result<Self, Problem> {
        if let Some(path) = named {
            return Ok(Self(path));
        }
        if rustix::process::geteuid().is_root() {
            return Ok(Self(PathBuf::from("/var/lib/aex")));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "read once, before there is a configuration"
        )]
        let given = |name| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        given("XDG_STATE_HOME")
            .or_else(|| given("HOME").map(|home| home.join(".local/state")))
            .map(|state| Self(state.join("aex")))
            .ok_or_else(|| {
                Problem::new("neither XDG_STATE_HOME nor HOME is set: name a directory with --data-dir")
            })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.0.join("postgres")
    }

    fn secrets_folder(&self) -> PathBuf {
        self.0.join("secrets")
    }

    fn note(&self) -> PathBuf {
        self.0.join("operator.json")
    }

    /// Is there an exchange in it?
    pub(crate) fn exists(&self) -> bool {
        self.secrets_folder().is_dir()
    }

    /// Makes the directory, and refuses one that cannot be used. The database's account, which is another one when root
    /// starts it, may pass through and no more.
    pub(crate) fn make(&self) -> Result<(), Problem> {
        for (folder, mode) in [(self.0.clone(), 0o711), (self.secrets_folder(), 0o700)] {
            fs::create_dir_all(&folder)
                .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)))
                .map_err(|error| {
                    Problem::new(format!(
                        "cannot make {}: {error}: name a folder of yours with --data-dir",
                        folder.display()
                    ))
                })?;
        }
        if let Ok(found) = rustix::fs::statvfs(&self.0) {
            self.check_room(found.f_bavail.saturating_mul(found.f_frsize))?;
        }
        self.check_version(env!("CARGO_PKG_VERSION"))
    }

    fn check_room(&self, free: u64) -> Result<(), Problem> {
        if free >= LEAST_ROOM {
            return Ok(());
        }
        Err(Problem::new(format!(
            "only {} MiB are free where {} is and PostgreSQL needs {}: free some, or choose another --data-dir",
            free >> 20,
            self.0.display(),
            LEAST_ROOM >> 20
        )))
    }

    /// Refuses a directory that a newer release has used, and notes the one that uses it now.
    fn check_version(&self, ours: &str) -> Result<(), Problem> {
        let file = self.0.join("version");
        let theirs = fs::read_to_string(&file).unwrap_or_default();
        if !theirs.trim().is_empty() && release(&theirs).is_none() {
            return Err(Problem::new(format!(
                "{} says {:?}, which is no release: is {} a folder of something else? Choose another --data-dir",
                file.display(),
                theirs.trim(),
                self.0.display()
            )));
        }
        if release(&theirs) > release(ours) {
            return Err(Problem::new(format!(
                "{} was used by aex {}, which is newer than this aex {ours}: use that one, or choose another --data-dir",
                self.0.display(),
                theirs.trim()
            )));
        }
        if theirs.trim() != ours {
            write_private(&file, &format!("{ours}\n"))?;
        }
        Ok(())
    }

    /// The secrets of this directory, made the first time.
    pub(crate) fn secrets(&self, runtime: &Runtime) -> Result<Secrets, Problem> {
        let folder = self.secrets_folder();
        let authority = DevAuthority::at(&folder, TRUST_DOMAIN, runtime.now())?;
        for secret in ["pepper", "token.key"] {
            self.check_kept(&folder.join(secret))?;
        }
        let pepper = kept(&folder.join("pepper"), || Ok(hex(&random(runtime))))?;
        let principal = kept(&folder.join("principal.key"), || {
            Ok(PrincipalKey::from_seed(&random(runtime))?
                .private_pem()
                .to_owned())
        })?;
        let token_key = kept(&folder.join("token.key"), || {
            Ok(PrincipalKey::from_seed(&random(runtime))?
                .private_pem()
                .to_owned())
        })?;
        Ok(Secrets {
            authority,
            token_key: Secret::new(token_key),
            pepper: Secret::new(pepper),
            principal: PrincipalKey::from_pem(&principal)?,
        })
    }

    /// Refuses to make a secret anew that what is stored depends on.
    fn check_kept(&self, secret: &Path) -> Result<(), Problem> {
        if secret.exists() || !self.cluster().join("PG_VERSION").exists() {
            return Ok(());
        }
        Err(Problem::new(format!(
            "{} is missing, and the keys or contracts of {} are worth nothing without it: bring it back, or choose another \
             --data-dir",
            secret.display(),
            self.0.display()
        )))
    }

    /// Writes a certificate for the operator, good for a day, and answers the one for the operator port.
    pub(crate) fn certify(
        &self,
        authority: &DevAuthority,
        runtime: &Runtime,
    ) -> Result<Credentials, Problem> {
        self.write_operator(authority, runtime)?;
        Ok(Credentials::new(&authority.service(PORT_NAME, runtime.now())?)?)
    }

    /// The same for another day.
    pub(crate) fn certify_again(
        &self,
        authority: &DevAuthority,
        runtime: &Runtime,
        credentials: &Credentials,
    ) -> Result<(), Problem> {
        self.write_operator(authority, runtime)?;
        Ok(credentials.replace(&authority.service(PORT_NAME, runtime.now())?)?)
    }

    fn write_operator(&self, authority: &DevAuthority, runtime: &Runtime) -> Result<(), Problem> {
        let folder = self.secrets_folder();
        let operator = authority.operator(OPERATOR, runtime.now())?;
        write_private(&folder.join("operator.key"), &operator.key)?;
        Ok(write_private(&folder.join("operator.pem"), &operator.cert)?)
    }

    /// Notes where the running exchange can be reached.
    pub(crate) fn announce(&self, running: &Running) -> Result<(), Problem> {
        Ok(write_private(
            &self.note(),
            &serde_json::to_string_pretty(running)?,
        )?)
    }

    /// Takes the note away.
    pub(crate) fn withdraw(&self) {
        let _ = fs::remove_file(self.note());
    }

    /// Where the running exchange of this directory can be reached; `None` when none is noted, or nobody listens where one is:
    /// who is killed takes no note away.
    pub(crate) fn running(&self) -> Option<Running> {
        let running: Running = serde_json::from_str(&fs::read_to_string(self.note()).ok()?).ok()?;
        let knock = TcpStream::connect_timeout(&running.operator, KNOCK);
        let is_gone = knock.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
        (!is_gone).then_some(running)
    }

    /// The way to the operator port of the exchange that runs here.
    pub(crate) fn operator(&self) -> Result<Wire, Problem> {
        let running = self.running().ok_or_else(|| {
            Problem::new(format!(
                "no exchange runs on {0}: start one with `aex dev --data-dir {0}`, or name its --data-dir",
                self.0.display()
            ))
        })?;
        let folder = self.secrets_folder();
        let pem = read_pem(
            &folder.join("ca.pem"),
            &folder.join("operator.pem"),
            &folder.join("operator.key"),
        )?;
        remote(PORT_NAME, &running.operator.to_string(), Credentials::new(&pem)?)
            .ok_or_else(|| Problem::new("the operator port cannot be named"))
    }
}

/// Major and minor version; patches read each other's data.
fn release(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.trim().split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// A secret from its file, made the first time.
fn kept(path: &Path, make: impl FnOnce() -> Result<String, Problem>) -> Result<String, Problem> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = make()?;
            write_private(path, &text)?;
            Ok(text)
        }
        Err(error) => Err(Problem::new(format!("{}: {error}", path.display()))),
    }
}

fn random(runtime: &Runtime) -> [u8; 32] {
    runtime.with_rng(|rng| {
        let mut bytes = [0; 32];
        rand::Rng::fill_bytes(rng, &mut bytes);
        bytes
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The time of commands that need no runtime.
pub(crate) fn clock() -> Clock {
    Clock::system()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_refused_before_the_database_finds_out() {
        let home = Home(PathBuf::from("/data"));
        home.check_room(LEAST_ROOM).unwrap();
        let refused = home.check_room(LEAST_ROOM - 1).unwrap_err().to_string();
        for word in ["only 255 MiB", "/data", "needs 256", "--data-dir"] {
            assert!(refused.contains(word), "{word} in {refused}");
        }
    }

    #[test]
    fn a_directory_that_lost_what_its_data_depends_on_is_not_started() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home(folder.path().to_owned());
        home.make().unwrap();
        let runtime = Runtime::system();
        home.secrets(&runtime).unwrap();
        fs::create_dir_all(home.cluster()).unwrap();
        fs::write(home.cluster().join("PG_VERSION"), "15\n").unwrap();
        home.secrets(&runtime).unwrap();
        for secret in ["pepper", "token.key"] {
            let path = home.secrets_folder().join(secret);
            let kept = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            let refused = home.secrets(&runtime).err().unwrap().to_string();
            for word in [secret, "is missing", "--data-dir"] {
                assert!(refused.contains(word), "{word} in {refused}");
            }
            assert!(!path.exists(), "nothing was put in its place");
            fs::write(&path, kept).unwrap();
        }
        home.secrets(&runtime).unwrap();
    }

    #[test]
    fn a_version_that_is_none_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home(folder.path().to_owned());
        fs::write(folder.path().join("version"), "of another program\n").unwrap();
        let refused = home.check_version("0.1.0").unwrap_err().to_string();
        for word in ["of another program", "no release", "--data-dir"] {
            assert!(refused.contains(word), "{word} in {refused}");
        }
    }

    #[test]
    fn a_directory_goes_on_to_newer_releases_and_not_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home(folder.path().to_owned());
        for version in ["0.1.0", "0.1.7", "0.1.2", "0.9.1", "0.10.0", "1.0.0"] {
            home.check_version(version).unwrap();
        }
        let refused = home.check_version("0.11.0").unwrap_err().to_string();
        for word in ["aex 1.0.0", "newer than this aex 0.11.0", "--data-dir"] {
            assert!(refused.contains(word), "{word} in {refused}");
        }
    }
}
