//! What one HTTP request meets first: health for people and load balancers, pages of other origins, then gRPC and
//! grpc-web.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aex_kit::{
    Mesh, Runtime,
    probe::{self, words},
};
use aex_proto::POOL;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tonic::{
    body::Body,
    service::{Routes, RoutesBuilder},
};
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, health_check_response::ServingStatus as Serving, health_client::HealthClient},
    server::HealthReporter,
};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::Layer as _;

use crate::{
    NAME,
    cors::{self, Origins},
    proxy::Proxy,
};

/// How often the services are asked until all can serve.
const LOOK: Duration = Duration::from_millis(50);

/// The first service that a request meets.
#[derive(Clone)]
pub(crate) struct Front(Arc<Inner>);

struct Inner {
    origins: Origins,
    ready: Arc<AtomicBool>,
    runtime: Runtime,
    calls: GrpcWebService<Switch>,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    pub(crate) fn new(
        proxy: Proxy,
        origins: Origins,
        reflects: bool,
        mesh: &Mesh,
        runtime: &Runtime,
        services: &[&'static str],
    ) -> Self {
        let (reporter, health) = tonic_health::server::health_reporter();
        let mut housekeeping = RoutesBuilder::default();
        housekeeping.add_service(health);
        // Clients of some languages, Python's among them, only know the older of the two reflections.
        if reflects && let (Ok(reflection), Ok(older)) = (described().build_v1(), described().build_v1alpha())
        {
            housekeeping.add_service(reflection).add_service(older);
        }
        let ready = Arc::new(AtomicBool::new(false));
        let wait = wait_for(
            services.to_vec(),
            mesh.clone(),
            runtime.clone(),
            reporter,
            Arc::clone(&ready),
        );
        runtime.spawn_until_stop(wait);
        let calls = GrpcWebLayer::new().layer(Switch {
            housekeeping: housekeeping.routes().prepare(),
            proxy,
        });
        Self(Arc::new(Inner {
            origins,
            ready,
            runtime: runtime.clone(),
            calls,
        }))
    }

    async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let inner = &self.0;
        let origin = inner.origins.allowed(request.headers());
        if request.method() == Method::OPTIONS {
            return cors::preflight(origin);
        }
        let mut response = if request.method() == Method::POST {
            self.call(request).await
        } else {
            self.page(&request)
        };
        if let Some(origin) = origin {
            cors::expose(response.headers_mut(), origin);
        }
        response
    }

    async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let content = request.headers().get(header::CONTENT_TYPE);
        if !content.is_some_and(|content| content.as_bytes().starts_with(b"application/grpc")) {
            return words(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this door takes gRPC and grpc-web\n",
            );
        }
        let mut calls = self.0.calls.clone();
        match tower::Service::call(&mut calls, request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Plain HTTP, for probes and for people who try the address in a browser.
    fn page(&self, request: &Request<Incoming>) -> Response<Body> {
        let is_ready = self.0.ready.load(Ordering::Relaxed) && !self.0.runtime.is_stopping();
        let answer = probe::answer(request.method(), request.uri().path(), is_ready);
        answer.unwrap_or_else(|| match *request.method() {
            Method::GET | Method::HEAD => words(
                StatusCode::NOT_FOUND,
                "Agent Exchange. This port speaks gRPC and grpc-web; /health and /ready answer plain HTTP.\n",
            ),
            _ => words(StatusCode::METHOD_NOT_ALLOWED, "calls are made with POST\n"),
        })
    }
}

/// Says that the edge can serve once every service has said so. Later a service that is away refuses its own calls,
/// and the others go on.
async fn wait_for(
    services: Vec<&'static str>,
    mesh: Mesh,
    runtime: Runtime,
    reporter: HealthReporter,
    ready: Arc<AtomicBool>,
) {
    reporter.set_service_status("", ServingStatus::NotServing).await;
    for service in services {
        while !serves(&mesh, service).await {
            runtime.pause(LOOK).await;
        }
    }
    ready.store(true, Ordering::Relaxed);
    reporter.set_service_status("", ServingStatus::Serving).await;
}

async fn serves(mesh: &Mesh, service: &str) -> bool {
    let Ok(wire) = mesh.wire(NAME, service) else {
        return false;
    };
    let answer = HealthClient::new(wire).check(HealthCheckRequest::default()).await;
    answer.is_ok_and(|reply| reply.into_inner().status() == Serving::Serving)
}

/// What reflection tells: the services that the edge routes, without Envoy's, and the details of refusals, which tools
/// could not read otherwise.
fn described() -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(aex_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    POOL.services()
        .filter(|service| service.full_name().starts_with("aex."))
        .fold(builder, |builder, service| {
            builder.with_service_name(service.full_name())
        })
}

/// Health and reflection are answered here, everything else by the services.
#[derive(Clone)]
struct Switch {
    housekeeping: Routes,
    proxy: Proxy,
}

impl tower::Service<Request<Body>> for Switch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.v1.") || path.starts_with("/grpc.reflection.") {
            tower::Service::call(&mut self.housekeeping, request).boxed()
        } else {
            tower::Service::call(&mut self.proxy, request).boxed()
        }
    }
}

impl tower::Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.clone().handle(request).map(Ok).boxed()
    }
}
