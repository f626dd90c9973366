//! An exchange of `aex serve` processes as its operator reaches it: with a certificate, at the addresses that the
//! configuration names.

use std::{
    collections::HashMap,
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use aex_kit::{
    Clock, Peer, Wire,
    config::{Auth, Peers},
    remote,
    tls::{Credentials, read_pem},
};
use http::Request;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};
use tonic::{Code, Status, body::Body};
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    calls::{Caller, Unreached},
    problem::Problem,
    sections::{OPERATOR, readable},
    services::SERVICES,
};

/// What an operator is configured with.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operator {
    /// Who the operator is, and whom the operator believes.
    auth: Auth,
    /// Where the services are; those that are not named here are looked for where the gateway reaches them.
    peers: Peers,
}

/// One service, and the way to it.
#[derive(Clone)]
struct Way {
    service: &'static str,
    address: String,
    wire: Wire,
}

/// The way of an operator into a deployment; `None` when neither a file nor the environment names one.
pub(crate) fn operator(file: Option<&Path>, needed: &[&'static str]) -> Result<Option<Caller>, Problem> {
    readable(file)?;
    let mut config: Operator = aex_kit::config::load(OPERATOR, file)?;
    if file.is_none() && config.peers.is_empty() && config.auth.cert_file.is_none() {
        return Ok(None);
    }
    let edge: aex_gateway::Config = aex_kit::config::load(aex_gateway::NAME, file)?;
    for (service, address) in edge.peers {
        config.peers.entry(service).or_insert(address);
    }
    let credentials = credentials(&config.auth)?;
    let ways = needed
        .iter()
        .map(|service| {
            let address = config.peers.get(*service).ok_or_else(|| {
                Problem::new(format!(
                    "nothing says where {service} is: set operator.peers.{service} = \"host:port\" in the --config file, or \
                     AEX_OPERATOR__PEERS__{}",
                    service.replace('-', "_").to_uppercase()
                ))
            })?;
            let wire = remote(service, address, credentials.clone())
                .ok_or_else(|| Problem::new(format!("{service} cannot be named in a certificate")))?;
            let package = format!("aex.{}.v1", service.replace('-', "_"));
            Ok((package, Way { service, address: address.clone(), wire }))
        })
        .collect::<Result<HashMap<_, _>, Problem>>()?;
    Ok(Some(Caller {
        wire: switch(ways, config.auth),
        authorization: None,
        place: "the services".to_owned(),
    }))
}

/// The names of all services, for who needs every one.
pub(crate) fn everyone() -> Vec<&'static str> {
    SERVICES.iter().map(|service| service.name).collect()
}

fn credentials(auth: &Auth) -> Result<Credentials, Problem> {
    let (Some(ca), Some(cert), Some(key)) = (&auth.ca_file, &auth.cert_file, &auth.key_file) else {
        return Err(Problem::new(
            "there is no operator's certificate: set ca_file, cert_file and key_file under [operator.auth] in the --config \
             file, or AEX_OPERATOR__AUTH__CA_FILE, AEX_OPERATOR__AUTH__CERT_FILE and AEX_OPERATOR__AUTH__KEY_FILE",
        ));
    };
    let pem = read_pem(ca, cert, key)?;
    let domain = &auth.trust_domain;
    match pem.peer(domain, Clock::system().now()) {
        Ok(Peer::Operator(_)) => {}
        Ok(peer) => {
            return Err(Problem::new(format!(
                "{} is the certificate of spiffe://{domain}/{peer}: an operator's is spiffe://{domain}/operator/NAME",
                cert.display()
            )));
        }
        Err(error) => return Err(Problem::new(format!("{}: {error}", cert.display()))),
    }
    Credentials::new(&pem).map_err(|error| Problem::new(format!("{}: {error}", cert.display())))
}

/// Sends each call to the service whose contract it is of.
fn switch(ways: HashMap<String, Way>, auth: Auth) -> Wire {
    let ways = Arc::new(ways);
    let auth = Arc::new(auth);
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let contract = request.uri().path().trim_start_matches('/').split('/').next();
        let package = contract.and_then(|contract| contract.rsplit_once('.'));
        let way = package.and_then(|(package, _)| ways.get(package).cloned());
        let auth = Arc::clone(&auth);
        async move {
            let way =
                way.ok_or_else(|| Status::unimplemented("no service of the deployment has this method"))?;
            match way.wire.clone().oneshot(request).await {
                Err(status) if status.code() == Code::Unavailable => Err(unreached(&way, &auth, status)),
                other => other,
            }
        }
    }))
}

/// A status that says which service is away, where it was looked for, and why it was not reached.
fn unreached(way: &Way, auth: &Auth, mut status: Status) -> Status {
    let why = reason(way.service, auth, &status);
    status.set_source(Arc::new(Unreached(format!(
        "{} cannot be reached at {}: {why}",
        way.service, way.address
    ))));
    status
}

fn reason(service: &str, auth: &Auth, status: &Status) -> String {
    let file = |path: Option<&PathBuf>| path.map_or_else(String::new, |path| path.display().to_string());
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    let mut last = String::new();
    while let Some(current) = cause {
        last = current.to_string();
        if let Some(failed) = current.downcast_ref::<io::Error>() {
            if let Some(tls) = failed.get_ref().and_then(|inner| inner.downcast_ref()) {
                return handshake(
                    service,
                    &file(auth.ca_file.as_ref()),
                    &file(auth.cert_file.as_ref()),
                    tls,
                );
            }
            match failed.kind() {
                io::ErrorKind::ConnectionRefused => {
                    return format!("nothing listens there: start it with `aex serve {service}`");
                }
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                    return turned_away(auth);
                }
                _ => {}
            }
        }
        cause = current.source();
    }
    // What comes after the handshake comes through HTTP/2, which keeps the words of an error only.
    if last.contains("received fatal alert") {
        let cert = file(auth.cert_file.as_ref());
        return if last.contains("Expired") {
            expired(&cert)
        } else {
            untrusted(&cert)
        };
    }
    if last.contains("closed") || last.contains("canceled") {
        return turned_away(auth);
    }
    last
}

fn expired(cert: &str) -> String {
    format!("it says that {cert} has expired")
}

fn untrusted(cert: &str) -> String {
    format!("it does not trust the authority that {cert} is of")
}

fn turned_away(auth: &Auth) -> String {
    format!(
        "it ended the connection: does it belong to the trust domain {}, and trust the authority of your certificate?",
        auth.trust_domain
    )
}

fn handshake(service: &str, ca: &str, cert: &str, error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("what answers there is not {service}"),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            format!("its certificate is not of the authorities in {ca}")
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateExpired) => expired(cert),
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError,
        ) => untrusted(cert),
        other => other.to_string(),
    }
}
