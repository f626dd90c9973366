//! Where the services are, and the clients that reach them: in this process or over mutual TLS, by the same call.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use aex_error::{Code, status};
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::TlsConnector;
use tonic::{
    Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{
    ServiceExt as _,
    retry::budget::{Budget as _, TpsBudget},
    util::BoxCloneSyncService,
};

use crate::{
    Call, Guard, Peer, Runtime,
    access::{self, Method, Methods},
    guard::{Refusal, code_of},
    telemetry::Calls,
    tls,
    trace::{REQUEST_ID, TRACEPARENT},
};

/// A way to a service: one request in, one response out.
pub type Wire = BoxCloneSyncService<Request<Body>, Response<Body>, Status>;

/// Attempts of one call, the first included.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles.
const BACK_OFF: Duration = Duration::from_millis(10);
/// Retries are at most a tenth of the calls, beyond a few a second that are always allowed.
const RETRY_SHARE: f32 = 0.1;
const RETRIES_PER_SECOND: u32 = 10;
/// The largest request that is kept for a second attempt.
const MAX_REQUEST: usize = (17 << 20) / 4 + 64;

static METHODS: LazyLock<Methods> = LazyLock::new(|| access::all_methods().unwrap_or_default());

/// The services that a process can reach. Clones are the same mesh.
#[derive(Clone, Debug)]
pub struct Mesh(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runtime: Runtime,
    here: RwLock<HashMap<String, Guard>>,
    at: RwLock<HashMap<String, String>>,
    identities: RwLock<HashMap<String, tls::Credentials>>,
    wires: RwLock<HashMap<(String, String), Wire>>,
}

impl Mesh {
    /// A mesh without services.
    pub fn new(runtime: &Runtime) -> Self {
        Self(Arc::new(Inner {
            runtime: runtime.clone(),
            here: RwLock::default(),
            at: RwLock::default(),
            identities: RwLock::default(),
            wires: RwLock::default(),
        }))
    }

    /// A service of this process.
    pub fn here(&self, service: &str, guard: Guard) {
        write(&self.0.here).insert(service.to_owned(), guard);
    }

    /// A service of another process, at `host:port`.
    pub fn at(&self, service: &str, address: &str) {
        write(&self.0.at).insert(service.to_owned(), address.to_owned());
    }

    /// The certificate that a service of this process calls others with.
    pub fn identity(&self, service: &str, credentials: tls::Credentials) {
        write(&self.0.identities).insert(service.to_owned(), credentials);
    }

    /// The guard of a service of this process.
    pub fn guard(&self, service: &str) -> Option<Guard> {
        read(&self.0.here).get(service).cloned()
    }

    /// A service's client side towards another service.
    pub fn link(&self, from: &'static str, to: &'static str) -> Link {
        let budget = TpsBudget::new(Duration::from_secs(10), RETRIES_PER_SECOND, RETRY_SHARE);
        Link {
            mesh: self.clone(),
            from,
            to,
            budget: Arc::new(budget),
            measured: Calls::client(),
        }
    }

    /// The plain way from one service to another, without deadline and retry.
    pub fn wire(&self, from: &str, to: &str) -> Result<Wire, Status> {
        if let Some(guard) = self.guard(to) {
            return Ok(in_process(guard, Peer::Service(from.to_owned())));
        }
        let key = (from.to_owned(), to.to_owned());
        if let Some(wire) = read(&self.0.wires).get(&key) {
            return Ok(wire.clone());
        }
        let away = || status(&Refusal::Unavailable(to.to_owned()));
        let address = read(&self.0.at).get(to).cloned().ok_or_else(away)?;
        let credentials = read(&self.0.identities).get(from).cloned().ok_or_else(away)?;
        let wire = remote(to, &address, credentials).ok_or_else(away)?;
        write(&self.0.wires).insert(key, wire.clone());
        Ok(wire)
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The way to a guard of this process, as a peer.
pub fn in_process(guard: Guard, peer: Peer) -> Wire {
    let service = tower::service_fn(move |mut request: Request<Body>| {
        request.extensions_mut().insert(peer.clone());
        let guard = guard.clone();
        async move {
            match guard.oneshot(request).await {
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    BoxCloneSyncService::new(service)
}

/// The way to a service at an address, over mutual TLS; connects at the first call and again after a loss.
pub fn remote(service: &str, address: &str, credentials: tls::Credentials) -> Option<Wire> {
    let name = tls::server_name(service);
    let endpoint = Endpoint::from_shared(format!("http://{name}"))
        .ok()?
        .connect_timeout(Duration::from_secs(2))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    let address = address.to_owned();
    let server_name = rustls::pki_types::ServerName::try_from(name).ok()?;
    let connector = tower::service_fn(move |_: Uri| {
        let (address, credentials, server_name) = (address.clone(), credentials.clone(), server_name.clone());
        async move {
            #[expect(clippy::disallowed_methods, reason = "this is where connections come from")]
            let socket = TcpStream::connect(&address).await?;
            socket.set_nodelay(true)?;
            let stream = TlsConnector::from(credentials.client())
                .connect(server_name, socket)
                .await?;
            std::io::Result::Ok(TokioIo::new(stream))
        }
    });
    let channel = endpoint.connect_with_connector_lazy(connector);
    let service = service.to_owned();
    Some(BoxCloneSyncService::new(tower::service_fn(
        move |request: Request<Body>| {
            let (channel, service) = (channel.clone(), service.clone());
            async move {
                send(channel, request)
                    .await
                    .map_err(|error| transport(&service, error))
            }
        },
    )))
}

async fn send(
    mut channel: Channel,
    request: Request<Body>,
) -> Result<Response<Body>, tonic::transport::Error> {
    channel.ready().await?;
    tower::Service::call(&mut channel, request).await
}

/// What a failed connection means to the caller: the callee is away, or the time ran out.
fn transport(service: &str, error: tonic::transport::Error) -> Status {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(current) = cause {
        if current.is::<tonic::TimeoutExpired>() {
            return status(&Refusal::DeadlineExceeded);
        }
        cause = current.source();
    }
    tracing::debug!(service, error = ?error, "cannot reach a peer");
    let mut away = status(&Refusal::Unavailable(service.to_owned()));
    // It stays in this process: who operates the exchange is told why.
    away.set_source(Arc::new(error));
    away
}

/// One service's client side towards another, before it is used on behalf of a call.
#[derive(Clone)]
pub struct Link {
    mesh: Mesh,
    from: &'static str,
    to: &'static str,
    budget: Arc<TpsBudget>,
    measured: Calls,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({} → {})", self.from, self.to)
    }
}

impl Link {
    /// The channel for a generated client, on behalf of a call: it passes the call's deadline, request id and trace on.
    /// It borrows the call, so it cannot be used while a transaction has it.
    pub fn on<'a>(&self, call: &'a Call) -> OnCall<'a> {
        OnCall {
            link: self.clone(),
            deadline: Instant::now() + call.time_left(),
            request_id: call.request_id().into(),
            traceparent: call.traceparent().into(),
            call: std::marker::PhantomData,
        }
    }
}

/// A link on behalf of one call.
#[derive(Clone, Debug)]
pub struct OnCall<'a> {
    link: Link,
    deadline: Instant,
    request_id: Arc<str>,
    traceparent: Arc<str>,
    call: std::marker::PhantomData<&'a Call>,
}

impl tower::Service<Request<Body>> for OnCall<'_> {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let outgoing = Outgoing {
            link: self.link.clone(),
            deadline: self.deadline,
            request_id: Arc::clone(&self.request_id),
            traceparent: Arc::clone(&self.traceparent),
        };
        outgoing.send(request).boxed()
    }
}

struct Outgoing {
    link: Link,
    deadline: Instant,
    request_id: Arc<str>,
    traceparent: Arc<str>,
}

impl Outgoing {
    /// Sends, and sends again what may be sent twice, while the budget and the time allow it.
    async fn send(self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let started = Instant::now();
        let path = request.uri().path().to_owned();
        let method = METHODS.get(&path).cloned();
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, MAX_REQUEST)
            .collect()
            .await
            .map_err(Status::from_error)?
            .to_bytes();
        self.link.budget.deposit();
        let mut attempt = 1;
        let answer = loop {
            let answer = self.attempt(&parts, body.clone(), method.as_deref()).await;
            let is_final = attempt == ATTEMPTS
                || !is_away(&answer)
                || !method.as_ref().is_some_and(|method| method.is_repeatable)
                || !self.link.budget.withdraw();
            if is_final {
                break answer;
            }
            let pause = BACK_OFF * 2_u32.pow(attempt - 1);
            let jitter = self
                .link
                .mesh
                .0
                .runtime
                .with_rng(|rng| rand::RngExt::random_range(rng, 0.5..1.0));
            if Instant::now() + pause >= self.deadline {
                break answer;
            }
            self.link.mesh.0.runtime.pause(pause.mul_f64(jitter)).await;
            attempt += 1;
        };
        let code = answer
            .as_ref()
            .map_or_else(Status::code, |response| code_of(response.headers()));
        self.link.measured.record(Some(&path), code, started.elapsed());
        answer
    }

    async fn attempt(
        &self,
        parts: &http::request::Parts,
        body: Bytes,
        method: Option<&Method>,
    ) -> Result<Response<Body>, Status> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(status(&Refusal::DeadlineExceeded));
        }
        let mut request = Request::new(Body::new(Full::new(body)));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        *request.headers_mut() = parts.headers.clone();
        let headers = request.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&self.request_id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Ok(value) = HeaderValue::from_str(&self.traceparent) {
            headers.insert(TRACEPARENT, value);
        }
        let is_watch = method.is_some_and(|method| method.is_watch);
        if !is_watch
            && let Ok(value) = HeaderValue::from_str(&format!("{}m", left.as_millis().clamp(1, 99_999_999)))
        {
            headers.insert("grpc-timeout", value);
        }
        let wire = self.link.mesh.wire(self.link.from, self.link.to)?;
        match tokio::time::timeout(left, wire.oneshot(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(status(&Refusal::DeadlineExceeded)),
        }
    }
}

fn is_away(answer: &Result<Response<Body>, Status>) -> bool {
    let code = answer
        .as_ref()
        .map_or_else(Status::code, |response| code_of(response.headers()));
    code == Code::Unavailable
}
