//! Which headers of a client go on to a service. What is not named here stays outside: above all everything that
//! begins with `x-aex-`, which is how the exchange speaks to itself, and the credential, which no service needs.

use aex_kit::{TRACEPARENT, Trace};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::Refusal;

/// The most bytes of a request's headers, each counted with HTTP/2's overhead.
pub(crate) const MAX_METADATA: usize = 16 * 1024;
const OVERHEAD: usize = 32;

/// What the protocol needs and what helps to follow a call.
const PASSED: [&str; 7] = [
    "content-type",
    "te",
    "grpc-encoding",
    "grpc-accept-encoding",
    "grpc-timeout",
    "tracestate",
    "user-agent",
];

/// Headers of clients' own that services may look at.
const CLIENTS_OWN: &str = "aex-";

/// Refuses headers that a service or a proxy on the way could misread.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut size = 0;
    for (name, value) in headers {
        // Some servers read `x_aex_principal` as `x-aex-principal`.
        if name.as_str().contains('_') {
            return Err(Refusal::HeaderName(name.as_str().chars().take(64).collect()));
        }
        size += name.as_str().len() + value.len() + OVERHEAD;
    }
    if size > MAX_METADATA {
        return Err(Refusal::MetadataTooLarge(MAX_METADATA));
    }
    Ok(())
}

/// The headers that a service gets.
pub(crate) fn inward(given: &HeaderMap, trace: &Trace) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(12);
    for (name, value) in given {
        if PASSED.contains(&name.as_str()) || name.as_str().starts_with(CLIENTS_OWN) {
            passed.append(name.clone(), value.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&trace.request_id) {
        passed.insert(HeaderName::from_static(aex_kit::REQUEST_ID), value);
    }
    if let Ok(value) = HeaderValue::from_str(&trace.traceparent) {
        passed.insert(HeaderName::from_static(TRACEPARENT), value);
    }
    passed.insert(header::TE, HeaderValue::from_static("trailers"));
    passed
}
