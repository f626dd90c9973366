//! The exchange as it is deployed: every service and the edge a process of its own, over mutual TLS, on one PostgreSQL.
//!
//! A fleet has a loopback address of its own, drawn at random, and its services have the ports of the architecture
//! there, so everybody knows everybody's address before anything runs.

mod config;

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aex_kit::{
    Clock, Wire,
    principal::PrincipalKey,
    remote,
    tls::{Credentials, DevAuthority},
};
use aex_store::private::{Options, PrivateServer, Search};
use rand::RngExt as _;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::PgConnectOptions,
};
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{Process, Scratch, process::errors};

/// The edge's name among the services.
pub const GATEWAY: &str = "gateway";
/// The services and their ports, in an order in which each finds those that it asks.
pub const SERVICES: [(&str, u16); 10] = [
    ("event-ledger", 8092),
    ("identity", 8087),
    ("provider-registry", 8085),
    ("settlement", 8088),
    ("trust-broker", 8086),
    ("work-publisher", 8081),
    ("bid-gateway", 8082),
    ("bid-evaluator", 8083),
    ("contract-engine", 8084),
    (GATEWAY, 8080),
];

/// The domain of its certificates.
const TRUST_DOMAIN: &str = "aex";
/// The database of all schemas.
const DATABASE: &str = "aex";
/// How long a service may take to serve.
const READY: Duration = Duration::from_mins(1);
/// How often a service is asked whether it does.
const LOOK: Duration = Duration::from_millis(10);
/// How long a service may take to end when it is asked to: its own drain time and a little.
const STOP: Duration = Duration::from_secs(15);

/// What a fleet is started with.
#[derive(Debug, Clone)]
pub struct FleetOptions {
    /// Commits survive a crash of the machine.
    pub durable: bool,
    /// In which order the processes are started, nobody waiting for anybody; absent means the order of [`SERVICES`].
    pub order: Option<Vec<&'static str>>,
    /// As in development: no dispute window and no payout hold.
    pub windows_zero: bool,
    /// Deposits by the rail `test` are confirmed at once.
    pub test_rail: bool,
    /// What the services log.
    pub log_level: &'static str,
    /// More configuration, as the services read it from the environment.
    pub environment: Vec<(String, String)>,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            durable: false,
            order: None,
            windows_zero: true,
            test_rail: true,
            log_level: "info",
            environment: Vec::new(),
        }
    }
}

/// A running exchange of processes. Everything ends with it, also when the test is killed.
pub struct Fleet {
    // Dropped in this order: services, database, folder.
    processes: Mutex<HashMap<&'static str, Process>>,
    postgres: PrivateServer,
    folder: Scratch,
    binary: PathBuf,
    options: FleetOptions,
    address: Ipv4Addr,
    authority: DevAuthority,
    principal: PrincipalKey,
    environment: Vec<(String, String)>,
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Fleet {
    /// Starts every service of the binary `aex`, and waits until all of them serve.
    pub async fn start(binary: &Path, options: FleetOptions) -> Self {
        let order = options.order.clone();
        let fleet = Self::furnish(binary, options).await;
        let usual = || SERVICES.iter().map(|(name, _)| *name).collect();
        let order = order.unwrap_or_else(usual);
        fleet.launch(&order);
        fleet.wait_for(&order).await;
        fleet
    }

    /// Makes everything that a fleet stands on, and starts no service yet.
    pub async fn furnish(binary: &Path, options: FleetOptions) -> Self {
        let folder = Scratch::new();
        let mut cluster = Options::new(folder.path().join("postgres"), Search::from_env());
        cluster.durable = options.durable;
        cluster.template_cache = Some(std::env::temp_dir().join("aex-tests-template"));
        let postgres = tokio::task::spawn_blocking(move || PrivateServer::start(&cluster))
            .await
            .expect("the start does not panic")
            .expect("a private PostgreSQL for the fleet");
        let now = Clock::system().now();
        let fleet = Self {
            processes: Mutex::default(),
            postgres,
            folder,
            binary: binary.to_owned(),
            address: draw(),
            authority: DevAuthority::new(TRUST_DOMAIN, now).expect("a new authority"),
            principal: PrincipalKey::from_seed(&rand::rng().random()).expect("a new key"),
            environment: options.environment.clone(),
            options,
        };
        fleet.make_database().await;
        fleet.write_config();
        fleet
    }

    /// Starts processes one after the other, without waiting for any.
    pub fn launch(&self, services: &[&'static str]) {
        for service in services {
            let mut command = Command::new(&self.binary);
            command.args(["serve", service, "--config"]).arg(self.config());
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            let process = Process::start(service, &command, &self.log_file(service));
            let before = self.processes().insert(service, process);
            assert!(before.is_none(), "{service} runs already");
        }
    }

    /// Waits until these services serve. Fails the test with the last words of the one that does not.
    pub async fn wait_for(&self, services: &[&'static str]) {
        let begun = Instant::now();
        for service in services {
            while !self.serves(service).await {
                self.assert_alive(service, begun);
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    fn assert_alive(&self, service: &str, begun: Instant) {
        let mut processes = self.processes();
        let process = processes.get_mut(service).expect("it was launched");
        let end = process.end();
        assert!(end.is_none(), "{service} ended ({end:?})\n{}", process.tail());
        assert!(
            begun.elapsed() < READY,
            "{service} is not ready after {READY:?}\n{}",
            process.tail()
        );
    }

    /// Starts one service and waits until it serves.
    pub async fn start_one(&self, service: &'static str) {
        self.launch(&[service]);
        self.wait_for(&[service]).await;
    }

    /// Kills a service; it is gone when this returns.
    pub fn kill(&self, service: &str) {
        self.processes().remove(service).expect("it runs").kill();
    }

    /// Asks a service to end and waits until it has; answers how it did, and how long it took.
    pub async fn stop_one(&self, service: &str) -> (ExitStatus, Duration) {
        let mut process = self.processes().remove(service).expect("it runs");
        let asked = Instant::now();
        process.terminate();
        let end = process.ended(STOP).await;
        (end, asked.elapsed())
    }

    /// Asks all services to end at once, and waits. Fails the test when one does not end as it should.
    pub async fn stop_services(&self) {
        let mut processes = std::mem::take(&mut *self.processes());
        processes.values_mut().for_each(Process::terminate);
        for (service, mut process) in processes {
            let end = process.ended(STOP).await;
            assert!(end.success(), "{service} ended with {end}\n{}", process.tail());
        }
    }

    /// Stops everything. Fails the test when a service does not end as it should.
    pub async fn stop(self) {
        self.stop_services().await;
        tokio::task::spawn_blocking(move || drop(self))
            .await
            .expect("the end does not panic");
    }

    /// Does it answer that it can serve?
    pub async fn serves(&self, service: &str) -> bool {
        let request = HealthCheckRequest::default();
        let answer = if service == GATEWAY {
            let channel = Endpoint::from_shared(self.edge()).expect("an address");
            HealthClient::new(channel.connect_lazy()).check(request).await
        } else {
            HealthClient::new(self.operator(service)).check(request).await
        };
        answer.is_ok_and(|reply| reply.into_inner().status() == ServingStatus::Serving)
    }

    /// The edge, as clients write it: `http://127.…:8080`.
    pub fn edge(&self) -> String {
        format!("http://{}", self.address(GATEWAY))
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> SocketAddr {
        let port = SERVICES.iter().find(|(name, _)| *name == service);
        let (_, port) = port.unwrap_or_else(|| panic!("there is no service {service}"));
        SocketAddr::new(IpAddr::V4(self.address), *port)
    }

    /// The way to a service with the certificate of another service.
    pub fn wire(&self, service: &str, identity: &str) -> Wire {
        let pem = self.authority.service(identity, Clock::system().now());
        self.wire_with(service, Credentials::new(&pem.expect("issued")).expect("usable"))
    }

    /// The way to a service with an operator's certificate.
    pub fn operator(&self, service: &str) -> Wire {
        let pem = self.authority.operator("ada", Clock::system().now());
        self.wire_with(service, Credentials::new(&pem.expect("issued")).expect("usable"))
    }

    /// The way to a service with credentials of the test's choice.
    pub fn wire_with(&self, service: &str, credentials: Credentials) -> Wire {
        remote(service, &self.address(service).to_string(), credentials)
            .expect("a service's name is a host name")
    }

    /// The authority that all certificates come from.
    pub fn authority(&self) -> &DevAuthority {
        &self.authority
    }

    /// The key by which the edge says on whose behalf it calls.
    pub fn principal_key(&self) -> &PrincipalKey {
        &self.principal
    }

    /// The database server of all services.
    pub fn postgres(&self) -> &PrivateServer {
        &self.postgres
    }

    /// A connection to the services' database, as its superuser.
    pub async fn sql(&self) -> PgConnection {
        self.connect(DATABASE).await
    }

    /// The process of a service.
    pub fn pid(&self, service: &str) -> u32 {
        self.processes().get(service).expect("it runs").pid()
    }

    /// The file that all processes are configured with.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("aex.toml")
    }

    /// The folder of everything that belongs to it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What a service said, all its processes together.
    pub fn log(&self, service: &str) -> String {
        std::fs::read_to_string(self.log_file(service)).unwrap_or_default()
    }

    /// The lines of all logs that an exchange which is well does not write, each after its service's name.
    pub fn errors(&self) -> Vec<String> {
        let mut all = Vec::new();
        for (service, _) in SERVICES {
            let lines = errors(&self.log(service)).into_iter();
            all.extend(lines.map(|line| format!("{service}: {line}")));
        }
        all
    }

    fn log_file(&self, service: &str) -> PathBuf {
        self.folder.path().join(format!("{service}.log"))
    }

    fn processes(&self) -> MutexGuard<'_, HashMap<&'static str, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnectOptions::new_without_pgpass()
            .socket(self.postgres.socket_dir())
            .port(self.postgres.port())
            .username(self.postgres.superuser())
            .database(database)
            .connect()
            .await
            .expect("the superuser is let in")
    }

    /// One database, and for each service the role that migrates its schema and the one that works in it.
    async fn make_database(&self) {
        let mut sql = self.connect("postgres").await;
        let create = format!("CREATE DATABASE {DATABASE}");
        sql.execute(AssertSqlSafe(create)).await.expect("a new database");
        let mut roles = format!("REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;");
        for (service, _) in SERVICES.iter().filter(|(name, _)| *name != GATEWAY) {
            let role = service.replace('-', "_");
            let _ = write!(
                roles,
                "CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS;
                 CREATE ROLE {role}_owner LOGIN NOSUPERUSER NOBYPASSRLS;
                 GRANT CONNECT ON DATABASE {DATABASE} TO {role};
                 GRANT CONNECT, CREATE ON DATABASE {DATABASE} TO {role}_owner;"
            );
        }
        sql.execute(AssertSqlSafe(roles)).await.expect("new roles");
        sql.close().await.expect("a clean end");
    }
}

/// A loopback address on which nobody uses any of the ports.
fn draw() -> Ipv4Addr {
    for _ in 0..1000 {
        let mut rng = rand::rng();
        let address = Ipv4Addr::new(
            127,
            rng.random_range(1..=254),
            rng.random_range(1..=254),
            rng.random_range(1..=254),
        );
        let is_free = |(_, port): &(&str, u16)| TcpListener::bind((address, *port)).is_ok();
        if SERVICES.iter().all(is_free) {
            return address;
        }
    }
    panic!("no loopback address is free: does this machine have 127.0.0.0/8?")
}
