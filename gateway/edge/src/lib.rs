//! The door: keys become principals, gRPC and grpc-web on one port. It routes the methods that tenants and the public
//! may call, asks identity what a key is worth, and never lets a caller speak with the exchange's own headers.

mod acceptor;
pub mod config;
mod cors;
mod door;
mod error;
mod front;
mod headers;
mod proxy;
mod verdict;
mod watched;

use std::{net::SocketAddr, sync::Arc};

use aex_kit::{Mesh, Runtime, access::ContractError, principal::PrincipalKey};

pub use config::Config;
pub use door::Listening;

use crate::{cors::Origins, door::Door, front::Front, proxy::Proxy, verdict::Verdicts};

/// Its name among the services.
pub const NAME: &str = "gateway";

/// An edge that cannot be opened, in one line that says what to change.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A contract has a method without a rule.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Address {
        /// Which one.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Keys would travel in the clear.
    #[error(
        "{0} is reachable from other machines and no certificate is configured: set tls.cert_file and tls.key_file, \
         listen on 127.0.0.1, or set allow_plaintext behind a proxy that ends TLS"
    )]
    Plaintext(SocketAddr),
    /// The certificate cannot be used.
    #[error("the certificate of the edge cannot be used: {0}")]
    Certificate(String),
    /// Something that it was told cannot be used.
    #[error("the configuration of the edge cannot be used: {0}")]
    Config(String),
}

/// The edge of one process.
#[derive(Debug)]
pub struct Edge {
    config: Config,
    runtime: Runtime,
    front: Front,
}

impl Edge {
    /// An edge towards the services that the mesh reaches. It is ready once each of `services` has said that it can
    /// serve.
    pub fn open(
        config: &Config,
        key: PrincipalKey,
        mesh: &Mesh,
        runtime: &Runtime,
        services: &[&'static str],
    ) -> Result<Self, OpenError> {
        let origins = Origins::new(&config.origins).map_err(OpenError::Config)?;
        let verdicts = Arc::new(Verdicts::new(key, mesh, runtime));
        let proxy = Proxy::new(mesh, runtime, verdicts)?;
        let reflects = config.reflection.unwrap_or(true) && config.listen.ip().is_loopback();
        let front = Front::new(proxy, origins, reflects, mesh, runtime, services);
        Ok(Self {
            config: config.clone(),
            runtime: runtime.clone(),
            front,
        })
    }

    /// Opens the port. It drains with the runtime's shutdown.
    pub async fn listen(self) -> Result<Listening, OpenError> {
        self.config.check()?;
        let acceptor = self.config.tls.acceptor()?;
        Door::open(&self.config, acceptor, self.front, &self.runtime).await
    }
}
