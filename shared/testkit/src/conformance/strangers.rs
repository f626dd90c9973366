//! What a tenant is answered to the request of another one, of which it is to learn nothing.

use std::collections::BTreeSet;

use aex_kit::{Principal, access::Method};
use aex_proto::{
    aex::common::v1::Audience,
    prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage as _, Value},
};
use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, Status};

use super::{Conforms, Suite, values::limits};
use crate::{Refused, Who};

/// What a stranger is answered where the contract does not say it. By the contract alone, a request that names an
/// object by its id finds nothing, and one that names none is answered with what is the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Everyone may know it, or has one of their own; why.
    Answered(&'static str),
    /// Nothing is found, by a name in this field that is no id.
    NotFoundBy(&'static str),
}

/// A body of an id that nobody has.
const NOBODY: &str = "01h455vb4pex5vsknk084sn02q";

impl<S: Conforms> Suite<'_, S> {
    /// Is the method one that any tenant can call?
    fn is_for_tenants(rule: &Method) -> bool {
        [Audience::Tenant, Audience::Requestor, Audience::Provider]
            .iter()
            .any(|audience| rule.audience.contains(audience))
    }

    /// Sends a valid request as somebody else, who has to find what is there as little as what is not.
    pub(super) async fn not_found(&mut self, method: &MethodDescriptor, rule: &Method, bytes: &[u8]) {
        let valid = DynamicMessage::decode(method.input(), bytes).expect("the valid request decodes");
        let listed = self.service.to_stranger(method.name());
        let names = match listed {
            Some(Stranger::NotFoundBy(name)) => vec![field(method, name)],
            Some(Stranger::Answered(_)) => return,
            None => ids(&valid),
        };
        if !Self::is_for_tenants(rule) || names.is_empty() {
            return;
        }
        let stranger = Who::Tenant(self.service.fresh_tenant().await);
        let before = self.service.database().event_types().await.len();
        let mut made_up = valid.clone();
        for name in &names {
            let prefix = limits(name).map(|limits| limits.id_prefix).unwrap_or_default();
            let unknown = format!("{prefix}_{NOBODY}");
            made_up.set_field(name, Value::String(unknown.trim_start_matches('_').to_owned()));
        }
        if let Some(key) = method.input().get_field_by_name("idempotency_key") {
            made_up.set_field(
                &key,
                Value::String("a key of the stranger's own".replace(' ', "-")),
            );
        }
        let real = self.call(&stranger, rule, bytes.to_vec()).await;
        let unknown = self.call(&stranger, rule, made_up.encode_to_vec()).await;
        let (real, unknown) = (told(&valid, &names, real), told(&made_up, &names, unknown));
        match (real, unknown) {
            (Ok(real), Ok(unknown)) if real.code == Code::NotFound && real == unknown => {}
            (real, unknown) => self.fail(
                method,
                format!("a stranger is answered {real:?} to another's id, {unknown:?} to one of nobody"),
            ),
        }
        if self.service.database().event_types().await.len() != before {
            self.fail(method, "a stranger took effect on what is another's");
        }
    }

    /// Sends a request that names nothing of others' as somebody else, after its owner, under the same key: the answer
    /// is of the stranger's own.
    pub(super) async fn answered(
        &mut self,
        method: &MethodDescriptor,
        rule: &Method,
        bytes: &[u8],
        owners: &Bytes,
    ) {
        let valid = DynamicMessage::decode(method.input(), bytes).expect("the valid request decodes");
        let listed = self.service.to_stranger(method.name());
        let is_found = matches!(listed, None | Some(Stranger::Answered(_)));
        if !Self::is_for_tenants(rule) || !is_found || (listed.is_none() && !ids(&valid).is_empty()) {
            return;
        }
        let principal = self.service.fresh_tenant().await;
        let stranger = Who::Tenant(principal.clone());
        let before = self.event_ids().await;
        let answer = match self.call(&stranger, rule, bytes.to_vec()).await {
            Ok(answer) => answer,
            Err(status) => return self.fail(method, format!("a stranger is refused: {status:?}")),
        };
        self.only_own_events(method, rule, &principal, &before).await;
        if listed.is_some() {
            return;
        }
        if owners.is_empty() && !rule.is_watch {
            return self.fail(
                method,
                "answers its owner nothing, so nothing shows what a stranger sees",
            );
        }
        let shown = typed_ids(owners);
        self.shows_nothing(method, &shown, Ok(answer.clone()));
        if shown.is_empty() && answer == *owners && !owners.is_empty() {
            self.fail(method, "a stranger is answered what the owner is");
        }
        // What its owner saw, asked for by its id.
        for request in narrowed(&valid, &shown) {
            let answer = self.call(&stranger, rule, request.encode_to_vec()).await;
            self.shows_nothing(method, &shown, answer);
        }
    }

    fn shows_nothing(
        &mut self,
        method: &MethodDescriptor,
        owners: &BTreeSet<String>,
        answer: Result<Bytes, Status>,
    ) {
        match answer {
            Ok(answer) => {
                let shown: Vec<_> = typed_ids(&answer).intersection(owners).cloned().collect();
                if !shown.is_empty() {
                    self.fail(method, format!("a stranger is shown {shown:?} of another's"));
                }
            }
            Err(status) if status.code() == Code::NotFound => {}
            Err(status) => self.fail(method, format!("a stranger is refused: {status:?}")),
        }
    }

    async fn event_ids(&self) -> BTreeSet<String> {
        let events = self.service.database().events().await;
        events.into_iter().map(|event| event.event_id).collect()
    }

    /// What a stranger's call told is told of the stranger's own, and a question tells nothing.
    async fn only_own_events(
        &mut self,
        method: &MethodDescriptor,
        rule: &Method,
        stranger: &Principal,
        before: &BTreeSet<String>,
    ) {
        let events = self.service.database().events().await;
        let own = [stranger.tenant.to_string()];
        for event in events
            .into_iter()
            .filter(|event| !before.contains(&event.event_id))
        {
            if rule.is_query || event.visible_to != own {
                let (kind, seen) = (event.r#type, event.visible_to);
                self.fail(method, format!("a stranger's call told {kind} to {seen:?}"));
            }
        }
    }
}

fn field(method: &MethodDescriptor, name: &str) -> FieldDescriptor {
    let field = method.input().get_field_by_name(name);
    field.expect("the request has the field that names what is asked for")
}

/// The fields of a request that hold one typed id.
fn id_fields(request: &DynamicMessage) -> impl Iterator<Item = FieldDescriptor> {
    request
        .descriptor()
        .fields()
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|field| {
            let is_id = limits(field).is_some_and(|limits| !limits.id_prefix.is_empty());
            is_id && !field.is_list() && matches!(field.kind(), Kind::String)
        })
}

/// Those of them that are given.
fn ids(request: &DynamicMessage) -> Vec<FieldDescriptor> {
    id_fields(request)
        .filter(|field| request.has_field(field))
        .collect()
}

/// The same request for each of the ids that one of its empty fields could name.
fn narrowed(request: &DynamicMessage, ids: &BTreeSet<String>) -> Vec<DynamicMessage> {
    let mut narrowed = Vec::new();
    for field in id_fields(request) {
        let prefix = limits(&field).map(|limits| limits.id_prefix).unwrap_or_default();
        let fits = |id: &&String| id.rsplit_once('_').is_some_and(|(kind, _)| kind == prefix);
        for id in ids.iter().filter(fits) {
            let mut request = request.clone();
            request.set_field(&field, Value::String(id.clone()));
            narrowed.push(request);
        }
    }
    narrowed
}

/// A refusal without the words that were asked with, so that it can be compared with that of other words; an answer
/// as it is, where there is no refusal.
fn told(
    request: &DynamicMessage,
    asked: &[FieldDescriptor],
    answer: Result<Bytes, Status>,
) -> Result<Refused, Bytes> {
    let words: Vec<_> = asked
        .iter()
        .filter_map(|field| Some(request.get_field(field).as_str()?.to_owned()))
        .collect();
    let blank = |text: &str| {
        words
            .iter()
            .fold(text.to_owned(), |text, word| text.replace(word.as_str(), "…"))
    };
    let mut refused = match answer {
        Ok(answer) => return Err(answer),
        Err(status) => Refused::from(status),
    };
    refused.message = blank(&refused.message);
    for value in refused.metadata.values_mut() {
        *value = blank(value);
    }
    Ok(refused)
}

/// The typed ids in an encoded message, those in bytes inside it as well.
fn typed_ids(bytes: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_') {
        let (before, after) = (&bytes[..at], &bytes[at + 1..]);
        let kind = before
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_lowercase())
            .count();
        let body = after
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
            .count();
        if kind > 0 && body >= NOBODY.len() {
            let id = &bytes[at - kind..=at + NOBODY.len()];
            found.insert(String::from_utf8_lossy(id).into_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_wherever_they_stand() {
        let (work, bid) = (format!("work_{NOBODY}"), format!("bid_{NOBODY}"));
        let text = format!("\u{1}{work}\u{2} and_not_this but {bid}\u{1f}x");
        assert_eq!(typed_ids(text.as_bytes()), BTreeSet::from([work, bid]));
        assert_eq!(typed_ids(b"_ work_1 _0"), BTreeSet::new());
    }
}
