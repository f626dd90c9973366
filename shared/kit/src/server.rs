//! Sockets: HTTP/2 over mutual TLS in front of a guard.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;

use crate::{Clock, Peer, Runtime, tls};

/// Connections that a service holds at once.
const MAX_CONNECTIONS: usize = 1024;
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How long calls and watches go on after the certificate that their connection was opened with has ended.
const AFTER_THE_END: Duration = Duration::from_secs(10);
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const MAX_STREAMS: u32 = 1000;
const MAX_HEADERS: u32 = 16 * 1024;

/// A service that listens.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
}

/// A socket that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ServeError {
    /// Where.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: std::io::Error,
}

/// Opens a socket in front of a guard, or of what chooses between several; each request carries the connection's
/// [`Peer`] as an extension. It drains with the runtime's shutdown.
pub async fn serve<S>(
    address: SocketAddr,
    credentials: tls::Credentials,
    trust_domain: String,
    guard: S,
    runtime: &Runtime,
) -> Result<Listening, ServeError>
where
    S: Front,
{
    let problem = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(problem)?;
    let listening = Listening {
        address: listener.local_addr().map_err(problem)?,
    };
    let door = Arc::new(Door {
        credentials,
        trust_domain,
        guard,
        runtime: runtime.clone(),
    });
    runtime.spawn_needed(door.accept(listener));
    Ok(listening)
}

/// What a socket can be opened in front of.
pub trait Front:
    tower::Service<
        http::Request<Body>,
        Response = http::Response<Body>,
        Error = std::convert::Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Front for S where
    S: tower::Service<
            http::Request<Body>,
            Response = http::Response<Body>,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

struct Door<S> {
    credentials: tls::Credentials,
    trust_domain: String,
    guard: S,
    runtime: Runtime,
}

impl<S: Front> Door<S> {
    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.runtime.stopping() => return,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of file descriptors, most likely: wait for some to be given back.
                    tracing::warn!(%error, "cannot accept a connection");
                    self.runtime.pause(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!("too many connections; one was closed");
                continue;
            };
            let door = Arc::clone(&self);
            self.runtime.spawn(async move {
                door.connection(socket).await;
                drop(place);
            });
        }
    }

    async fn connection(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let acceptor = TlsAcceptor::from(self.credentials.server());
        let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::info!(%error, "refused a connection"),
            Err(_) => return tracing::info!("refused a connection: no handshake in time"),
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let identified = certificate
            .ok_or_else(|| "no certificate".to_owned())
            .and_then(|certificate| {
                let peer = tls::identify(certificate, &self.trust_domain)?;
                let validity = tls::Validity::of(certificate).map_err(|error| error.to_string())?;
                Ok((peer, validity.end))
            });
        let (peer, end) = match identified {
            Ok(identified) => identified,
            Err(error) => return tracing::info!(error, "refused a connection"),
        };
        let service = TowerToHyperService::new(Identified {
            peer,
            guard: self.guard.clone(),
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        // Certificates are judged by the machine's time, as the handshake did, not by a clock that a test holds.
        let left = end.since(Clock::system().now());
        tokio::select! {
            _ = connection.as_mut() => {}
            () = self.runtime.stopping() => {
                connection.as_mut().graceful_shutdown();
                let _ = connection.await;
            }
            // Nobody stays longer than the certificate allows: the peer comes again with its next one.
            () = self.runtime.pause(left) => {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(AFTER_THE_END, connection).await;
            }
        }
    }
}

/// Puts the connection's peer into each of its requests.
#[derive(Clone)]
struct Identified<S> {
    peer: Peer,
    guard: S,
}

impl<S: Front> tower::Service<http::Request<hyper::body::Incoming>> for Identified<S> {
    type Response = http::Response<Body>;
    type Error = std::convert::Infallible;
    type Future = <S as tower::Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> Self::Future {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.peer.clone());
        self.guard.call(request)
    }
}
