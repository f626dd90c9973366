//! The port: accepts connections, shakes hands when certificates are configured, speaks HTTP/1.1 and HTTP/2.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aex_kit::Runtime;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tonic::body::Body;

use crate::{Config, OpenError, acceptor::Acceptor, front::Front, headers::MAX_METADATA};

const HANDSHAKE: Duration = Duration::from_secs(5);
/// A connection that has not asked anything by then is closed: it holds a place.
const SILENCE: Duration = Duration::from_mins(1);
/// How long a connection without calls may take to end at shutdown: so many looks, so far apart.
const FAREWELLS: u32 = 5;
const FAREWELL: Duration = Duration::from_millis(100);
const HEADERS: Duration = Duration::from_secs(30);
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Small windows: a client that does not read must not make the edge hold much for it.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1 << 20;
const SEND_BUFFER: usize = 64 * 1024;
const HTTP1_BUFFER: usize = 64 * 1024;
/// Streams that a client opens and takes back before they are looked at (rapid reset).
const MAX_RESETS: usize = 20;

/// An edge that listens.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
}

pub(crate) struct Door {
    acceptor: Option<Acceptor>,
    front: Front,
    runtime: Runtime,
    max_streams: u32,
}

impl Door {
    pub(crate) async fn open(
        config: &Config,
        acceptor: Option<Acceptor>,
        front: Front,
        runtime: &Runtime,
    ) -> Result<Listening, OpenError> {
        let problem = |source| OpenError::Address {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(problem)?;
        let address = listener.local_addr().map_err(problem)?;
        if let Some(acceptor) = &acceptor {
            acceptor.follow(runtime, config.auth.reload());
        }
        let door = Arc::new(Self {
            acceptor,
            front,
            runtime: runtime.clone(),
            max_streams: config.max_streams,
        });
        runtime.spawn_needed(door.accept(listener, config.max_connections));
        Ok(Listening { address })
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, max_connections: usize) {
        let places = Arc::new(Semaphore::new(max_connections));
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
                door.greet(socket).await;
                drop(place);
            });
        }
    }

    async fn greet(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        let Some(acceptor) = &self.acceptor else {
            return self.converse(socket).await;
        };
        match tokio::time::timeout(HANDSHAKE, acceptor.current().accept(socket)).await {
            Ok(Ok(stream)) => self.converse(stream).await,
            Ok(Err(error)) => tracing::info!(%error, "refused a connection"),
            Err(_) => tracing::info!("refused a connection: no handshake in time"),
        }
    }

    async fn converse(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let spoke = Arc::new(AtomicBool::new(false));
        let busy = Arc::new(AtomicUsize::new(0));
        let service = TowerToHyperService::new(Heard {
            spoke: Arc::clone(&spoke),
            busy: Arc::clone(&busy),
            front: self.front.clone(),
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS)
            .max_buf_size(HTTP1_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE.0)
            .keep_alive_timeout(KEEP_ALIVE.1)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(self.max_streams)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(MAX_METADATA).unwrap_or(u32::MAX));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let silence = async {
            self.runtime.pause(SILENCE).await;
            if spoke.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = silence => return,
            () = self.runtime.stopping() => connection.as_mut().graceful_shutdown(),
        }
        // A client that does not answer the farewell is not waited for once its calls have ended.
        let idle = async {
            let mut looks = 0;
            while looks < FAREWELLS {
                self.runtime.pause(FAREWELL).await;
                looks = if busy.load(Ordering::Relaxed) == 0 {
                    looks + 1
                } else {
                    0
                };
            }
        };
        tokio::select! {
            _ = connection => {}
            () = idle => {}
        }
    }
}

/// Notes that a connection has asked something, and what of it is under way.
#[derive(Clone)]
struct Heard {
    spoke: Arc<AtomicBool>,
    busy: Arc<AtomicUsize>,
    front: Front,
}

impl tower::Service<Request<Incoming>> for Heard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        self.spoke.store(true, Ordering::Relaxed);
        let under_way = UnderWay::begin(&self.busy);
        let answer = self.front.call(request);
        async move {
            let response = answer.await?;
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    // Counted until the last frame is on its way.
                    let _ = &under_way;
                    frame
                }))
            }))
        }
        .boxed()
    }
}

/// One call that is under way.
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn begin(busy: &Arc<AtomicUsize>) -> Self {
        busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(busy))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
