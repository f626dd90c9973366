//! Plain HTTP for those that speak no gRPC: `/health` says that the process lives, `/ready` that it can serve.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tonic::body::Body;

use crate::{Listening, Ready, Runtime, ServeError};

/// Connections at once; more are closed.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may take to ask, and to be answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers probes of a service until the process stops.
pub async fn probes(address: SocketAddr, ready: Ready, runtime: &Runtime) -> Result<Listening, ServeError> {
    let problem = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(problem)?;
    let address = listener.local_addr().map_err(problem)?;
    let spawner = runtime.clone();
    runtime.spawn_until_stop(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: wait for some to be given back.
                spawner.pause(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                continue;
            };
            let (ready, runtime) = (ready.clone(), spawner.clone());
            spawner.spawn(async move {
                let _ = tokio::time::timeout(PATIENCE, answered(socket, ready, runtime)).await;
                drop(place);
            });
        }
    });
    Ok(Listening { address })
}

/// One question and its answer.
async fn answered(socket: TcpStream, ready: Ready, runtime: Runtime) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (ready, runtime) = (ready.clone(), runtime.clone());
        async move {
            let is_ready = request.uri().path() == READY && !runtime.is_stopping() && ready.ask().await;
            let answer = answer(request.method(), request.uri().path(), is_ready);
            let unknown = || words(StatusCode::NOT_FOUND, "/health and /ready answer here.\n");
            Ok::<_, Infallible>(answer.unwrap_or_else(unknown))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().keep_alive(false).timer(TokioTimer::new());
    // A client that leaves early is nobody's problem.
    let _ = builder.serve_connection(TokioIo::new(socket), service).await;
}

/// The path that asks whether a process can serve.
pub const READY: &str = "/ready";
const HEALTH: &str = "/health";

/// The answer to a probe; `None` when the request is none.
pub fn answer(method: &Method, path: &str, is_ready: bool) -> Option<Response<Body>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    match path {
        HEALTH => Some(words(StatusCode::OK, "ok\n")),
        READY if is_ready => Some(words(StatusCode::OK, "ready\n")),
        READY => Some(words(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")),
        _ => None,
    }
}

/// A line of plain text.
pub fn words(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
