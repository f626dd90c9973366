//! The edge as a trader reaches it: an address, a key, and the certificates that it is trusted by.

use std::{fs, path::PathBuf, sync::Arc};

use clap::Args;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::transport::Endpoint;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use super::unread;
use crate::{calls::Caller, problem::Problem};

/// Where the exchange is and who calls.
#[derive(Debug, Args)]
pub(crate) struct Door {
    /// The edge, for example http://127.0.0.1:8080.
    #[arg(
        long,
        env = "AEX_SERVER",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    server: String,
    /// Certificates that an https edge is trusted by, as PEM.
    #[arg(long, env = "AEX_CA_FILE", value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// A file that holds the API key; without it AEX_API_KEY is read.
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
    #[arg(
        env = "AEX_API_KEY",
        hide = true,
        hide_env_values = true,
        long = "api-key-from-environment-only"
    )]
    api_key: Option<String>,
    /// Prints JSON.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// More fields of the request, as JSON with the names of the contract.
    #[arg(long, value_name = "JSON", global = true)]
    pub(super) request: Option<String>,
    /// Makes a change repeatable: the same key answers the same reply. 16 to 64 visible ASCII characters.
    #[arg(long, value_name = "KEY", global = true)]
    pub(super) idempotency_key: Option<String>,
    /// Continues a list.
    #[arg(long, value_name = "TOKEN", global = true)]
    pub(super) page_token: Option<String>,
}

impl Door {
    pub(super) fn caller(&self) -> Result<Caller, Problem> {
        let key = match &self.key_file {
            Some(path) => Some(fs::read_to_string(path).map_err(|error| unread("--key-file", path, &error))?),
            None => self.api_key.clone(),
        };
        // What a script exports when the command that makes the key has failed.
        let authorization = key
            .filter(|key| !key.trim().is_empty())
            .map(|key| format!("Bearer {}", key.trim()).parse())
            .transpose()
            .map_err(|_| Problem::usage("the API key holds characters that no key has"))?;
        let unusable = || {
            Problem::usage(format!(
                "{} is no address such as http://127.0.0.1:8080",
                self.server
            ))
        };
        let uri: Uri = self.server.parse().map_err(|_| unusable())?;
        let host = uri.host().ok_or_else(unusable)?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err(unusable());
        }
        let channel = match uri.scheme_str() {
            Some("http") => Endpoint::from(uri).connect_lazy(),
            Some("https") => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| unusable())?;
                let address = format!("{host}:{}", uri.port_u16().unwrap_or(443));
                let connector = self.tls()?;
                let plain = self.server.replacen("https", "http", 1);
                let connect = tower::service_fn(move |_: Uri| {
                    let (connector, name, address) = (connector.clone(), name.clone(), address.clone());
                    async move {
                        #[expect(
                            clippy::disallowed_methods,
                            reason = "a client of the public edge has no mesh to go through"
                        )]
                        let socket = tokio::net::TcpStream::connect(&address).await?;
                        std::io::Result::Ok(TokioIo::new(connector.connect(name, socket).await?))
                    }
                });
                Endpoint::from_shared(plain)?.connect_with_connector_lazy(connect)
            }
            _ => return Err(unusable()),
        };
        Ok(Caller {
            wire: BoxCloneSyncService::new(
                channel.map_err(|error| tonic::Status::from_error(Box::new(error))),
            ),
            authorization,
            place: self.server.clone(),
        })
    }

    fn tls(&self) -> Result<TlsConnector, Problem> {
        let path = self.ca_file.as_ref().ok_or_else(|| {
            Problem::usage("an https edge needs --ca-file: the certificates that it is trusted by")
        })?;
        let pem = fs::read(path).map_err(|error| unread("--ca-file", path, &error))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
