//! The edge's own certificate, which clients see, kept as its files are.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aex_kit::{Runtime, reload::Files};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        version::{TLS12, TLS13},
    },
};

/// What shakes hands with clients. Clones are the same.
#[derive(Clone)]
pub(crate) struct Acceptor {
    used: Arc<RwLock<TlsAcceptor>>,
    files: [PathBuf; 2],
}

impl Acceptor {
    pub(crate) fn read(cert: &Path, key: &Path) -> Result<Self, String> {
        let text =
            |path: &Path| fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
        let files = [cert.to_owned(), key.to_owned()];
        let made = make(&files, &[text(cert)?, text(key)?])?;
        Ok(Self {
            used: Arc::new(RwLock::new(made)),
            files,
        })
    }

    /// The one for the next connection.
    pub(crate) fn current(&self) -> TlsAcceptor {
        self.used.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes new certificates from the files for as long as the process runs.
    pub(crate) fn follow(&self, runtime: &Runtime, every: Duration) {
        let (acceptor, clock) = (self.clone(), runtime.clone());
        runtime.spawn_until_stop(async move {
            let mut files = Files::new(acceptor.files.to_vec());
            loop {
                clock.sleep(every).await;
                let Some(found) = files.look().await else { continue };
                match found.and_then(|texts| make(&acceptor.files, &texts)) {
                    Ok(made) => {
                        *acceptor.used.write().unwrap_or_else(PoisonError::into_inner) = made;
                        tracing::info!("certificate of the edge read");
                    }
                    Err(problem) => {
                        tracing::warn!(
                            problem,
                            "the new certificate of the edge cannot be used; the old one stays"
                        );
                    }
                }
            }
        });
    }
}

fn make([cert, key]: &[PathBuf; 2], texts: &[String]) -> Result<TlsAcceptor, String> {
    let [chain, secret] = texts else {
        return Err("a certificate has two files".to_owned());
    };
    let of = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| of(cert, &error))?;
    let secret = PrivateKeyDer::from_pem_slice(secret.as_bytes()).map_err(|error| of(key, &error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| of(cert, &error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
