//! `aex dev`: the whole exchange in one process.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use aex_gateway::Edge;
use aex_kit::{Runtime, config::Telemetry, serve, telemetry, tls::Credentials};
use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{
    exchange::Exchange,
    home::{Home, Running, TRUST_DOMAIN},
    operator::Switch,
    problem::Problem,
    sections::understood,
    show,
};

/// How often the operator's certificate, which lives a day, is renewed.
const RENEWAL: Duration = Duration::from_hours(12);
/// How long calls under way may take to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How often PostgreSQL is looked at.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Where the exchange keeps everything; by default /var/lib/aex for root, else ~/.local/state/aex.
    #[arg(long, env = "AEX_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The port of the edge; 0 means any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// What is logged on standard error: `warn`, `info`, or a filter such as `aex_kit=debug,info`.
    #[arg(long, env = "AEX_LOG", default_value = "warn", value_name = "FILTER")]
    log: String,
}

pub(crate) async fn run(options: Dev) -> Result<(), Problem> {
    let begun = Instant::now();
    telemetry::start(&Telemetry {
        log_level: options.log,
        log_json: None,
    })?;
    understood()?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let home = Home::choose(options.data_dir)?;
    // Where an exchange runs already, its data directory is refused, which says more than its port does.
    if home.running().is_none() {
        free(options.port)?;
    }
    let mut exchange = tokio::select! {
        opened = Exchange::open(&home) => opened?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };

    let ended = match up(&home, &mut exchange, options.port, begun).await {
        Ok(()) => tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            () = exchange.runtime.stopping() => Err(Problem::broken()),
            () = database_gone(&exchange) => Err(why_gone(&exchange.server.log())),
        },
        Err(problem) => Err(problem),
    };
    home.withdraw();
    let closing = exchange.close(DRAIN);
    tokio::select! {
        closed = closing => closed?,
        // Who asks twice does not want to wait; PostgreSQL ends with this process.
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    ended
}

/// Refuses a port that is taken before a cluster is made for it. It is let go again: nobody shall wait at a door that is not open
/// yet.
fn free(port: u16) -> Result<(), Problem> {
    let address = edge(port);
    let refused = |error: std::io::Error| {
        Problem::new(format!(
            "cannot listen on {address}: {error}: choose another --port"
        ))
    };
    TcpListener::bind(address).map(drop).map_err(refused)
}

fn edge(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Opens the doors, lets the workers begin, and says where everything is.
async fn up(home: &Home, exchange: &mut Exchange, port: u16, begun: Instant) -> Result<(), Problem> {
    let runtime = exchange.runtime.clone();
    let mut config: aex_gateway::Config = aex_kit::config::load(aex_gateway::NAME, None)?;
    config.listen = edge(port);
    let signer = aex_kit::principal::PrincipalKey::from_pem(exchange.secrets.principal.private_pem())?;
    let names: Vec<_> = exchange.services.iter().map(|service| service.name).collect();
    let door = Edge::open(&config, signer, &exchange.mesh, &runtime, &names)?
        .listen()
        .await?;

    let credentials = home.certify(&exchange.secrets.authority, &runtime)?;
    let operator = serve(
        SocketAddr::from(([127, 0, 0, 1], 0)),
        credentials.clone(),
        TRUST_DOMAIN.to_owned(),
        Switch::new(&exchange.services),
        &runtime,
    )
    .await?;
    runtime.spawn_until_stop(renew(home.clone(), runtime.clone(), credentials));
    for service in &mut exchange.services {
        std::mem::replace(&mut service.start, Box::new(|| {}))();
    }

    let running = Running {
        operator: operator.address,
        edge: format!("http://{}", door.address),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database_ms: u64::try_from(exchange.server.started_in().as_millis()).unwrap_or(u64::MAX),
    };
    home.announce(&running)?;
    show::announce(&block(home, &running, exchange, begun.elapsed()));
    Ok(())
}

fn block(home: &Home, running: &Running, exchange: &Exchange, took: Duration) -> String {
    let server = if running.edge.ends_with(":8080") {
        String::new()
    } else {
        format!(" --server {}", running.edge)
    };
    let names: Vec<_> = exchange.services.iter().map(|service| service.name).collect();
    format!(
        "Agent Exchange {version} is up after {took:.1} s (PostgreSQL {database:.1} s)\n\
         \x20 edge       {edge}  gRPC and grpc-web\n\
         \x20 operators  {operator}  mutual TLS\n\
         \x20 data       {data}\n\
         \x20 services   {services}\n\
         \x20 first key  aex init --data-dir {data}\n\
         \x20 then       AEX_API_KEY=… aex work list{server}\n\
         \x20 stop       Ctrl-C\n",
        version = running.version,
        took = took.as_secs_f64(),
        database = exchange.server.started_in().as_secs_f64(),
        edge = running.edge,
        operator = running.operator,
        data = home.path().display(),
        services = names.join(", "),
    )
}

/// Keeps the certificates of operator and port good for as long as the exchange runs.
async fn renew(home: Home, runtime: Runtime, credentials: Credentials) {
    loop {
        runtime.sleep(RENEWAL).await;
        if let Err(problem) = again(&home, &runtime, &credentials) {
            tracing::error!(%problem, "the operator's certificate cannot be renewed");
        }
    }
}

fn again(home: &Home, runtime: &Runtime, credentials: &Credentials) -> Result<(), Problem> {
    let secrets = home.secrets(runtime)?;
    home.certify_again(&secrets.authority, runtime, credentials)
}

/// Why PostgreSQL ended by itself, as far as it said so in this run.
fn why_gone(log: &Path) -> Problem {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut run = text
        .lines()
        .rev()
        .take_while(|line| !line.contains("starting PostgreSQL"));
    let why = run.find_map(|line| line.split_once("PANIC:"));
    let why = why.map_or_else(String::new, |(_, why)| format!(": {}", why.trim()));
    Problem::new(format!(
        "PostgreSQL ended{why}; what it said last is in {}",
        log.display()
    ))
}

async fn database_gone(exchange: &Exchange) {
    while exchange.server.is_running() {
        exchange.runtime.pause(LOOK).await;
    }
}
