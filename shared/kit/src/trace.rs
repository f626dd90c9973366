//! What ties a call to others in logs and traces: the id that it is known by, and its place in a W3C trace.

use std::sync::Arc;

use http::HeaderMap;

use crate::Runtime;

/// The header that carries the id by which a call is known in logs and answers.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// What ties a call to others in logs and traces.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The id that the call is known by.
    pub request_id: Arc<str>,
    /// The W3C trace context of the call itself, which those that it makes have for a parent: of the caller's trace, or of
    /// one that begins here.
    pub traceparent: Arc<str>,
}

impl Trace {
    /// Taken from the caller where it is well formed, else made.
    pub fn of(headers: &HeaderMap, runtime: &Runtime) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = text(REQUEST_ID).filter(|id| {
            (8..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
        let request_id = request_id.map_or_else(
            || format!("req_{:032x}", runtime.with_rng(rand::RngExt::random::<u128>)).into(),
            Into::into,
        );
        Self {
            request_id,
            traceparent: traceparent(text(TRACEPARENT).and_then(parent), runtime),
        }
    }

    /// The trace, without the place in it.
    pub(crate) fn id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }
}

/// A span of its own in a caller's trace, or in a new one, which nobody has asked to sample.
pub(crate) fn traceparent(parent: Option<(&str, &str)>, runtime: &Runtime) -> Arc<str> {
    // Zero is no id.
    let (span, trace) = runtime.with_rng(|rng| {
        let (span, trace): (u64, u128) = (rand::RngExt::random(rng), rand::RngExt::random(rng));
        (span.max(1), trace.max(1))
    });
    match parent {
        Some((trace, flags)) => format!("00-{trace}-{span:016x}-{flags}").into(),
        None => format!("00-{trace:032x}-{span:016x}-00").into(),
    }
}

/// The trace and the flags of a W3C trace context, version 00.
fn parent(value: &str) -> Option<(&str, &str)> {
    let is_hex = |part: &str, len: usize| {
        part.len() == len
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_id = |part: &str, len: usize| is_hex(part, len) && part.bytes().any(|byte| byte != b'0');
    let mut parts = value.split('-');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("00"), Some(trace), Some(span), Some(flags), None)
            if is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2) =>
        {
            Some((trace, flags))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_place_of_its_own_in_its_callers_trace() {
        let runtime = Runtime::system();
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, given.parse().unwrap());
        let trace = Trace::of(&headers, &runtime);
        assert_eq!(trace.id(), "0af7651916cd43dd8448eb211c80319c");
        let (id, flags) = parent(&trace.traceparent).unwrap();
        assert_eq!((id, flags), ("0af7651916cd43dd8448eb211c80319c", "01"));
        assert_ne!(&*trace.traceparent, given);
    }

    #[test]
    fn a_trace_context_that_is_none_begins_a_trace() {
        let runtime = Runtime::system();
        for wrong in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-x-y-z",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, wrong.parse().unwrap());
            let [one, other] = [(); 2].map(|()| Trace::of(&headers, &runtime));
            assert!(
                parent(&one.traceparent).is_some_and(|(_, flags)| flags == "00"),
                "{wrong}"
            );
            assert_ne!(one.id(), other.id(), "{wrong}");
        }
    }
}
