//! Services that answer any method of their contract with what a test told them, and remember what they were sent.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use aex_kit::Hosted;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tonic::{Status, body::Body, server::NamedService, service::RoutesBuilder};

pub type Engine = Double<0>;
pub type Identity = Double<1>;

const NAMES: [&str; 2] = ["contract-engine", "identity"];
const CONTRACTS: [&str; 2] = [
    "aex.contract_engine.v1.ContractEngineService",
    "aex.identity.v1.IdentityService",
];

/// Answers every unary method with `reply`; a watch gets it once and stays open.
#[derive(Clone, Default)]
pub struct Double<const S: usize> {
    pub reply: Vec<u8>,
    pub seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl<const S: usize> Double<S> {
    pub fn answering(message: &impl prost::Message) -> Arc<Self> {
        Arc::new(Self {
            reply: message.encode_to_vec(),
            seen: Arc::default(),
        })
    }

    pub fn calls(&self) -> Vec<(String, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }
}

impl<const S: usize> Hosted for Double<S> {
    const NAME: &'static str = NAMES[S];
    const PORT: u16 = 0;
    const SERVICES: &'static [&'static str] = &[CONTRACTS[S]];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service((*self).clone());
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}

impl<const S: usize> NamedService for Double<S> {
    const NAME: &'static str = CONTRACTS[S];
}

impl<const S: usize> tower::Service<Request<Body>> for Double<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let double = self.clone();
        async move {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path().to_owned();
            double.seen.lock().unwrap().push((path.clone(), parts.headers));
            if let Err(status) = body.collect().await {
                return Ok(status.into_http());
            }
            let mut framed = BytesMut::new();
            framed.put_u8(0);
            framed.put_u32(double.reply.len().try_into().unwrap());
            framed.extend_from_slice(&double.reply);
            let message = stream::once(async { Ok::<_, Status>(Frame::data(Bytes::from(framed))) });
            let body = if path.contains("/Watch") {
                Body::new(StreamBody::new(message.chain(stream::pending())))
            } else {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from_static("0"));
                Body::new(StreamBody::new(
                    message.chain(stream::once(async { Ok(Frame::trailers(trailers)) })),
                ))
            };
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static("application/grpc"));
            Ok(response)
        }
        .boxed()
    }
}
