//! One call through the edge, from top to bottom: method, headers, credential, deadline, and on to the service.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use aex_error::{Denied, Explain as _, status};
use aex_kit::{
    Mesh, REQUEST_ID, Runtime, Trace,
    access::{self, ContractError, Method},
    principal, time_allowed,
};
use aex_proto::aex::common::v1::Audience;
use futures::{FutureExt as _, future::BoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version};
use http_body::Body as _;
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body};
use tower::ServiceExt as _;

use crate::{
    NAME,
    error::Refusal,
    headers,
    verdict::{Credential, Verdict, Verdicts},
    watched::{end_of, limited, watched},
};

/// A method that the edge routes, and the service that owns it.
#[derive(Debug)]
struct Route {
    service: String,
    method: Arc<Method>,
}

/// What stands between clients and services.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    mesh: Mesh,
    runtime: Runtime,
    routes: HashMap<String, Route>,
    verdicts: Arc<Verdicts>,
}

impl Proxy {
    pub(crate) fn new(
        mesh: &Mesh,
        runtime: &Runtime,
        verdicts: Arc<Verdicts>,
    ) -> Result<Self, ContractError> {
        let routes = access::all_methods()?
            .into_iter()
            .filter(|(_, method)| is_public(method))
            .filter_map(|(path, method)| {
                let service = owner(&path)?;
                Some((path, Route { service, method }))
            })
            .collect();
        Ok(Self(Arc::new(Inner {
            mesh: mesh.clone(),
            runtime: runtime.clone(),
            routes,
            verdicts,
        })))
    }

    async fn handle(self, request: Request<Body>) -> Response<Body> {
        let started = Instant::now();
        let inner = &self.0;
        let trace = Trace::of(request.headers(), &inner.runtime);
        let path = request.uri().path().to_owned();
        let mut response = match self.forward(request, &path, &trace, started).await {
            Ok(response) => response,
            Err(Answer::Refused(refusal)) => {
                tracing::info!(
                    method = path,
                    request_id = &*trace.request_id,
                    reason = refusal.explain().reason(),
                    "refused at the edge"
                );
                status(&refusal).into_http()
            }
            Err(Answer::Failed(status)) => status.into_http(),
        };
        if let Ok(value) = HeaderValue::from_str(&trace.request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }

    async fn forward(
        &self,
        request: Request<Body>,
        path: &str,
        trace: &Trace,
        started: Instant,
    ) -> Result<Response<Body>, Answer> {
        let inner = &self.0;
        let route = inner.routes.get(path).ok_or(Refusal::MethodUnknown)?;
        headers::check(request.headers())?;
        let admitted = self.admit(request.headers(), &route.method).await?;
        let allowed = time_allowed(request.headers(), &route.method);
        let deadline = started + allowed;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Refusal::DeadlineExceeded.into());
        }

        let limit = route.method.max_message_bytes;
        let (given, body) = request.into_parts();
        let (body, overrun) = limited(body, limit);
        let mut onward = Request::new(body);
        *onward.method_mut() = http::Method::POST;
        *onward.version_mut() = Version::HTTP_2;
        *onward.uri_mut() = path.parse::<Uri>().map_err(|_| Refusal::MethodUnknown)?;
        *onward.headers_mut() = headers::inward(&given.headers, trace);
        if let Some((_, _, principal)) = &admitted {
            onward
                .headers_mut()
                .insert(HeaderName::from_static(principal::HEADER), principal.clone());
        }
        if !route.method.is_watch
            && let Ok(value) = HeaderValue::try_from(format!("{}m", left.as_millis().clamp(1, 99_999_999)))
        {
            onward.headers_mut().insert("grpc-timeout", value);
        }

        let wire = inner.mesh.wire(NAME, &route.service).map_err(Answer::Failed)?;
        let answer = timeout_at(deadline, wire.oneshot(onward))
            .await
            .map_err(|_| Refusal::DeadlineExceeded)?;
        if overrun.happened() {
            return Err(Refusal::TooLarge(limit).into());
        }
        let response = answer.map_err(Answer::Failed)?;
        let Some((credential, verdict, _)) = admitted.filter(|_| route.method.is_watch) else {
            return Ok(response);
        };
        if response.body().is_end_stream() {
            return Ok(response);
        }
        let end = end_of(
            credential,
            verdict,
            Arc::clone(&inner.verdicts),
            inner.runtime.clone(),
        );
        Ok(response.map(|body| watched(body, end)))
    }

    /// On whose behalf the call is made; `None` for the public's.
    async fn admit(
        &self,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Option<(Credential, Arc<Verdict>, HeaderValue)>, Refusal> {
        let Some(credential) = self.0.verdicts.credential(headers)? else {
            return if method.audience.contains(&Audience::Public) {
                Ok(None)
            } else {
                Err(Denied::CredentialMissing.into())
            };
        };
        let verdict = self.0.verdicts.of(&credential).await;
        let principal = verdict.principal(self.0.runtime.now())?;
        Ok(Some((credential, verdict, principal)))
    }
}

/// Why a call got no answer of its service.
enum Answer {
    Refused(Refusal),
    Failed(Status),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn is_public(method: &Method) -> bool {
    use Audience::{Provider, Public, Requestor, Tenant};
    method
        .audience
        .iter()
        .any(|audience| matches!(audience, Public | Tenant | Requestor | Provider))
}

/// The service whose contract a path belongs to: `/aex.work_publisher.v1.…` is work-publisher's.
fn owner(path: &str) -> Option<String> {
    let package = path.strip_prefix("/aex.")?.split('.').next()?;
    Some(package.replace('_', "-"))
}

impl tower::Service<Request<Body>> for Proxy {
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
