//! What every method of every service must hold, tried from its contract: who may call, which fields are refused and
//! how, what strangers learn, replay, deadline, size. A service registers a valid request for each of its methods; a method without one fails
//! the suite.

mod access;
mod fields;
mod strangers;
mod values;

use std::{fmt::Display, future::Future};

use aex_kit::{
    Principal,
    access::{self as rules, Method},
};
use aex_proto::{
    POOL,
    prost_reflect::{DynamicMessage, MethodDescriptor},
};
use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, Request, Status};

pub use self::strangers::Stranger;
use self::values::{change, is_secret};
use crate::{
    Database, Refused, Who, World, principal,
    raw::{call, unary},
};

/// A service under the suite.
pub trait Conforms {
    /// The gRPC service's full name.
    const SERVICE: &'static str;
    /// The service's own name.
    const NAME: &'static str;

    /// The world that it runs in.
    fn world(&self) -> &World;
    /// Its tables.
    fn database(&self) -> &Database;
    /// Makes what a method needs and answers a caller and a request that succeed; `None` fails the suite. The
    /// request gives every message that it can: what is left out fails the suite, as nothing inside it is tried.
    fn valid(&mut self, method: &str) -> impl Future<Output = Option<(Who, Vec<u8>)>>;
    /// A tenant that has nothing to do with the others.
    fn fresh_tenant(&mut self) -> impl Future<Output = Principal> {
        let stranger = principal(self.world());
        async { stranger }
    }
    /// What a stranger is answered by a method of which the contract alone does not say it.
    fn to_stranger(&self, method: &str) -> Option<Stranger> {
        let _ = method;
        None
    }
}

/// Tries everything. All failures are told at once.
pub async fn check<S: Conforms>(service: &mut S) {
    let descriptor = POOL
        .get_service_by_name(S::SERVICE)
        .expect("the contracts have the service");
    let rules = rules::methods(S::SERVICE).expect("every method has a rule");
    let mut suite = Suite {
        service,
        failures: Vec::new(),
    };
    for method in descriptor.methods() {
        let rule = &rules[&format!("/{}/{}", S::SERVICE, method.name())];
        suite.method(&method, rule).await;
    }
    assert!(suite.failures.is_empty(), "{}", suite.failures.join("\n"));
}

struct Suite<'a, S> {
    service: &'a mut S,
    failures: Vec<String>,
}

impl<S: Conforms> Suite<'_, S> {
    fn fail(&mut self, method: &MethodDescriptor, problem: impl Display) {
        self.failures.push(format!("{}: {problem}", method.name()));
    }

    async fn method(&mut self, method: &MethodDescriptor, rule: &Method) {
        let Some((who, bytes)) = self.service.valid(method.name()).await else {
            return self.fail(method, "registers no valid request");
        };
        self.access(method, rule, &who, &bytes).await;
        self.fields(method, rule, &who, &bytes).await;
        self.framing(method, rule, &who).await;
        if !rule.is_watch {
            self.deadline(method, &who, &bytes).await;
        }
        self.not_found(method, rule, &bytes).await;
        let first = match self.call(&who, rule, bytes.clone()).await {
            Ok(first) => first,
            Err(status) => {
                return self.fail(method, format!("its valid request is refused: {status:?}"));
            }
        };
        self.not_found(method, rule, &bytes).await;
        self.answered(method, rule, &bytes, &first).await;
        if method.input().get_field_by_name("idempotency_key").is_some() {
            self.replay(method, rule, &who, bytes, first).await;
        }
    }

    /// Asked again: the same answer, without its secrets, and no further event. Another request: refused.
    async fn replay(
        &mut self,
        method: &MethodDescriptor,
        rule: &Method,
        who: &Who,
        bytes: Vec<u8>,
        first: Bytes,
    ) {
        let events = self.service.database().event_types().await.len();
        let again = self.call(who, rule, bytes.clone()).await;
        let blank = |answer: Bytes| {
            let mut message = DynamicMessage::decode(method.output(), answer).expect("the answer decodes");
            for field in method.output().fields().filter(is_secret) {
                message.clear_field(&field);
            }
            message
        };
        match again {
            Ok(again) => {
                let shown = DynamicMessage::decode(method.output(), again).expect("the answer decodes");
                if blank(first) != shown {
                    self.fail(method, "a replay answers something else");
                }
            }
            Err(again) => self.fail(method, format!("a replay is refused: {again:?}")),
        }
        if self.service.database().event_types().await.len() != events {
            self.fail(method, "a replay took effect again");
        }
        let mut other =
            DynamicMessage::decode(method.input(), bytes.as_slice()).expect("the request decodes");
        if !change(&mut other) {
            return;
        }
        let refused = self.call(who, rule, other.encode_to_vec()).await;
        match refused.map_err(Refused::from) {
            Err(refused) if refused.reason == "IDEMPOTENCY_KEY_REUSED" => {}
            other => self.fail(method, format!("another request under the same key: {other:?}")),
        }
    }

    /// A call whose time is over has no effect.
    async fn deadline(&mut self, method: &MethodDescriptor, who: &Who, bytes: &[u8]) {
        let events = self.service.database().event_types().await.len();
        let path = format!("/{}/{}", S::SERVICE, method.name());
        let mut request = Request::new(Bytes::copy_from_slice(bytes));
        request
            .metadata_mut()
            .insert("grpc-timeout", "0n".parse().expect("a timeout"));
        let wire = self.service.world().client(who, S::NAME);
        match unary(wire, &path, request).await.map_err(|status| status.code()) {
            Err(Code::DeadlineExceeded) => {}
            other => self.fail(method, format!("a past deadline: {other:?}")),
        }
        if self.service.database().event_types().await.len() != events {
            self.fail(method, "a call whose time was over took effect");
        }
    }

    async fn call(&mut self, who: &Who, rule: &Method, bytes: Vec<u8>) -> Result<Bytes, Status> {
        let wire = self.service.world().client(who, S::NAME);
        call(wire, rule, Request::new(Bytes::from(bytes))).await
    }
}
