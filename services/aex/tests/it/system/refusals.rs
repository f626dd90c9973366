//! Who is turned away: at the connection, by the guard, at the edge. Every method that services call is tried, from the
//! contracts, so that a new one is tried too.

use std::{collections::HashMap, path::Path, sync::Arc};

use aex_kit::{
    Clock, Principal, Runtime, TenantType, Wire,
    access::{self, Method},
    principal::{HEADER, PrincipalKey},
    remote,
    tls::{Credentials, DevAuthority, Pem},
};
use aex_proto::aex::common::v1::Audience;
use aex_testkit::{
    Fleet, FleetOptions, Refused,
    fleet::{GATEWAY, SERVICES},
    raw,
};
use hyper_util::rt::TokioIo;
use prost::bytes::Bytes;
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
        version::TLS13,
    },
};
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};

use super::{in_both_shapes, site::Site};

const AEX: &str = env!("CARGO_BIN_EXE_aex");
/// No message: what is refused before it is read is refused for another reason.
const GARBAGE: &[u8] = &[0xff; 64];

in_both_shapes! {
    the_edge_has_no_method_of_peers_and_operators
    an_operator_is_no_peer
}

async fn fleet() -> Fleet {
    Fleet::start(Path::new(AEX), FleetOptions::default()).await
}

/// The service that owns a method.
fn owner(method: &Method) -> &'static str {
    let package = method
        .path
        .strip_prefix("/aex.")
        .unwrap()
        .split('.')
        .next()
        .unwrap();
    let name = package.replace('_', "-");
    SERVICES
        .iter()
        .map(|(service, _)| *service)
        .find(|service| *service == name)
        .unwrap()
}

/// Every method that services call.
fn internal() -> Vec<Arc<Method>> {
    let methods = access::all_methods().unwrap().into_values();
    let internal: Vec<_> = methods
        .filter(|method| method.audience.contains(&Audience::Peers))
        .collect();
    assert!(internal.len() >= 15, "{internal:?}");
    internal
}

fn is_for_tenants(method: &Method) -> bool {
    use Audience::{Provider, Public, Requestor, Tenant};
    [Public, Tenant, Requestor, Provider]
        .iter()
        .any(|audience| method.audience.contains(audience))
}

async fn refused(way: impl raw::Way, method: &Method) -> Refused {
    raw::call(way, method, Request::new(Bytes::from_static(GARBAGE)))
        .await
        .into()
}

/// A connection without a certificate.
fn anonymous(fleet: &Fleet, service: &str) -> Channel {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(fleet.authority().cert_pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (config, address) = (Arc::new(config), fleet.address(service));
    let name = aex_kit::tls::server_name(service);
    let endpoint = Endpoint::from_shared(format!("http://{name}")).unwrap();
    endpoint.connect_with_connector_lazy(tower::service_fn(move |_| {
        let (config, name) = (Arc::clone(&config), ServerName::try_from(name.clone()).unwrap());
        async move {
            let socket = tokio::net::TcpStream::connect(address).await?;
            let stream = TlsConnector::from(config).connect(name, socket).await?;
            std::io::Result::Ok(TokioIo::new(stream))
        }
    }))
}

/// Certificates that no service takes, by what is wrong with them and what the service says of it.
fn wrong(fleet: &Fleet) -> Vec<(&'static str, Credentials)> {
    let now = Clock::system().now();
    let ours = fleet.authority();
    let named = |uris: &[&str]| {
        let uris: Vec<_> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        ours.issue(&uris, None, now).unwrap()
    };
    let forged = DevAuthority::new("aex", now)
        .unwrap()
        .service("contract-engine", now)
        .unwrap();
    let forged = Pem {
        ca: ours.cert_pem().to_owned(),
        ..forged
    };
    [
        (
            "not of the trust domain",
            named(&["spiffe://other/svc/contract-engine"]),
        ),
        (
            "names neither a service nor an operator",
            named(&["spiffe://aex/svc/contract-engine/more"]),
        ),
        ("exactly one URI", named(&[])),
        (
            "exactly one URI",
            named(&["spiffe://aex/svc/contract-engine", "spiffe://aex/svc/gateway"]),
        ),
        ("invalid peer certificate: BadSignature", forged),
    ]
    .into_iter()
    .map(|(says, pem)| (says, Credentials::new(&pem).unwrap()))
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_certificate_of_a_peer_is_refused_at_the_connection_whatever_it_calls() {
    let fleet = fleet().await;
    let methods = internal();
    let wrong = wrong(&fleet);
    let mut tried = HashMap::new();
    for method in &methods {
        let service = owner(method);
        let request = || Request::new(Bytes::from_static(GARBAGE));
        let answer = raw::call(anonymous(&fleet, service), method, request()).await;
        // No service has spoken: there is a status of the client's own, without a reason.
        assert_unreached(method, &answer);
        for (_, credentials) in &wrong {
            let answer = raw::call(fleet.wire_with(service, credentials.clone()), method, request()).await;
            let refused = Refused::from(answer);
            assert_eq!(
                refused.why(),
                (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"),
                "{}",
                method.path
            );
        }
        *tried.entry(service).or_insert(0) += 1;
    }
    for (service, tried) in tried {
        assert!(fleet.serves(service).await);
        let log = fleet.log(service);
        let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
        assert!(
            said("refused a connection") >= tried * (wrong.len() + 1),
            "{service}: {log}"
        );
        let reasons = wrong.iter().map(|(says, _)| *says).chain(["no certificate"]);
        for says in reasons {
            assert!(said(says) >= tried, "{service} has not said {says}: {log}");
        }
    }
    fleet.stop().await;
}

/// The refusal is the client's own: the connection ended, and nobody of the exchange has said a word.
fn assert_unreached(method: &Method, answer: &Result<Bytes, Status>) {
    let status = answer.as_ref().unwrap_err();
    // Its code depends on whether the connection ends before the call is written, while it is, or after.
    let is_transport =
        std::error::Error::source(status).is_some_and(<dyn std::error::Error>::is::<tonic::transport::Error>);
    assert!(
        status.details().is_empty() && is_transport,
        "{}: {status:?}",
        method.path
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_rule_does_not_name_is_refused_before_anything_else() {
    let fleet = fleet().await;
    let mut wires = HashMap::new();
    let mut wire = |service: &'static str, identity: &'static str| -> Wire {
        let made = wires
            .entry((service, identity))
            .or_insert_with(|| fleet.wire(service, identity));
        made.clone()
    };
    let tenant = principal(fleet.principal_key());
    for method in internal() {
        let service = owner(&method);
        for identity in SERVICES.iter().map(|(name, _)| *name).chain(["nobody"]) {
            let refused = refused(wire(service, identity), &method).await;
            let due = if method.callers.iter().any(|caller| caller == identity) {
                (Code::InvalidArgument, "REQUEST_UNREADABLE")
            } else if identity == GATEWAY {
                // The gateway speaks for others, and has brought nobody.
                (Code::Unauthenticated, "CREDENTIAL_MISSING")
            } else {
                (Code::PermissionDenied, "AUDIENCE_DENIED")
            };
            assert_eq!(refused.why(), due, "{identity} calls {}", method.path);
        }
        if !is_for_tenants(&method) {
            let mut request = Request::new(Bytes::from_static(GARBAGE));
            request.metadata_mut().insert(HEADER, tenant.parse().unwrap());
            let refused = Refused::from(raw::call(wire(service, GATEWAY), &method, request).await);
            assert_eq!(
                refused.why(),
                (Code::PermissionDenied, "AUDIENCE_DENIED"),
                "a tenant calls {}",
                method.path
            );
        }
    }
    assert_eq!(fleet.errors(), Vec::<String>::new());
    fleet.stop().await;
}

/// A principal that a key has signed, as it travels.
fn principal(key: &PrincipalKey) -> String {
    let runtime = Runtime::system();
    let principal = Principal {
        tenant: runtime.id(),
        tenant_type: TenantType::Both,
        internal: false,
        key: runtime.id(),
        scopes: vec!["*".to_owned()],
        provider: None,
    };
    key.sign(&principal, runtime.now()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_gateway_speaks_for_tenants_and_only_with_its_own_key() {
    let fleet = fleet().await;
    let methods = access::all_methods().unwrap();
    let method = &methods["/aex.settlement.v1.SettlementService/GetBalance"];
    let stranger = PrincipalKey::from_seed(&[3; 32]).unwrap();
    let ours = principal(fleet.principal_key());
    let theirs = principal(&stranger);
    for (identity, token, is_believed) in [
        (GATEWAY, &ours, true),
        (GATEWAY, &theirs, false),
        ("contract-engine", &ours, false),
        ("identity", &ours, false),
    ] {
        let mut request = Request::new(Bytes::new());
        request.metadata_mut().insert(HEADER, token.parse().unwrap());
        let answer = raw::call(fleet.wire("settlement", identity), method, request).await;
        if is_believed {
            answer.unwrap();
        } else {
            let refused = Refused::from(answer);
            assert_eq!(
                refused.why(),
                (Code::Unauthenticated, "CREDENTIAL_INVALID"),
                "{identity}"
            );
        }
    }
    fleet.stop().await;
}

/// With or without a key, with or without a principal of the caller's own: there is no such method at the edge.
async fn the_edge_has_no_method_of_peers_and_operators(site: &Site) {
    let ada = site.exchange.consumer("Ada").await;
    let forged = principal(&PrincipalKey::from_seed(&[3; 32]).unwrap());
    let methods = access::all_methods().unwrap();
    let mut tried = 0;
    for method in methods.values().filter(|method| !is_for_tenants(method)) {
        let mut with_principal = Request::new(Bytes::new());
        with_principal
            .metadata_mut()
            .insert(HEADER, forged.parse().unwrap());
        let answers = [
            raw::call(site.door(), method, Request::new(Bytes::new())).await,
            raw::call(ada.wire(None), method, Request::new(Bytes::new())).await,
            raw::call(ada.wire(None), method, with_principal).await,
        ];
        for answer in answers {
            assert_eq!(
                Refused::from(answer).why(),
                (Code::Unimplemented, "METHOD_UNKNOWN"),
                "{}",
                method.path
            );
        }
        tried += 1;
    }
    assert!(tried >= 15, "{tried}");
}

/// An operator's certificate opens what is for operators; what is for services only, it does not.
async fn an_operator_is_no_peer(site: &Site) {
    for method in internal() {
        let operator = site.exchange.operator(owner(&method));
        let refused = refused(operator, &method).await;
        let due = if method.audience.contains(&Audience::Operator) {
            (Code::InvalidArgument, "REQUEST_UNREADABLE")
        } else {
            (Code::PermissionDenied, "AUDIENCE_DENIED")
        };
        assert_eq!(refused.why(), due, "{}", method.path);
    }
    // In one process the operators' port lets in nobody else: no service comes from outside.
    let Some((address, authority)) = site.operator_port() else {
        return;
    };
    for identity in SERVICES.iter().map(|(name, _)| *name).chain(["nobody"]) {
        let pem = authority.service(identity, Clock::system().now()).unwrap();
        let wire = remote(GATEWAY, &address, Credentials::new(&pem).unwrap()).unwrap();
        for method in internal()
            .iter()
            .filter(|method| method.callers.iter().any(|caller| caller == identity))
        {
            let refused = refused(wire.clone(), method).await;
            assert_eq!(
                refused.why(),
                (Code::PermissionDenied, "AUDIENCE_DENIED"),
                "{}",
                method.path
            );
        }
    }
}
