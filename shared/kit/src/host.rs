//! Puts a service behind its guard.

use std::{future::Future, sync::Arc};

use futures::future::BoxFuture;
use tonic::service::RoutesBuilder;
use tonic_health::ServingStatus;

use crate::{
    Guard, Runtime,
    access::{self, ContractError, Methods},
    config,
    guard::Capacity,
    principal::Verifier,
};

/// A service as its crate hands it over: routes to host, workers to start, a question whether it can serve.
pub trait Hosted: Send + Sync + 'static {
    /// Its name: folder, SPIFFE id, section of the configuration.
    const NAME: &'static str;

    /// Where it listens when nothing else is configured.
    const PORT: u16;

    /// The gRPC services that it implements, by full name.
    const SERVICES: &'static [&'static str];

    /// Adds its generated servers.
    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder);

    /// Starts its background tasks on the runtime.
    fn start_workers(self: Arc<Self>);

    /// Can it serve? Asked now and then, and at each health check's pace.
    fn is_ready(&self) -> impl Future<Output = bool> + Send;
}

/// Tells whether a hosted service can serve.
#[derive(Clone)]
pub struct Ready(Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>);

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl Ready {
    /// Asks the service.
    pub async fn ask(&self) -> bool {
        (self.0)().await
    }
}

/// How often readiness is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// Puts a service behind its guard, with health beside it. The caller makes it known to the mesh, opens a socket in
/// front of it, or both.
pub async fn host<S: Hosted>(
    service: &Arc<S>,
    runtime: &Runtime,
    server: &config::Server,
    verifier: Verifier,
) -> Result<(Guard, Ready), ContractError> {
    let mut methods = Methods::new();
    for name in S::SERVICES {
        methods.extend(access::methods(name)?);
    }
    let (reporter, health) = tonic_health::server::health_reporter();
    let mut routes = RoutesBuilder::default();
    routes.add_service(health);
    if server.reflection
        && let Ok(reflection) = reflection()
    {
        routes.add_service(reflection);
    }
    Arc::clone(service).routes(&mut routes);

    let ready = Ready(Arc::new({
        let service = Arc::clone(service);
        move || {
            let service = Arc::clone(&service);
            Box::pin(async move { service.is_ready().await })
        }
    }));
    report(&reporter, S::SERVICES, ready.ask().await).await;
    runtime.spawn_until_stop({
        let (runtime, ready) = (runtime.clone(), ready.clone());
        async move {
            loop {
                runtime.pause(LOOK).await;
                report(&reporter, S::SERVICES, ready.ask().await).await;
            }
        }
    });

    let capacity = Capacity {
        calls: server.max_calls,
        watches: server.max_watches,
    };
    let guard = Guard::new(
        S::NAME,
        runtime.clone(),
        methods,
        routes.routes(),
        verifier,
        capacity,
    );
    Ok((guard, ready))
}

async fn report(reporter: &tonic_health::server::HealthReporter, services: &[&str], is_ready: bool) {
    let serving = if is_ready {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in services.iter().copied().chain([""]) {
        reporter.set_service_status(service, serving).await;
    }
}

fn reflection() -> Result<
    tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>,
    tonic_reflection::server::Error,
> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(aex_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
}
