//! Configuration of the edge.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use aex_kit::config::{Auth, Peers, Telemetry, at_least_one};
use serde::{Deserialize, Serialize};

use crate::{OpenError, acceptor::Acceptor, cors::Origins};

/// Configuration of the edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens. Port 0 means any that is free.
    pub listen: SocketAddr,
    /// Certificates; without them it speaks plaintext, on loopback only.
    pub tls: Tls,
    /// Speaks plaintext to other machines too: behind a proxy that ends TLS.
    pub allow_plaintext: bool,
    /// Web origins whose pages may call: `https://app.example.com`, or `http://localhost:*` for any port.
    pub origins: Vec<String>,
    /// Answers reflection; only ever on loopback, where it is the default.
    pub reflection: Option<bool>,
    /// Connections at once; more are closed.
    #[serde(deserialize_with = "at_least_one")]
    pub max_connections: usize,
    /// Calls and watches at once on one connection.
    #[serde(deserialize_with = "at_least_one")]
    pub max_streams: u32,
    /// The private key, as PEM, that principals are signed with.
    pub principal_key_file: Option<PathBuf>,
    /// Who the gateway is towards the services.
    pub auth: Auth,
    /// Where the services are.
    pub peers: Peers,
    /// What it tells about itself.
    pub telemetry: Telemetry,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: Tls::default(),
            allow_plaintext: false,
            origins: vec!["http://localhost:*".to_owned(), "http://127.0.0.1:*".to_owned()],
            reflection: None,
            max_connections: 1024,
            max_streams: 100,
            principal_key_file: None,
            auth: Auth::default(),
            peers: Peers::default(),
            telemetry: Telemetry::default(),
        }
    }
}

impl Config {
    /// Can an edge be opened with it, as far as that can be told without its files?
    pub fn check(&self) -> Result<(), OpenError> {
        Origins::new(&self.origins).map_err(OpenError::Config)?;
        if self.tls.is_absent() && !self.listen.ip().is_loopback() && !self.allow_plaintext {
            return Err(OpenError::Plaintext(self.listen));
        }
        Ok(())
    }
}

/// The edge's own certificate, which clients see.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The certificate and its chain, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, as PEM.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    const fn is_absent(&self) -> bool {
        self.cert_file.is_none() && self.key_file.is_none()
    }

    /// What shakes hands with clients; `None` when nothing is configured.
    pub(crate) fn acceptor(&self) -> Result<Option<Acceptor>, OpenError> {
        let (cert, key) = match (&self.cert_file, &self.key_file) {
            (None, None) => return Ok(None),
            (Some(cert), Some(key)) => (cert, key),
            _ => {
                return Err(OpenError::Certificate(
                    "tls.cert_file and tls.key_file belong together".to_owned(),
                ));
            }
        };
        Acceptor::read(cert, key)
            .map(Some)
            .map_err(OpenError::Certificate)
    }
}
