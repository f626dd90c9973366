//! Bodies on their way through the edge: a request that may not grow beyond its limit, and the answer of a watch,
//! which ends when its credential does.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use aex_error::{Denied, status};
use aex_kit::Runtime;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::HeaderMap;
use http_body::Frame;
use tokio::time::{Instant, timeout_at};
use tonic::{Status, body::Body};

use crate::{
    error::Refusal,
    verdict::{Credential, LIFETIME, Verdict, Verdicts},
};

/// The bytes of a gRPC frame in front of its message.
const FRAME_HEADER: usize = 5;

/// Tells afterwards whether a request was cut because it was too large.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrun(Arc<AtomicBool>);

impl Overrun {
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The request's body, which fails when it grows beyond the limit. Nothing of it is held back on the way.
pub(crate) fn limited(body: Body, limit: usize) -> (Body, Overrun) {
    let overrun = Overrun::default();
    let limited = Limited {
        inner: body,
        left: limit + FRAME_HEADER,
        limit,
        overrun: overrun.clone(),
    };
    (Body::new(limited), overrun)
}

struct Limited {
    inner: Body,
    left: usize,
    limit: usize,
    overrun: Overrun,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        let Some(data) = frame.data_ref() else {
            // Clients of gRPC send no trailers; whoever does may not reach a service with them.
            return Poll::Ready(None);
        };
        if let Some(left) = self.left.checked_sub(data.len()) {
            self.left = left;
            return Poll::Ready(Some(Ok(frame)));
        }
        self.overrun.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(status(&Refusal::TooLarge(self.limit)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

/// The answer of a watch, which ends with UNAUTHENTICATED when its credential is no longer good.
pub(crate) fn watched(body: Body, end: BoxFuture<'static, Status>) -> Body {
    Body::new(Watched {
        inner: body,
        end: Some(end),
    })
}

/// Waits until a credential is no longer good, and says so. Each verdict is asked anew when it stops being believed,
/// so that a key that was taken back closes its watches within a second; so does an identity that does not answer.
pub(crate) fn end_of(
    credential: Credential,
    mut verdict: Arc<Verdict>,
    verdicts: Arc<Verdicts>,
    runtime: Runtime,
) -> BoxFuture<'static, Status> {
    async move {
        loop {
            runtime
                .pause(verdict.ends().saturating_duration_since(Instant::now()))
                .await;
            let limit = verdict.ends() + LIFETIME;
            let refusal = match timeout_at(limit, verdicts.of(&credential)).await {
                Ok(renewed) => match renewed.principal(runtime.now()) {
                    Ok(_) => {
                        verdict = renewed;
                        continue;
                    }
                    Err(refusal) => refusal,
                },
                Err(_) => Refusal::IdentityAway,
            };
            return match refusal {
                Refusal::Denied(_) => status(&Denied::CredentialEnded),
                other => status(&other),
            };
        }
    }
    .boxed()
}

struct Watched {
    inner: Body,
    end: Option<BoxFuture<'static, Status>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(end) = &mut self.end else {
            return Poll::Ready(None);
        };
        let Poll::Ready(status) = end.poll_unpin(context) else {
            return Pin::new(&mut self.inner).poll_frame(context);
        };
        self.end = None;
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(
            status
                .add_header(&mut trailers)
                .map(|()| Frame::trailers(trailers)),
        ))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none() || self.inner.is_end_stream()
    }
}
