//! What every call passes before a handler sees it. One service for sockets and in-process links alike; its steps
//! read from top to bottom in [`Guard::handle`].

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aex_error::{Code, Denied, Explain, Fault, fault, status};
use aex_proto::aex::common::v1::{Audience, ErrorReason as Common};
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body, service::Routes};
use tracing::Instrument as _;

use crate::{
    Caller, Peer, Principal, Runtime, TenantType,
    access::{Method, Methods},
    answer,
    call::Admitted,
    places::Places,
    principal::{self, Verifier},
    telemetry::Calls,
    trace::{REQUEST_ID, Trace},
};

/// The bytes of a gRPC frame in front of its message.
const FRAME_HEADER: usize = 5;

/// The service that stands at the edge: it alone brings principals.
pub(crate) const GATEWAY: &str = "gateway";

/// The front of one service: every call to it passes here.
#[derive(Clone, Debug)]
pub struct Guard(Arc<Inner>);

struct Inner {
    service: &'static str,
    runtime: Runtime,
    methods: Methods,
    routes: Routes,
    verifier: Verifier,
    calls: Arc<Places>,
    watches: Arc<Places>,
    measured: Calls,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// A call that is refused before its handler, for a reason other than its caller.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such method here")]
    MethodUnknown,
    #[error("too many calls are under way")]
    Overloaded,
    #[error("the time ran out; the outcome is unknown, call again with the same key")]
    DeadlineExceeded,
    #[error("the message is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the message cannot be read: {0}")]
    Unreadable(String),
    #[error("the handler panicked")]
    Panicked,
    #[error("{0} is away for now; call again")]
    Unavailable(String),
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Explain for Refusal {
    fn explain(&self) -> Fault {
        match self {
            Self::MethodUnknown => fault(Code::Unimplemented, Common::MethodUnknown),
            Self::Overloaded => fault(Code::Unavailable, Common::Overloaded),
            Self::DeadlineExceeded => fault(Code::DeadlineExceeded, Common::DeadlineExceeded),
            Self::TooLarge(limit) => fault(Code::ResourceExhausted, Common::MessageTooLarge)
                .with("limit_bytes", limit)
                .final_(),
            Self::Unreadable(_) => fault(Code::InvalidArgument, Common::RequestUnreadable),
            Self::Panicked => fault(Code::Internal, Common::Internal),
            Self::Unavailable(service) => {
                fault(Code::Unavailable, Common::DependencyUnavailable).with("dependency", service)
            }
            Self::Denied(denied) => denied.explain(),
        }
    }
}

/// How many calls and watches a service carries at once; more are refused at once instead of queueing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) calls: usize,
    pub(crate) watches: usize,
}

impl Guard {
    pub(crate) fn new(
        service: &'static str,
        runtime: Runtime,
        methods: Methods,
        routes: Routes,
        verifier: Verifier,
        capacity: Capacity,
    ) -> Self {
        Self(Arc::new(Inner {
            service,
            runtime,
            methods,
            routes: routes.prepare(),
            verifier,
            calls: Places::new(capacity.calls),
            watches: Places::new(capacity.watches),
            measured: Calls::server(),
        }))
    }

    async fn handle(self, mut request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let inner = &self.0;
        let trace = Trace::of(request.headers(), &inner.runtime);
        let path = request.uri().path().to_owned();
        let span = tracing::info_span!(
            "call",
            service = inner.service,
            method = path,
            request_id = &*trace.request_id,
            trace_id = trace.id(),
            caller = tracing::field::Empty
        );
        let response = async {
            if is_housekeeping(&path) {
                return self.routed(request).await;
            }
            let admitted = match self.admit(&mut request, &path, &trace, started) {
                Ok(admitted) => admitted,
                Err(refusal) => {
                    let refused = status(&refusal);
                    tracing::info!(code = ?refused.code(), reason = refusal.explain().reason(), "refused");
                    return refused.into_http();
                }
            };
            tracing::Span::current().record("caller", admitted.caller_name());
            let (method, deadline) = (Arc::clone(&admitted.method), admitted.deadline);
            request.extensions_mut().insert(admitted);
            let request = limited(request, method.max_message_bytes);
            let response = self.run(request, &method, deadline).await;
            response.map(|body| answer::limited(body, method))
        }
        .instrument(span.clone())
        .await;
        let mut response = described(response);
        let code = code_of(response.headers());
        // Callers choose the path; what is counted by it must not be theirs to choose.
        let counted = (inner.methods.contains_key(&path) || is_housekeeping(&path)).then_some(&*path);
        inner.measured.record(counted, code, started.elapsed());
        let took = started.elapsed();
        span.in_scope(|| tracing::debug!(?code, took_us = took.as_micros(), "answered"));
        if let Ok(value) = HeaderValue::from_str(&trace.request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    /// Finds the method, the caller and the time that is left, or refuses.
    fn admit(
        &self,
        request: &mut Request<Body>,
        path: &str,
        trace: &Trace,
        started: Instant,
    ) -> Result<Admitted, Refusal> {
        let inner = &self.0;
        let method = inner.methods.get(path).ok_or(Refusal::MethodUnknown)?;
        let peer = request.extensions_mut().remove::<Peer>();
        let principal = self.principal(request.headers(), peer.as_ref())?;
        let caller = caller(method, peer, principal)?;
        let allowed = time_allowed(request.headers(), method);
        if allowed.is_zero() {
            return Err(Refusal::DeadlineExceeded);
        }
        let capacity = if method.is_watch {
            &inner.watches
        } else {
            &inner.calls
        };
        let place = capacity.take(&caller).ok_or(Refusal::Overloaded)?;
        Ok(Admitted {
            runtime: inner.runtime.clone(),
            service: inner.service,
            method: Arc::clone(method),
            caller,
            request_id: Arc::clone(&trace.request_id),
            traceparent: Arc::clone(&trace.traceparent),
            deadline: started + allowed,
            place: Some(Arc::new(place)),
        })
    }

    /// The principal, which only the gateway may bring.
    fn principal(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Option<Principal>, Denied> {
        let mut given = headers.get_all(principal::HEADER).iter();
        let Some(token) = given.next() else {
            return Ok(None);
        };
        let from_gateway = matches!(peer, Some(Peer::Service(name)) if name == GATEWAY);
        if !from_gateway || given.next().is_some() {
            return Err(Denied::CredentialInvalid);
        }
        let token = token.to_str().map_err(|_| Denied::CredentialInvalid)?;
        self.0
            .verifier
            .verify(token, self.0.runtime.now())
            .map(Some)
            .ok_or(Denied::CredentialInvalid)
    }

    /// Runs the handler within its time. A mutation is a task of its own, so that a caller that hangs up does not stop
    /// it half-way; a query ends with its caller. The task begins when the whole request is there: what outlives the
    /// deadline may wait for nothing that the caller still has to send, or callers could hold places for ever.
    async fn run(&self, request: Request<Body>, method: &Method, deadline: Instant) -> Response<Body> {
        let ended = if method.is_query || method.is_watch {
            let work = AssertUnwindSafe(self.routed(request)).catch_unwind();
            timeout_at(deadline, work).await
        } else {
            let request = match timeout_at(deadline, arrived(request)).await {
                Ok(Ok(request)) => request,
                Ok(Err(broken)) => return broken.into_http(),
                Err(_) => return status(&Refusal::DeadlineExceeded).into_http(),
            };
            let work = AssertUnwindSafe(self.routed(request)).catch_unwind();
            let task = self.0.runtime.spawn(work.instrument(tracing::Span::current()));
            timeout_at(deadline, task)
                .await
                .map(|joined| joined.unwrap_or_else(|error| Err(Box::new(error))))
        };
        match ended {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => status(&Refusal::Panicked).into_http(),
            Err(_) => status(&Refusal::DeadlineExceeded).into_http(),
        }
    }

    fn routed(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send + 'static {
        let mut routes = self.0.routes.clone();
        async move {
            match tower::Service::call(&mut routes, request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    }
}

impl tower::Service<Request<Body>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.clone().handle(request).map(Ok).boxed()
    }
}

impl Admitted {
    fn caller_name(&self) -> String {
        match &self.caller {
            Caller::Public => "public".to_owned(),
            Caller::Tenant(principal) => principal.tenant.to_string(),
            Caller::Operator(name) | Caller::Service(name) => name.clone(),
        }
    }
}

/// Exactly one caller out of the peer, the principal and the method's rule. Nothing is looked up before this.
fn caller(method: &Method, peer: Option<Peer>, principal: Option<Principal>) -> Result<Caller, Denied> {
    let admits = |audience| method.audience.contains(&audience);
    match (peer, principal) {
        (Some(Peer::Operator(name)), None) if admits(Audience::Operator) => Ok(Caller::Operator(name)),
        (Some(Peer::Service(_)), Some(principal)) => {
            let fits = admits(Audience::Tenant)
                || (admits(Audience::Requestor) && principal.tenant_type != TenantType::Provider)
                || (admits(Audience::Provider) && principal.tenant_type != TenantType::Requestor);
            if !fits {
                return if admits(Audience::Public) {
                    Ok(Caller::Public)
                } else {
                    Err(Denied::Audience)
                };
            }
            if !principal.has_scope(&method.scopes) {
                return Err(Denied::Scope {
                    needed: method.scopes.clone(),
                });
            }
            Ok(Caller::Tenant(principal))
        }
        (Some(Peer::Service(name)), None) if admits(Audience::Peers) && method.callers.contains(&name) => {
            Ok(Caller::Service(name))
        }
        (Some(Peer::Service(name)), None) if name == GATEWAY => {
            if admits(Audience::Public) {
                Ok(Caller::Public)
            } else {
                Err(Denied::CredentialMissing)
            }
        }
        (Some(_), _) => Err(Denied::Audience),
        (None, _) => Err(Denied::CredentialMissing),
    }
}

/// Health and reflection have fixed rules: any peer that could connect may ask.
fn is_housekeeping(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.")
}

/// The request, whose body fails when it grows beyond the limit.
fn limited(request: Request<Body>, limit: usize) -> Request<Body> {
    request.map(|body| {
        Body::new(Limited::new(body, limit + FRAME_HEADER).map_err(move |error| {
            if error.is::<LengthLimitError>() {
                status(&Refusal::TooLarge(limit))
            } else {
                Status::from_error(error)
            }
        }))
    })
}

/// The request, once the last byte of its body is here.
async fn arrived(request: Request<Body>) -> Result<Request<Body>, Status> {
    let (head, body) = request.into_parts();
    let whole = body.collect().await?.to_bytes();
    Ok(Request::from_parts(head, Body::new(Full::new(whole))))
}

/// tonic refuses messages that it cannot decode without saying why in a form that programs can read.
fn described(response: Response<Body>) -> Response<Body> {
    let Some(bare) = Status::from_header_map(response.headers()) else {
        return response;
    };
    let refusal = match bare.code() {
        _ if !bare.details().is_empty() => return response,
        Code::Ok | Code::Cancelled => return response,
        Code::Unimplemented => Refusal::MethodUnknown,
        _ => Refusal::Unreadable(bare.message().to_owned()),
    };
    status(&refusal).into_http()
}

pub(crate) fn code_of(headers: &HeaderMap) -> Code {
    headers
        .get("grpc-status")
        .map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// The caller's deadline or the method's, whichever is sooner.
pub fn time_allowed(headers: &HeaderMap, method: &Method) -> Duration {
    let asked = headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(grpc_timeout);
    asked
        .filter(|_| !method.is_watch)
        .map_or(method.deadline, |asked| asked.min(method.deadline))
}

/// At most eight digits and a unit, as the gRPC protocol spells it.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_timeout_is_read_as_the_protocol_spells_it() {
        assert_eq!(grpc_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(grpc_timeout("0n"), Some(Duration::ZERO));
        assert_eq!(grpc_timeout("2H"), Some(Duration::from_hours(2)));
        for wrong in ["", "m", "1", "-1S", "123456789S", "1s", "1.5S", "1é"] {
            assert_eq!(grpc_timeout(wrong), None, "{wrong}");
        }
    }
}
