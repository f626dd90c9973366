//! The operator port: one socket for the operator methods of all services.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use aex_error::{Denied, status};
use aex_kit::{Guard, Peer};
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use tonic::{Code, Status, body::Body};

use crate::services::Opened;

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
        match self.0.get(contract) {
            Some(guard) => tower::Service::call(&mut guard.clone(), request),
            None => {
                let unknown = Status::new(Code::Unimplemented, "this exchange does not host that service");
                std::future::ready(Ok(unknown.into_http())).boxed()
            }
        }
    }
}
