//! A small exchange for one test: services in either shape, and every kind of caller.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use aex_kit::{
    Clock, Guard, Hosted, ManualClock, Mesh, Peer, Principal, Runtime, TenantType, Wire,
    config::Server,
    host, in_process,
    principal::{HEADER, PrincipalKey, Verifier},
    remote, serve,
    tls::{Credentials, DevAuthority},
};
use aex_types::{KeyId, ProviderId, TenantId};
use http::HeaderValue;
use rand::{SeedableRng as _, rngs::StdRng};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

/// How services reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All in one process.
    InProcess,
    /// Over HTTP/2 and mutual TLS.
    MutualTls,
}

impl Shape {
    /// Both.
    pub const ALL: [Self; 2] = [Self::InProcess, Self::MutualTls];
}

/// A caller of a test.
#[derive(Debug, Clone)]
pub enum Who {
    /// Comes through the gateway without a credential.
    Anyone,
    /// Comes through the gateway with a key.
    Tenant(Principal),
    /// An operator with a certificate.
    Operator,
    /// A service with a certificate.
    Service(&'static str),
}

/// A small exchange.
#[derive(Debug)]
pub struct World {
    shape: Shape,
    runtime: Runtime,
    hand: ManualClock,
    mesh: Mesh,
    authority: DevAuthority,
    key: PrincipalKey,
    guards: HashMap<&'static str, Guard>,
    addresses: HashMap<&'static str, SocketAddr>,
}

/// The trust domain of tests.
const TRUST_DOMAIN: &str = "aex";

impl World {
    /// An exchange without services. Its clock begins now and stands still.
    pub fn new(shape: Shape) -> Self {
        let now = Clock::system().now();
        let (clock, hand) = Clock::manual(now);
        let runtime = Runtime::new(clock, StdRng::seed_from_u64(now.unix_millis()));
        Self {
            shape,
            mesh: Mesh::new(&runtime),
            runtime,
            hand,
            authority: DevAuthority::new(TRUST_DOMAIN, now).expect("a new authority"),
            key: PrincipalKey::from_seed(&[7; 32]).expect("a new key"),
            guards: HashMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// The runtime to open services with.
    pub const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The mesh to open services with.
    pub const fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// The authority that its certificates come from.
    pub const fn authority(&self) -> &DevAuthority {
        &self.authority
    }

    /// Where a service listens, in the shape of mutual TLS.
    pub fn address(&self, service: &str) -> Option<SocketAddr> {
        self.addresses.get(service).copied()
    }

    /// Moves the time on.
    pub fn advance(&self, span: Duration) {
        self.hand.advance(span);
    }

    /// Gives a service that is not hosted here a certificate to call others with.
    pub fn know(&self, service: &str) {
        self.mesh.identity(service, self.credentials(service));
    }

    /// The header by which the gateway says on whose behalf it calls.
    pub fn sign(&self, principal: &Principal) -> String {
        self.key
            .sign(principal, self.runtime.now())
            .expect("the key signs")
    }

    /// Hosts a service and makes it known to the others.
    pub async fn host<S: Hosted>(&mut self, service: &Arc<S>) {
        self.host_with(
            service,
            &Server {
                reflection: true,
                ..Server::default()
            },
        )
        .await;
    }

    /// Hosts a service with limits of the test's choice.
    pub async fn host_with<S: Hosted>(&mut self, service: &Arc<S>, config: &Server) {
        let verifier = Verifier::new([self.key.public_pem()]).expect("the key is readable");
        let (guard, _) = host(service, &self.runtime, config, verifier)
            .await
            .expect("the contract can be hosted");
        match self.shape {
            Shape::InProcess => self.mesh.here(S::NAME, guard.clone()),
            Shape::MutualTls => {
                let credentials = self.credentials(S::NAME);
                self.mesh.identity(S::NAME, credentials.clone());
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let listening = serve(
                    any,
                    credentials,
                    TRUST_DOMAIN.to_owned(),
                    guard.clone(),
                    &self.runtime,
                )
                .await
                .expect("a port is free");
                self.mesh.at(S::NAME, &listening.address.to_string());
                self.addresses.insert(S::NAME, listening.address);
            }
        }
        self.guards.insert(S::NAME, guard);
    }

    fn credentials(&self, service: &str) -> Credentials {
        let pem = self
            .authority
            .service(service, Clock::system().now())
            .expect("the authority issues");
        Credentials::new(&pem).expect("its certificates are usable")
    }

    /// A caller's way to a service, for a generated client.
    pub fn client(&self, who: &Who, service: &str) -> Wire {
        let wire = match who {
            Who::Anyone | Who::Tenant(_) => self.wire(Peer::Service("gateway".to_owned()), service),
            Who::Operator => self.wire(Peer::Operator("ada".to_owned()), service),
            Who::Service(name) => self.wire(Peer::Service((*name).to_owned()), service),
        };
        let Who::Tenant(principal) = who else { return wire };
        let token = self.sign(principal);
        let token = HeaderValue::from_str(&token).expect("a token is ASCII");
        let with_principal = tower::service_fn(move |mut request: http::Request<Body>| {
            request.headers_mut().insert(HEADER, token.clone());
            tower::ServiceExt::oneshot(wire.clone(), request)
        });
        BoxCloneSyncService::new(with_principal)
    }

    fn wire(&self, peer: Peer, service: &str) -> Wire {
        let guard = self.guards.get(service).expect("the service is hosted").clone();
        let Some(address) = self.address(service) else {
            return in_process(guard, peer);
        };
        let now = Clock::system().now();
        let pem = match &peer {
            Peer::Service(name) => self.authority.service(name, now),
            Peer::Operator(name) => self.authority.operator(name, now),
        };
        let credentials = Credentials::new(&pem.expect("the authority issues")).expect("usable certificates");
        remote(service, &address.to_string(), credentials).expect("a service's name is a host name")
    }
}

/// A tenant that may do everything, with ids of its own.
pub fn principal(world: &World) -> Principal {
    Principal {
        tenant: world.runtime().id::<aex_types::id::kind::Tenant>() as TenantId,
        tenant_type: TenantType::Both,
        internal: false,
        key: world.runtime().id::<aex_types::id::kind::Key>() as KeyId,
        scopes: vec!["*".to_owned()],
        provider: None::<ProviderId>,
    }
}
