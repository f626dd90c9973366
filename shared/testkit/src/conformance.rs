//! What every method of every service must hold, tried from its contract: who may call, which fields are refused and
//! how, replay, deadline, size. A service registers a valid request for each of its methods; a method without one fails
//! the suite.

use std::{collections::BTreeMap, fmt::Write as _, future::Future};

use aex_kit::{
    TenantType,
    access::{self, Method},
};
use aex_proto::{
    POOL,
    aex::common::v1::{Audience, Format, Limits},
    prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage as _, Value},
};
use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, Request, Status};

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
    /// Makes what a method needs and answers a caller and a request that succeed; `None` fails the suite.
    fn valid(&mut self, method: &str) -> impl Future<Output = Option<(Who, Vec<u8>)>>;
}

/// Tries everything. All failures are told at once.
pub async fn check<S: Conforms>(service: &mut S) {
    let descriptor = POOL
        .get_service_by_name(S::SERVICE)
        .expect("the contracts have the service");
    let rules = access::methods(S::SERVICE).expect("every method has a rule");
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

/// Codes that no answer to bad input may have.
const NEVER: [Code; 3] = [Code::Internal, Code::Unknown, Code::DataLoss];

impl<S: Conforms> Suite<'_, S> {
    fn fail(&mut self, method: &MethodDescriptor, problem: impl std::fmt::Display) {
        let mut line = String::new();
        let _ = write!(line, "{}: {problem}", method.name());
        self.failures.push(line);
    }

    async fn method(&mut self, method: &MethodDescriptor, rule: &Method) {
        let Some((who, bytes)) = self.service.valid(method.name()).await else {
            return self.fail(method, "registers no valid request");
        };
        self.access(method, rule, &who, &bytes).await;
        self.fields(method, rule, &who, &bytes).await;
        self.framing(method, rule, &who).await;
        if rule.is_watch {
            return;
        }
        self.deadline(method, &who, &bytes).await;
        let first = self.call(&who, rule, bytes.clone()).await;
        if let Err(status) = &first {
            return self.fail(method, format!("its valid request is refused: {status:?}"));
        }
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
        first: Result<Bytes, Status>,
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
        match (first, again) {
            (Ok(first), Ok(again)) => {
                let shown =
                    DynamicMessage::decode(method.output(), again.clone()).expect("the answer decodes");
                if blank(first) != shown {
                    self.fail(method, "a replay answers something else");
                }
            }
            (_, again) => self.fail(method, format!("a replay is refused: {again:?}")),
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

    /// Everyone that the rule does not name is refused before anything is looked up.
    async fn access(&mut self, method: &MethodDescriptor, rule: &Method, valid: &Who, bytes: &[u8]) {
        for (who, expected) in self.strangers(rule, valid) {
            let refused = self.call(&who, rule, bytes.to_vec()).await.map_err(Refused::from);
            let got = refused.as_ref().err().map(|refused| refused.code);
            if got != Some(expected) {
                self.fail(method, format!("{who:?}: {refused:?} where {expected:?} is due"));
            }
        }
    }

    fn strangers(&self, rule: &Method, valid: &Who) -> Vec<(Who, Code)> {
        let admits = |audience| rule.audience.contains(&audience);
        let for_tenants = [Audience::Tenant, Audience::Requestor, Audience::Provider]
            .into_iter()
            .any(admits);
        let mut strangers = Vec::new();
        if !admits(Audience::Public) && !rule.callers.iter().any(|caller| caller == "gateway") {
            strangers.push((Who::Anyone, Code::Unauthenticated));
        }
        if !admits(Audience::Operator) {
            strangers.push((Who::Operator, Code::PermissionDenied));
        }
        for service in ["identity", "settlement", "contract-engine", "nobody"] {
            if !rule.callers.iter().any(|caller| caller == service) {
                strangers.push((Who::Service(service), Code::PermissionDenied));
            }
        }
        let tenant = principal(self.service.world());
        if !for_tenants && !admits(Audience::Public) {
            strangers.push((Who::Tenant(tenant.clone()), Code::PermissionDenied));
        }
        if for_tenants && !rule.scopes.is_empty() {
            strangers.push((
                Who::Tenant(aex_kit::Principal {
                    scopes: vec!["none:none".to_owned()],
                    ..tenant.clone()
                }),
                Code::PermissionDenied,
            ));
        }
        if let Who::Tenant(valid) = valid {
            let wrong = match (
                admits(Audience::Requestor),
                admits(Audience::Provider),
                admits(Audience::Tenant),
            ) {
                (true, false, false) => Some(TenantType::Provider),
                (false, true, false) => Some(TenantType::Requestor),
                _ => None,
            };
            strangers.extend(wrong.map(|tenant_type| {
                (
                    Who::Tenant(aex_kit::Principal {
                        tenant_type,
                        ..valid.clone()
                    }),
                    Code::PermissionDenied,
                )
            }));
        }
        strangers
    }

    /// Bad cases made from the field options, one at a time and all at once.
    async fn fields(&mut self, method: &MethodDescriptor, rule: &Method, who: &Who, bytes: &[u8]) {
        let valid = DynamicMessage::decode(method.input(), bytes).expect("the valid request decodes");
        let mut all = valid.clone();
        let mut spoiled = Vec::new();
        for field in method.input().fields() {
            for (case, value) in bad_values(&field) {
                let mut request = valid.clone();
                spoil(&mut request, &field, value.clone());
                if request.encoded_len() > rule.max_message_bytes {
                    continue;
                }
                let answer = self
                    .call(who, rule, request.encode_to_vec())
                    .await
                    .map_err(Refused::from);
                match answer {
                    Err(refused) if refused.reason == "REQUEST_INVALID" && names(&refused, &field) => {}
                    other => self.fail(method, format!("{} {case}: {other:?}", field.name())),
                }
                if field.name() != "idempotency_key" {
                    spoil(&mut all, &field, value);
                    spoiled.push(field.clone());
                }
            }
        }
        if spoiled.is_empty() || all.encoded_len() > rule.max_message_bytes {
            return;
        }
        match self
            .call(who, rule, all.encode_to_vec())
            .await
            .map_err(Refused::from)
        {
            Err(refused) if spoiled.iter().all(|field| names(&refused, field)) => {}
            other => self.fail(
                method,
                format!("not all wrong fields are named at once: {other:?}"),
            ),
        }
    }

    /// What is no message at all, and what is too large.
    async fn framing(&mut self, method: &MethodDescriptor, rule: &Method, who: &Who) {
        for garbage in [
            vec![0xff; 64],
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f],
            vec![0x07],
        ] {
            match self.call(who, rule, garbage).await {
                Err(status) if !NEVER.contains(&status.code()) => drop(Refused::from(status)),
                other => self.fail(method, format!("bytes that are no message: {other:?}")),
            }
        }
        let large = vec![0; rule.max_message_bytes + 1];
        match self.call(who, rule, large).await.map_err(Refused::from) {
            Err(refused) if refused.reason == "MESSAGE_TOO_LARGE" => {}
            other => self.fail(method, format!("a message over the limit: {other:?}")),
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

fn names(refused: &Refused, field: &FieldDescriptor) -> bool {
    let name = field.name();
    refused.fields.iter().any(|named| {
        named
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Values that break a field's rules, by what is wrong with them.
fn bad_values(field: &FieldDescriptor) -> BTreeMap<&'static str, Option<Value>> {
    let mut bad = BTreeMap::new();
    if let (Kind::Enum(_), false) = (field.kind(), field.is_list()) {
        bad.insert("unknown value", Some(Value::EnumNumber(9999)));
    }
    if let (Kind::String, false) = (field.kind(), field.is_list()) {
        bad.insert("control character", Some(Value::String("a\0b".to_owned())));
    }
    let Some(limits) = limits(field) else { return bad };
    if limits.required {
        bad.insert("missing", None);
    }
    match (field.kind(), field.is_list()) {
        (Kind::String, false) => bad.extend(
            bad_texts(&limits)
                .into_iter()
                .map(|(case, text)| (case, Some(Value::String(text)))),
        ),
        (Kind::String, true) => {
            if limits.max_items > 0 {
                let many = vec![Value::String("a:b".to_owned()); limits.max_items as usize + 1];
                bad.insert("too many", Some(Value::List(many)));
            }
            bad.extend(
                bad_texts(&limits)
                    .into_iter()
                    .map(|(case, text)| (case, Some(Value::List(vec![Value::String(text)])))),
            );
        }
        (Kind::Int32, false) => {
            if let Some(min) = limits.min.and_then(|min| i32::try_from(min - 1).ok()) {
                bad.insert("too small", Some(Value::I32(min)));
            }
            if let Some(max) = limits.max.and_then(|max| i32::try_from(max + 1).ok()) {
                bad.insert("too large", Some(Value::I32(max)));
            }
        }
        (Kind::Bytes, false) if limits.max_len > 0 => {
            bad.insert(
                "too long",
                Some(Value::Bytes(vec![0; limits.max_len as usize + 1].into())),
            );
        }
        _ => {}
    }
    bad
}

fn bad_texts(limits: &Limits) -> Vec<(&'static str, String)> {
    let mut bad = Vec::new();
    if limits.max_len > 0 {
        bad.push(("too long", "a".repeat(limits.max_len as usize + 1)));
    }
    if limits.min_len > 1 {
        bad.push(("too short", "a".repeat(limits.min_len as usize - 1)));
    }
    if !limits.id_prefix.is_empty() {
        bad.push(("malformed id", format!("{}_short", limits.id_prefix)));
        bad.push(("foreign id", "other_01h455vb4pex5vsknk084sn02q".to_owned()));
        bad.push(("huge id", "x".repeat(10_000)));
    }
    let malformed = match limits.format() {
        Format::Unspecified => None,
        Format::Token => Some("with space in it, long enough"),
        Format::Amount => Some("1e3"),
        Format::Currency => Some("usd"),
        Format::Category | Format::CategoryPattern => Some("Not.A..Category"),
        Format::Url => Some("javascript:alert(1)"),
        Format::Email => Some("nobody"),
    };
    bad.extend(malformed.map(|text| ("malformed", text.to_owned())));
    bad
}

fn limits(field: &FieldDescriptor) -> Option<Limits> {
    let extension = POOL.get_extension_by_name("aex.common.v1.limits")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    Limits::decode(value.as_message()?.encode_to_vec().as_slice()).ok()
}

fn is_secret(field: &FieldDescriptor) -> bool {
    let extension = POOL
        .get_extension_by_name("aex.common.v1.secret")
        .expect("the option exists");
    field
        .options()
        .get_extension(&extension)
        .as_bool()
        .unwrap_or_default()
}

fn spoil(request: &mut DynamicMessage, field: &FieldDescriptor, value: Option<Value>) {
    match value {
        Some(value) => request.set_field(field, value),
        None => request.clear_field(field),
    }
}

/// Makes another valid request of one; `false` when no field can simply be changed.
fn change(request: &mut DynamicMessage) -> bool {
    let descriptor = request.descriptor();
    for field in descriptor.fields() {
        let is_plain = limits(&field).is_some_and(|limits| {
            limits.id_prefix.is_empty() && limits.format() == Format::Unspecified && limits.max_len > 0
        });
        if let (Kind::String, false, true) = (field.kind(), field.is_list(), is_plain) {
            request.set_field(&field, Value::String("other".to_owned()));
            return true;
        }
    }
    let Some(field) = descriptor.fields().find(|field| {
        limits(field).is_some_and(|limits| !limits.id_prefix.is_empty())
            && matches!(field.kind(), Kind::String)
    }) else {
        return false;
    };
    let prefix = limits(&field).map(|limits| limits.id_prefix).unwrap_or_default();
    request.set_field(
        &field,
        Value::String(format!("{prefix}_01h455vb4pex5vsknk084sn02q")),
    );
    true
}
