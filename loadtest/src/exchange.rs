//! The exchange that is measured: every service a process of its own, over mutual TLS, on a durable PostgreSQL.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use aex_kit::{Runtime, Wire, principal::PrincipalKey, tls::write_private};
use aex_testkit::{
    Fleet, FleetOptions,
    fleet::{GATEWAY, SERVICES},
};
use sqlx::postgres::PgConnectOptions;
use tokio::process::Command;

use crate::{
    caller::Door,
    cast::{Cast, Size},
    keys::Keys,
    problem::Problem,
};

/// The database of all services.
const DATABASE: &str = "aex";
/// How long the services may take to say what they know.
const FSCK_LIMIT: Duration = Duration::from_mins(5);
/// The threads of a process. The services and whoever asks them share the cores of one machine: a second thread of each would
/// only be woken in vain.
pub(crate) const THREADS: usize = 1;
/// Where a process is told.
pub(crate) const THREADS_VARIABLE: &str = "TOKIO_WORKER_THREADS";
/// Connections that the tenants share on their way to the edge.
const CONNECTIONS: usize = 4;

/// A running exchange, and who trades on it.
#[derive(Debug)]
pub(crate) struct Exchange {
    fleet: Fleet,
    aex: PathBuf,
    pub(crate) runtime: Runtime,
    pub(crate) keys: Keys,
    pub(crate) cast: Cast,
}

impl Exchange {
    /// Starts one, and assembles a cast.
    pub(crate) async fn start(aex: &Path, size: Size) -> Result<Self, Problem> {
        let options = FleetOptions {
            durable: true,
            // Disputes and payouts have their windows, so what waits for them piles up as it would in production.
            windows_zero: false,
            log_level: "warn",
            environment: vec![(THREADS_VARIABLE.to_owned(), THREADS.to_string())],
            ..FleetOptions::default()
        };
        let fleet = Fleet::start(aex, options).await;
        let runtime = Runtime::system();
        let door = Door::open(&fleet.edge(), CONNECTIONS).await?;
        let keys = Keys::new(&runtime);
        let cast = Cast::assemble(size, &fleet.operator("identity"), &door, &keys).await?;
        Ok(Self {
            fleet,
            aex: aex.to_owned(),
            runtime,
            keys,
            cast,
        })
    }

    /// The database of the services, as its superuser.
    pub(crate) fn database(&self) -> PgConnectOptions {
        self.admin().database(DATABASE)
    }

    /// The database server.
    pub(crate) fn admin(&self) -> PgConnectOptions {
        let server = self.fleet.postgres();
        PgConnectOptions::new_without_pgpass()
            .socket(server.socket_dir())
            .port(server.port())
            .username(server.superuser())
            .database("postgres")
    }

    /// The way to a service as the gateway has it, and the key by which the gateway speaks for tenants.
    pub(crate) fn direct(&self, service: &str) -> (Wire, &PrincipalKey) {
        (self.fleet.wire(service, "gateway"), self.fleet.principal_key())
    }

    /// The fleet itself.
    pub(crate) fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Ends a run: every key was used once, no service complained, every invariant holds, and everything that was
    /// acknowledged is there. Answers what fsck says.
    pub(crate) async fn end(self, acknowledged: &[String]) -> Result<String, Problem> {
        self.keys.check()?;
        let errors = self.fleet.errors();
        if let Some(first) = errors.first() {
            return Err(Problem::new(format!(
                "{} errors in the logs, first {first}",
                errors.len()
            )));
        }
        let acks: PathBuf = self.fleet.folder().join("acks");
        std::fs::write(&acks, acknowledged.join("\n"))?;
        let said = self.fsck(&acks).await?;
        self.fleet.stop().await;
        Ok(said)
    }

    /// Asks every service, as an operator, whether all is well.
    async fn fsck(&self, acks: &Path) -> Result<String, Problem> {
        let config = self.fleet.folder().join("operator.toml");
        std::fs::write(&config, self.operator()?)?;
        let asked = Command::new(&self.aex)
            .args(["fsck", "--config"])
            .arg(&config)
            .arg("--acks")
            .arg(acks)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let asked = tokio::time::timeout(FSCK_LIMIT, asked).await??;
        let said = String::from_utf8_lossy(&asked.stdout).trim().replace('\n', "; ");
        if asked.status.success() {
            Ok(said)
        } else {
            let complained = String::from_utf8_lossy(&asked.stderr);
            Err(Problem::new(format!("fsck: {said} {}", complained.trim())))
        }
    }

    /// What an operator's command is configured with: a certificate, and where everybody is.
    fn operator(&self) -> Result<String, Problem> {
        let pem = self.fleet.authority().operator("ada", self.runtime.now())?;
        let mut text = "[operator.auth]\n".to_owned();
        for (name, pem) in [("ca", &pem.ca), ("cert", &pem.cert), ("key", &pem.key)] {
            let file = self.fleet.folder().join(format!("operator.{name}"));
            write_private(&file, pem)?;
            let _ = writeln!(text, "{name}_file = {:?}", file.display().to_string());
        }
        text.push_str("[operator.peers]\n");
        for (service, _) in SERVICES.iter().filter(|(service, _)| *service != GATEWAY) {
            let _ = writeln!(text, "{service} = \"{}\"", self.fleet.address(service));
        }
        Ok(text)
    }
}
