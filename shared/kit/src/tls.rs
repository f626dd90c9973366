//! Mutual TLS between processes: one SPIFFE identity per certificate, and an authority for development.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aex_types::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use crate::Peer;

/// How long a certificate of the development authority lives.
const LEAF_LIFETIME: Duration = Duration::from_hours(24);
const CA_LIFETIME: Duration = Duration::from_hours(87600);

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The material is not what it should be.
    #[error("certificates: {0}")]
    Material(String),
}

impl TlsError {
    #[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
    fn material(error: impl ToString) -> Self {
        Self::Material(error.to_string())
    }
}

/// One identity as PEM: what a service or an operator is started with.
#[derive(Clone)]
pub struct Pem {
    /// The authorities that peers must come from.
    pub ca: String,
    /// The certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for Pem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

impl Pem {
    /// Who the certificate says it is, in a trust domain; refused when it cannot be used now.
    pub fn peer(&self, trust_domain: &str, now: Timestamp) -> Result<Peer, TlsError> {
        let leaf = self
            .chain()?
            .into_iter()
            .next()
            .ok_or_else(|| TlsError::Material("the file holds no certificate".to_owned()))?;
        let validity = Validity::of(&leaf)?;
        if validity.is_over(now) {
            return Err(TlsError::Material(format!(
                "the certificate has expired at {}",
                validity.end
            )));
        }
        identify(&leaf, trust_domain).map_err(TlsError::Material)
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        CertificateDer::pem_slice_iter(self.cert.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(TlsError::material)
    }
}

/// An identity in use. It can be replaced while connections are open: new ones use the new certificate.
#[derive(Clone)]
pub struct Credentials(Arc<RwLock<Loaded>>);

#[derive(Clone)]
struct Loaded {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    validity: Validity,
}

/// From when to when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub begin: Timestamp,
    /// Not after.
    pub end: Timestamp,
}

impl Validity {
    /// The validity of one certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, TlsError> {
        let (_, certificate) =
            x509_parser::certificate::X509Certificate::from_der(certificate).map_err(TlsError::material)?;
        let moment = |seconds: i64| {
            seconds
                .checked_mul(1_000_000)
                .and_then(Timestamp::from_unix_micros)
                .ok_or_else(|| TlsError::Material("a certificate is dated out of all calendars".to_owned()))
        };
        let validity = certificate.validity();
        Ok(Self {
            begin: moment(validity.not_before.timestamp())?,
            end: moment(validity.not_after.timestamp())?,
        })
    }

    /// Is it over?
    pub fn is_over(&self, now: Timestamp) -> bool {
        now > self.end
    }

    /// Is less than a quarter of it left?
    pub fn is_ending(&self, now: Timestamp) -> bool {
        self.end.since(now) < self.end.since(self.begin) / 4
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Credentials from PEM.
    pub fn new(pem: &Pem) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Loaded::new(pem)?))))
    }

    /// Uses another certificate from the next connection on.
    pub fn replace(&self, pem: &Pem) -> Result<(), TlsError> {
        let loaded = Loaded::new(pem)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// From when to when the certificate in use is good.
    pub fn validity(&self) -> Validity {
        self.0.read().unwrap_or_else(PoisonError::into_inner).validity
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).server)
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).client)
    }
}

impl Loaded {
    fn new(pem: &Pem) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(pem.ca.as_bytes()) {
            roots
                .add(root.map_err(TlsError::material)?)
                .map_err(TlsError::material)?;
        }
        let chain = pem.chain()?;
        let validity = chain
            .first()
            .map(|leaf| Validity::of(leaf))
            .ok_or_else(|| TlsError::Material("the file holds no certificate".to_owned()))??;
        let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).map_err(TlsError::material)?;
        let roots = Arc::new(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tls13 = [&rustls::version::TLS13];

        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(TlsError::material)?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&tls13)
            .map_err(TlsError::material)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(TlsError::material)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&tls13)
            .map_err(TlsError::material)?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .map_err(TlsError::material)?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            validity,
        })
    }
}

/// The DNS name that clients pin a service's certificate to.
pub fn server_name(service: &str) -> String {
    format!("{service}.svc.aex")
}

/// Who a certificate says it is: exactly one URI, `spiffe://<domain>/svc/<service>` or `…/operator/<name>`.
pub fn identify(certificate: &[u8], trust_domain: &str) -> Result<Peer, String> {
    let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(certificate)
        .map_err(|_| "the certificate cannot be read".to_owned())?;
    if certificate.is_ca() {
        return Err("an authority's certificate is no identity".to_owned());
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| "the certificate's names cannot be read".to_owned())?
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    let mut uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let (Some(uri), None) = (uris.next(), uris.next()) else {
        return Err("a certificate needs exactly one URI name".to_owned());
    };
    let path = uri
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.strip_prefix(trust_domain))
        .ok_or_else(|| format!("{uri} is not of the trust domain {trust_domain}"))?;
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(name) = path.strip_prefix("/svc/").filter(|name| is_name(name)) {
        return Ok(Peer::Service(name.to_owned()));
    }
    if let Some(name) = path.strip_prefix("/operator/").filter(|name| is_name(name)) {
        return Ok(Peer::Operator(name.to_owned()));
    }
    Err(format!("{uri} names neither a service nor an operator"))
}

/// An authority for development and tests: it issues short certificates from a key in the data directory.
pub struct DevAuthority {
    trust_domain: String,
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for DevAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevAuthority")
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

impl DevAuthority {
    /// A new authority.
    pub fn new(trust_domain: &str, now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate().map_err(TlsError::material)?;
        let mut params = lifetime(CertificateParams::default(), now, CA_LIFETIME)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(
            DnType::CommonName,
            format!("{trust_domain} development authority"),
        );
        let cert_pem = params.self_signed(&key).map_err(TlsError::material)?.pem();
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            cert_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority kept in a folder, made there the first time.
    pub fn at(folder: &Path, trust_domain: &str, now: Timestamp) -> Result<Self, TlsError> {
        let (cert_path, key_path) = (folder.join("ca.pem"), folder.join("ca.key"));
        if let (Ok(cert_pem), Ok(key)) = (fs::read_to_string(&cert_path), fs::read_to_string(&key_path)) {
            let key = KeyPair::from_pem(&key).map_err(TlsError::material)?;
            let issuer = Issuer::from_ca_cert_pem(&cert_pem, key).map_err(TlsError::material)?;
            return Ok(Self {
                trust_domain: trust_domain.to_owned(),
                cert_pem,
                issuer,
            });
        }
        let authority = Self::new(trust_domain, now)?;
        write_private(&key_path, &authority.issuer.key().serialize_pem())?;
        write_private(&cert_path, &authority.cert_pem)?;
        Ok(authority)
    }

    /// The authority's certificate, as PEM.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// An identity for a service, for a day.
    pub fn service(&self, name: &str, now: Timestamp) -> Result<Pem, TlsError> {
        self.issue(
            &[format!("spiffe://{}/svc/{name}", self.trust_domain)],
            Some(&server_name(name)),
            now,
        )
    }

    /// An identity for an operator, for a day.
    pub fn operator(&self, name: &str, now: Timestamp) -> Result<Pem, TlsError> {
        self.issue(
            &[format!("spiffe://{}/operator/{name}", self.trust_domain)],
            None,
            now,
        )
    }

    /// An identity with these names, right or wrong, for a day.
    pub fn issue(&self, uris: &[String], dns: Option<&str>, now: Timestamp) -> Result<Pem, TlsError> {
        let key = KeyPair::generate().map_err(TlsError::material)?;
        let mut params = lifetime(CertificateParams::default(), now, LEAF_LIFETIME)?;
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI(uri.as_str().try_into().map_err(TlsError::material)?));
        }
        if let Some(dns) = dns {
            params
                .subject_alt_names
                .push(SanType::DnsName(dns.try_into().map_err(TlsError::material)?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let cert = params
            .signed_by(&key, &self.issuer)
            .map_err(TlsError::material)?
            .pem();
        Ok(Pem {
            ca: self.cert_pem.clone(),
            cert,
            key: key.serialize_pem(),
        })
    }
}

fn lifetime(
    mut params: CertificateParams,
    now: Timestamp,
    span: Duration,
) -> Result<CertificateParams, TlsError> {
    let moment = |at: Timestamp| {
        time::OffsetDateTime::from_unix_timestamp(at.unix_micros().div_euclid(1_000_000))
            .map_err(TlsError::material)
    };
    // An hour of grace for clocks that are behind.
    params.not_before = moment(now.saturating_sub(Duration::from_hours(1)))?;
    params.not_after = moment(now.saturating_add(span))?;
    Ok(params)
}

/// Writes a file that only its owner reads, whole or not at all.
pub fn write_private(path: &Path, text: &str) -> Result<(), TlsError> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let problem = |source| TlsError::File {
        path: path.to_owned(),
        source,
    };
    let staged = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&staged)
        .map_err(problem)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(problem)?;
    fs::rename(&staged, path).map_err(problem)
}

/// An identity from its three files.
pub fn read_pem(ca: &Path, cert: &Path, key: &Path) -> Result<Pem, TlsError> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|source| TlsError::File {
            path: path.to_owned(),
            source,
        })
    };
    Ok(Pem {
        ca: read(ca)?,
        cert: read(cert)?,
        key: read(key)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(pem: &Pem) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.cert.as_bytes()).unwrap()
    }

    #[test]
    fn a_certificate_has_exactly_one_identity_of_our_domain() {
        let now = crate::Clock::system().now();
        let authority = DevAuthority::new("aex", now).unwrap();
        let service = authority.service("identity", now).unwrap();
        assert_eq!(
            identify(&der(&service), "aex"),
            Ok(Peer::Service("identity".to_owned()))
        );
        let operator = authority.operator("ada", now).unwrap();
        assert_eq!(
            identify(&der(&operator), "aex"),
            Ok(Peer::Operator("ada".to_owned()))
        );
        assert!(identify(&der(&service), "other").is_err());
        let wrong: [&[String]; 4] = [
            &[],
            &["spiffe://aex/svc/a".to_owned(), "spiffe://aex/svc/b".to_owned()],
            &["spiffe://aex/elsewhere/a".to_owned()],
            &["spiffe://aexx/svc/a".to_owned()],
        ];
        for uris in wrong {
            assert!(
                identify(&der(&authority.issue(uris, None, now).unwrap()), "aex").is_err(),
                "{uris:?}"
            );
        }
        let authority = CertificateDer::from_pem_slice(authority.cert_pem().as_bytes()).unwrap();
        assert!(identify(&authority, "aex").is_err());
    }

    #[test]
    fn the_authority_of_a_folder_is_the_same_the_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let now = crate::Clock::system().now();
        let first = DevAuthority::at(folder.path(), "aex", now).unwrap();
        let second = DevAuthority::at(folder.path(), "aex", now).unwrap();
        assert_eq!(first.cert_pem(), second.cert_pem());
        Credentials::new(&second.service("identity", now).unwrap()).unwrap();
    }
}
