//! An exchange to test, in either shape.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use aex_kit::{
    Clock,
    tls::{DevAuthority, write_private},
};
use aex_testkit::{Fleet, FleetOptions, Process, fleet::SERVICES, process::errors, trader::Exchange};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use crate::machine::Machine;

const AEX: &str = env!("CARGO_BIN_EXE_aex");
/// How long an exchange may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often is looked for what is to come.
const LOOK: Duration = Duration::from_millis(5);

/// A running exchange; it ends with the test.
pub struct Site {
    pub exchange: Exchange,
    shape: Shape,
}

enum Shape {
    // Dropped in this order: the process, then its folder.
    OneProcess(Process, Machine),
    Processes(Box<Fleet>),
}

impl Site {
    /// `aex dev`.
    pub async fn in_one_process() -> Self {
        let machine = Machine::new();
        let mut command = machine.command(&["dev", "--port", "0"]);
        command.env("AEX_LOG", "info");
        let mut process = Process::start("aex dev", &command, &machine.folder.path().join("dev.log"));
        until("aex dev is up", async || {
            assert!(process.end().is_none(), "{}", process.tail());
            process.said().contains("stop       Ctrl-C").then_some(())
        })
        .await;
        Self {
            exchange: Exchange::of_home(&machine.data()),
            shape: Shape::OneProcess(process, machine),
        }
    }

    /// Every service a process of its own.
    pub async fn in_processes() -> Self {
        let fleet = Fleet::start(Path::new(AEX), FleetOptions::default()).await;
        Self {
            exchange: exchange(&fleet),
            shape: Shape::Processes(Box::new(fleet)),
        }
    }

    /// The operators' port of one process, and the authority of its certificates.
    pub fn operator_port(&self) -> Option<(String, DevAuthority)> {
        let Shape::OneProcess(_, machine) = &self.shape else {
            return None;
        };
        let note = std::fs::read(machine.data().join("operator.json")).unwrap();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
        let secrets = machine.data().join("secrets");
        let authority = DevAuthority::at(&secrets, "aex", Clock::system().now()).unwrap();
        Some((note["operator"].as_str().unwrap().to_owned(), authority))
    }

    /// The way of a client without a key to the edge.
    pub fn door(&self) -> Channel {
        Endpoint::from_shared(self.exchange.edge().to_owned())
            .unwrap()
            .connect_lazy()
    }

    /// A connection to the database of all services, as its superuser.
    pub async fn sql(&self) -> PgConnection {
        match &self.shape {
            Shape::Processes(fleet) => fleet.sql().await,
            Shape::OneProcess(_, machine) => {
                let file = machine.data().join("postgres/data/postmaster.pid");
                let file = std::fs::read_to_string(file).unwrap();
                // Its fourth line is the port, its fifth the folder of the socket.
                let mut lines = file.lines().skip(3);
                let port = lines.next().unwrap().parse().unwrap();
                PgConnectOptions::new_without_pgpass()
                    .socket(lines.next().unwrap())
                    .port(port)
                    .username("postgres")
                    .database("aex")
                    .connect()
                    .await
                    .unwrap()
            }
        }
    }

    /// Nothing is broken, in the tables of each service and between them.
    pub fn check(&self) {
        let output = match &self.shape {
            Shape::OneProcess(_, machine) => machine.run(&["fsck", "--json"]),
            Shape::Processes(fleet) => {
                let mut fsck = Command::new(AEX);
                fsck.args(["fsck", "--json", "--config"]).arg(operator(fleet));
                fsck.output().unwrap()
            }
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let found: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(found["violations"].as_array().map(Vec::len), Some(0), "{found}");
    }

    /// Ends the exchange: nothing is broken, every process ends as it should, and nobody logged an error.
    pub async fn close(self) {
        self.check();
        let errors = match self.shape {
            Shape::OneProcess(mut process, machine) => {
                process.terminate();
                let end = process.ended(PATIENCE).await;
                assert!(end.success(), "{end}\n{}", process.tail());
                let errors = errors(&process.said());
                drop(machine);
                errors
            }
            Shape::Processes(fleet) => {
                fleet.stop_services().await;
                fleet.errors()
            }
        };
        assert_eq!(errors, Vec::<String>::new());
    }
}

/// A fleet as those who trade see it.
pub fn exchange(fleet: &Fleet) -> Exchange {
    let services = SERVICES.iter().map(|(name, _)| *name);
    let wires: HashMap<_, _> = services.map(|name| (name, fleet.operator(name))).collect();
    Exchange::new(&fleet.edge(), move |service| wires.get(service).unwrap().clone())
}

/// An operator's certificate, and the file that names it beside the services.
fn operator(fleet: &Fleet) -> PathBuf {
    let pem = fleet.authority().operator("ada", Clock::system().now()).unwrap();
    let write = |name: &str, text: &str| {
        let path = fleet.folder().join(name);
        write_private(&path, text).unwrap();
        path
    };
    let quoted = |path: PathBuf| format!("{:?}", path.display().to_string());
    let services = std::fs::read_to_string(fleet.config()).unwrap();
    let whole = format!(
        "{services}[operator.auth]\nca_file = {}\ncert_file = {}\nkey_file = {}\n",
        quoted(fleet.folder().join("ca.pem")),
        quoted(write("ada.pem", &pem.cert)),
        quoted(write("ada.key", &pem.key)),
    );
    write("operator.toml", &whole)
}

/// Looks until there is something. Fails the test when it does not come.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not after {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
}
