//! `aex serve`: services as processes of their own, over mutual TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use aex_gateway::Edge;
use aex_kit::{
    Mesh, Peer, Runtime,
    config::{Auth, Peers},
    principal::{PrincipalKey, Verifier},
    probe::probes,
    reload::{Identity, follow_keys},
    serve, telemetry,
    tls::{Credentials, read_pem},
};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    database::Place,
    problem::Problem,
    sections::{environment, reachable, readable},
    services::{Opened, SERVICES, Seat, Service, Settings, named},
    show,
};

/// How often a service asks whether it can serve, at start.
const LOOK: Duration = Duration::from_millis(100);
/// The least time that calls under way have to end.
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Which services; `gateway` is the edge.
    #[arg(required = true, value_name = "SERVICE")]
    services: Vec<String>,
    /// Their configuration, one section each.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(options: Serve) -> Result<(), Problem> {
    let file = options.config.as_deref();
    readable(file)?;
    let with_edge = options.services.iter().any(|name| name == aex_gateway::NAME);
    let names: Vec<String> = options
        .services
        .iter()
        .filter(|name| *name != aex_gateway::NAME)
        .cloned()
        .collect();
    let services: Vec<_> = named(&names)?
        .into_iter()
        .map(|service| Ok((service, (service.settings)(file)?)))
        .collect::<Result<_, Problem>>()?;
    let drains = services.iter().map(|(_, settings)| settings.server.drain());
    let drain = drains.fold(DRAIN, Duration::max);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let runtime = Runtime::system();
    let serving = async {
        up(&services, file, with_edge, &runtime).await?;
        show::announce(&format!("serving {}\n", options.services.join(", ")));
        std::future::pending().await
    };
    // Who is asked to end while it still waits for something ends as well.
    let ended = tokio::select! {
        ended = serving => ended,
        () = runtime.stopping() => Err(Problem::broken()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    if !runtime.shutdown(drain).await {
        tracing::warn!(?drain, "some calls did not end in time");
    }
    ended
}

/// Opens everything, one service after the other; waits for each until it can serve.
async fn up(
    services: &[(&Service, Settings)],
    file: Option<&Path>,
    with_edge: bool,
    runtime: &Runtime,
) -> Result<(), Problem> {
    let mesh = Mesh::new(runtime);
    let mut opened = Vec::new();
    for (service, settings) in services {
        telemetry::start(&settings.telemetry)?;
        opened.push(seat(service, settings, file, &mesh, runtime).await?);
    }
    for service in &mut opened {
        std::mem::replace(&mut service.start, Box::new(|| {}))();
        while !service.ready.ask().await {
            runtime.pause(LOOK).await;
        }
    }
    if with_edge {
        edge(file, &mesh, runtime).await?;
    }
    Ok(())
}

/// Opens one service behind its own identity and its own socket.
async fn seat(
    service: &Service,
    settings: &Settings,
    file: Option<&Path>,
    mesh: &Mesh,
    runtime: &Runtime,
) -> Result<Opened, Problem> {
    let name = service.name;
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, service.port));
    let listen = settings.server.listen.unwrap_or(everywhere);
    let credentials = credentials(name, &settings.auth, runtime)?;
    mesh.identity(name, credentials.clone());
    know(mesh, name, &settings.peers)?;
    let opened = (service.open)(Seat {
        file: file.map(Path::to_owned),
        dev: None,
        place: Place::Configured,
        mesh: mesh.clone(),
        runtime: runtime.clone(),
        verifier: verifier(name, &settings.auth, runtime)?,
    })
    .await?;
    mesh.here(name, opened.guard.clone());
    let domain = settings.auth.trust_domain.clone();
    let listening = serve(listen, credentials, domain, opened.guard.clone(), runtime).await?;
    show::announce(&format!("{name} listens on {}\n", listening.address));
    if let Some(address) = settings.server.probes {
        let listening = probes(address, opened.ready.clone(), runtime).await?;
        show::announce(&format!("{name} answers probes on {}\n", listening.address));
    }
    Ok(opened)
}

async fn edge(file: Option<&Path>, mesh: &Mesh, runtime: &Runtime) -> Result<(), Problem> {
    let config: aex_gateway::Config = aex_kit::config::load(aex_gateway::NAME, file)?;
    telemetry::start(&config.telemetry)?;
    if !config.peers.is_empty() {
        let credentials = credentials(aex_gateway::NAME, &config.auth, runtime)?;
        mesh.identity(aex_gateway::NAME, credentials);
        know(mesh, aex_gateway::NAME, &config.peers)?;
    }
    let key = config.principal_key_file.as_deref().ok_or_else(|| {
        Problem::new("the edge has no key to sign principals with: set AEX_GATEWAY__PRINCIPAL_KEY_FILE")
    })?;
    let pem =
        std::fs::read_to_string(key).map_err(|error| Problem::new(format!("{}: {error}", key.display())))?;
    let reached: Vec<_> = SERVICES
        .iter()
        .map(|service| service.name)
        .filter(|name| config.peers.contains_key(*name) || mesh.guard(name).is_some())
        .collect();
    let listening = Edge::open(&config, PrincipalKey::from_pem(&pem)?, mesh, runtime, &reached)?
        .listen()
        .await?;
    show::announce(&format!("gateway listens on {}\n", listening.address));
    Ok(())
}

fn know(mesh: &Mesh, section: &str, peers: &Peers) -> Result<(), Problem> {
    reachable(section, peers)?;
    for (name, address) in peers {
        mesh.at(name, address);
    }
    Ok(())
}

/// The identity of a service, kept as its files are.
fn credentials(name: &str, auth: &Auth, runtime: &Runtime) -> Result<Credentials, Problem> {
    let (Some(ca), Some(cert), Some(key)) = (&auth.ca_file, &auth.cert_file, &auth.key_file) else {
        return Err(Problem::new(format!(
            "{name} has no identity: set {0}__AUTH__CA_FILE, {0}__AUTH__CERT_FILE and {0}__AUTH__KEY_FILE",
            environment(name)
        )));
    };
    let pem = read_pem(ca, cert, key)?;
    let refused = |what: String| Problem::new(format!("{name} cannot use {}: {what}", cert.display()));
    let peer = Peer::Service(name.to_owned());
    let found = pem
        .peer(&auth.trust_domain, runtime.now())
        .map_err(|error| refused(error.to_string()))?;
    if found != peer {
        return Err(refused(format!("it is the certificate of {found}")));
    }
    let credentials = Credentials::new(&pem).map_err(|error| refused(error.to_string()))?;
    let identity = Identity {
        credentials: credentials.clone(),
        peer,
        trust_domain: auth.trust_domain.clone(),
        files: [ca.clone(), cert.clone(), key.clone()],
    };
    identity.follow(runtime, auth.reload());
    Ok(credentials)
}

/// The keys whose principals a service believes, kept as their files are.
fn verifier(name: &str, auth: &Auth, runtime: &Runtime) -> Result<Verifier, Problem> {
    if auth.principal_key_files.is_empty() {
        return Err(Problem::new(format!(
            "{name} would believe no principal: name the gateway's public key in auth.principal_key_files"
        )));
    }
    let pems = auth
        .principal_key_files
        .iter()
        .map(|path| {
            std::fs::read_to_string(path)
                .map_err(|error| Problem::new(format!("{}: {error}", path.display())))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let verifier = Verifier::new(pems.iter().map(String::as_str))?;
    follow_keys(
        verifier.clone(),
        auth.principal_key_files.clone(),
        runtime,
        auth.reload(),
    );
    Ok(verifier)
}
