//! What a method refuses: bad fields, one at a time and all at once, and what is no request at all.

use std::collections::BTreeMap;

use aex_kit::access::Method;
use aex_proto::prost_reflect::{DynamicMessage, MethodDescriptor};
use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, Request};

use super::{Conforms, Suite, values::Cases};
use crate::{Refused, Who, raw::call};

/// Codes that no answer to bad input may have.
const NEVER: [Code; 3] = [Code::Internal, Code::Unknown, Code::DataLoss];

impl<S: Conforms> Suite<'_, S> {
    /// Bad cases made from the field options. A valid request that leaves out a message would leave the fields
    /// inside untried, so it fails.
    pub(super) async fn fields(&mut self, method: &MethodDescriptor, rule: &Method, who: &Who, bytes: &[u8]) {
        let valid = DynamicMessage::decode(method.input(), bytes).expect("the valid request decodes");
        let Cases { cases, left_out } = Cases::of(&valid);
        for path in left_out {
            self.fail(method, format!("its valid request leaves out {path}"));
        }
        for case in &cases {
            let mut request = valid.clone();
            case.spoil(&mut request);
            match self.refusal(rule, who, &request).await {
                Ok(refused) if refused.reason == "REQUEST_INVALID" && refused.fields.contains(&case.path) => {
                }
                other => self.fail(method, format!("{} {}: {other:?}", case.path, case.wrong)),
            }
        }

        let mut first = BTreeMap::new();
        for case in &cases {
            if let Some(leaf) = case.leaf() {
                first.entry(leaf).or_insert(case);
            }
        }
        if first.is_empty() {
            return;
        }
        let mut all = valid;
        for case in first.values() {
            case.spoil(&mut all);
        }
        match self.refusal(rule, who, &all).await {
            Ok(refused) if first.values().all(|case| refused.fields.contains(&case.path)) => {}
            other => self.fail(
                method,
                format!("not all wrong fields are named at once: {other:?}"),
            ),
        }
    }

    async fn refusal(&self, rule: &Method, who: &Who, request: &DynamicMessage) -> Result<Refused, String> {
        let bytes = request.encode_to_vec();
        if bytes.len() > rule.max_message_bytes {
            return Err("the message that shows it is too large to be sent".to_owned());
        }
        let wire = self.service.world().client(who, S::NAME);
        match call(wire, rule, Request::new(Bytes::from(bytes))).await {
            Err(status) => Ok(status.into()),
            Ok(_) => Err("is answered".to_owned()),
        }
    }

    /// What is no message at all, and what is too large.
    pub(super) async fn framing(&mut self, method: &MethodDescriptor, rule: &Method, who: &Who) {
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
}
