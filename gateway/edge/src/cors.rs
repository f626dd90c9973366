//! Which web pages may call.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tonic::body::Body;

/// What a page's script may read of an answer.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("grpc-status, grpc-message, grpc-status-details-bin, x-request-id");
/// What it may send.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, grpc-timeout, traceparent, tracestate, x-grpc-web, x-request-id, x-user-agent",
);
/// For how long a browser remembers the answer, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// The origins whose pages may call.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Vec<Allowed>);

#[derive(Debug, Clone)]
enum Allowed {
    Exactly(String),
    AnyPort(String),
}

impl Origins {
    /// Reads `https://app.example.com`, `http://localhost:3000`, `http://localhost:*`.
    pub(crate) fn new(given: &[String]) -> Result<Self, String> {
        let read = |origin: &String| {
            let host = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            let is_origin = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
            if !is_origin {
                return Err(format!(
                    "origins: {origin} is no web origin such as https://app.example.com"
                ));
            }
            match origin.strip_suffix(":*") {
                Some(prefix) => Ok(Allowed::AnyPort(prefix.to_owned())),
                None if origin.contains('*') => {
                    Err(format!("origins: in {origin} only the port may be a star"))
                }
                None => Ok(Allowed::Exactly(origin.clone())),
            }
        };
        given.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|allowed| match allowed {
            Allowed::Exactly(exactly) => exactly == origin,
            Allowed::AnyPort(prefix) => origin.strip_prefix(prefix.as_str()).is_some_and(is_port),
        })
    }

    /// The origin that came with a request, if its pages may call.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        self.allow(origin.to_str().ok()?).then(|| origin.clone())
    }
}

/// Nothing, or a colon and digits.
fn is_port(rest: &str) -> bool {
    rest.is_empty()
        || rest.strip_prefix(':').is_some_and(|port| {
            !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())
        })
}

/// What a browser hears that asks before it calls.
pub(crate) fn preflight(origin: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let Some(origin) = origin else {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    };
    *response.status_mut() = StatusCode::NO_CONTENT;
    expose(response.headers_mut(), origin);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    response
}

/// Lets the page of an origin read the answer.
pub(crate) fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_a_port_and_for_nothing_else() {
        let given = ["http://localhost:*", "https://app.example.com"].map(str::to_owned);
        let origins = Origins::new(&given).unwrap();
        for good in [
            "http://localhost",
            "http://localhost:3000",
            "https://app.example.com",
        ] {
            assert!(origins.allow(good), "{good}");
        }
        for evil in [
            "http://localhost.evil.example",
            "http://localhost:3000.evil.example",
            "http://localhost:",
            "http://localhost:123456",
            "https://localhost",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
            "null",
            "",
        ] {
            assert!(!origins.allow(evil), "{evil}");
        }
        for wrong in ["*", "localhost", "http://*.example.com", "https://", "http://a/b"] {
            assert!(Origins::new(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
