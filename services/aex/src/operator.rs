//! The operator port: one socket for the operator methods of all services.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use aex_error::{Code, Denied, Explain, Fault, fault, status};
use aex_kit::{Guard, Peer};
use aex_proto::aex::common::v1::ErrorReason;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use tonic::body::Body;

use crate::services::Opened;

/// A call to a service that this exchange does not host.
#[derive(Debug, thiserror::Error)]
#[error("there is no such method here")]
struct NotHosted;

impl Explain for NotHosted {
    fn explain(&self) -> Fault {
        fault(Code::Unimplemented, ErrorReason::MethodUnknown)
    }
}

/// Hands each call to the guard of the service that owns it. Only operators are let in.
#[derive(Clone)]
pub(crate) struct Switch(Arc<HashMap<&'static str, Guard>>);

impl Switch {
    pub(crate) fn new(services: &[Opened]) -> Self {
        let guards = services
            .iter()
            .flat_map(|service| {
                service
                    .contracts
                    .iter()
                    .map(|contract| (*contract, service.guard.clone()))
            })
            .collect();
        Self(Arc::new(guards))
    }
}

impl tower::Service<Request<Body>> for Switch {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !matches!(request.extensions().get(), Some(Peer::Operator(_))) {
            let refused = status(&Denied::Audience).into_http();
            return std::future::ready(Ok(refused)).boxed();
        }
        let contract = request.uri().path().split('/').nth(1).unwrap_or_default();
        if let Some(guard) = self.0.get(contract) {
            return tower::Service::call(&mut guard.clone(), request);
        }
        std::future::ready(Ok(status(&NotHosted).into_http())).boxed()
    }
}
