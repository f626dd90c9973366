//! An answer on its way out: no message of it is larger than its method's limit.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use aex_error::status;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tonic::{Status, body::Body};

use crate::{access::Method, guard::Refusal};

/// The bytes in front of a message: a flag, and its length in four bytes.
const HEADER: u8 = 5;

/// The answer, which ends with RESOURCE_EXHAUSTED in place of a message that is larger than the method's limit.
pub(crate) fn limited(body: Body, method: Arc<Method>) -> Body {
    Body::new(Limited {
        inner: body,
        method,
        frames: Frames::default(),
        is_cut: false,
    })
}

struct Limited {
    inner: Body,
    method: Arc<Method>,
    frames: Frames,
    is_cut: bool,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        let limit = self.method.max_message_bytes;
        if frame.data_ref().is_none_or(|data| self.frames.admit(data, limit)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        tracing::warn!(
            method = self.method.name,
            limit,
            "an answer is larger than its method gives"
        );
        (self.is_cut, self.inner) = (true, Body::empty());
        let mut trailers = HeaderMap::new();
        let told = status(&Refusal::TooLarge(limit)).add_header(&mut trailers);
        Poll::Ready(Some(told.map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_cut || self.inner.is_end_stream()
    }
}

/// Where a stream of messages stands. Messages and pieces of the body need not begin together.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of the next header that were seen.
    header: u8,
    /// The length that they state.
    length: usize,
    /// Bytes of the message that are still to come.
    left: usize,
}

impl Frames {
    /// Follows a piece of the body; `false` when a message begins in it that is longer than the limit.
    fn admit(&mut self, mut piece: &[u8], limit: usize) -> bool {
        loop {
            let inside = self.left.min(piece.len());
            let (_, rest) = piece.split_at(inside);
            self.left -= inside;
            let Some((byte, rest)) = rest.split_first() else {
                return true;
            };
            piece = rest;
            // The first byte is the flag; it is shifted out by the four of the length.
            self.length = (self.length << 8 | usize::from(*byte)) & 0xFFFF_FFFF;
            self.header += 1;
            if self.header == HEADER {
                if self.length > limit {
                    return false;
                }
                (self.header, self.left) = (0, self.length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(vec![0xFF; length as usize]);
        bytes
    }

    #[test]
    fn each_message_has_the_limit_however_the_body_is_cut() {
        let good = [message(0), message(10), message(7)].concat();
        let bad = [message(10), message(11)].concat();
        for piece in 1..=good.len() {
            let mut frames = Frames::default();
            assert!(good.chunks(piece).all(|piece| frames.admit(piece, 10)), "{piece}");
            let mut frames = Frames::default();
            assert!(!bad.chunks(piece).all(|piece| frames.admit(piece, 10)), "{piece}");
        }
    }
}
