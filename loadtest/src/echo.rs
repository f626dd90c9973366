//! The echo: the cheapest thing that a server of this house can answer. A process of its own, the same HTTP/2 and mutual
//! TLS as every service, and behind them a generated gRPC server and nothing else: no guard, no principal, no database.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
};

use aex_kit::{
    Runtime, Wire, remote, serve,
    tls::{Credentials, DevAuthority, read_pem},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};
use tonic::service::Routes;

use crate::{
    exchange::{THREADS, THREADS_VARIABLE},
    problem::Problem,
    report::say,
};

/// Its name in its certificate.
const NAME: &str = "echo";
const TRUST_DOMAIN: &str = "aex";

/// A running echo; it ends with the value, and with the process that started it.
#[derive(Debug)]
pub(crate) struct Echo {
    // The process ends when its input does.
    #[expect(dead_code, reason = "held, not read: the process ends with it")]
    process: Child,
    wire: Wire,
}

impl Echo {
    /// Starts one with a certificate of an authority, in a folder that only this user reads.
    pub(crate) async fn start(
        authority: &DevAuthority,
        folder: &Path,
        runtime: &Runtime,
    ) -> Result<Self, Problem> {
        let pem = authority.service(NAME, runtime.now())?;
        for (file, text) in [("ca", &pem.ca), ("cert", &pem.cert), ("key", &pem.key)] {
            std::fs::write(folder.join(format!("{NAME}.{file}")), text)?;
        }
        let mut process = Command::new(std::env::current_exe()?)
            .arg("echo")
            .arg(folder)
            .env(THREADS_VARIABLE, THREADS.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process
            .stdout
            .take()
            .ok_or_else(|| Problem::new("an echo without output"))?;
        let address = BufReader::new(output).lines().next_line().await?;
        let address = address.ok_or_else(|| Problem::new("the echo did not start"))?;
        let client = Credentials::new(&authority.service("gateway", runtime.now())?)?;
        let wire = remote(NAME, &address, client);
        Ok(Self {
            process,
            wire: wire.ok_or_else(|| Problem::new("the echo has no name"))?,
        })
    }

    /// The way to it.
    pub(crate) fn wire(&self) -> Wire {
        self.wire.clone()
    }
}

/// The process itself: says its address, and serves until its input ends.
pub(crate) async fn serve_until_input_ends(folder: &Path) -> Result<(), Problem> {
    let file = |end: &str| folder.join(format!("{NAME}.{end}"));
    let credentials = Credentials::new(&read_pem(&file("ca"), &file("cert"), &file("key"))?)?;
    let (_, health) = tonic_health::server::health_reporter();
    let routes = Routes::new(health).prepare();
    let runtime = Runtime::system();
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listening = serve(anywhere, credentials, TRUST_DOMAIN.to_owned(), routes, &runtime).await?;
    say(listening.address);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}
