//! Calls of any method of the contracts, as JSON: what the thin commands are made of.

use aex_kit::{Wire, config::nearest};
use aex_proto::{
    POOL,
    prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor, SerializeOptions},
};
use prost::Message as _;
use serde_json::Value;
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataValue},
};
use tonic_types::StatusExt as _;

use crate::problem::Problem;

/// A way to an exchange, on somebody's behalf.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) wire: Wire,
    pub(crate) authorization: Option<MetadataValue<Ascii>>,
    /// Where it leads, for messages.
    pub(crate) place: String,
}

/// Why a service was not reached, in the words that its caller is to read: a source of statuses.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unreached(pub(crate) String);

/// A refusal, with its reason apart.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) problem: Problem,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        refusal.problem
    }
}

impl Caller {
    /// One answer.
    pub(crate) async fn unary(&self, method: &str, request: Value) -> Result<Value, Refusal> {
        let (descriptor, request) = self.prepare(method, request)?;
        let mut client = self.client().await?;
        let path = path(method).map_err(unnamed)?;
        let reply = client
            .unary(request, path, Dynamic(descriptor))
            .await
            .map_err(|status| self.refused(&status))?;
        json(&reply.into_inner()).map_err(unnamed)
    }

    /// Every message of a watch, as it comes.
    pub(crate) async fn watch(
        &self,
        method: &str,
        request: Value,
        mut each: impl FnMut(Value) -> Result<(), Problem>,
    ) -> Result<(), Refusal> {
        let (descriptor, request) = self.prepare(method, request)?;
        let mut client = self.client().await?;
        let path = path(method).map_err(unnamed)?;
        let mut news: Streaming<DynamicMessage> = client
            .server_streaming(request, path, Dynamic(descriptor))
            .await
            .map_err(|status| self.refused(&status))?
            .into_inner();
        while let Some(message) = news.message().await.map_err(|status| self.refused(&status))? {
            each(json(&message).map_err(unnamed)?).map_err(unnamed)?;
        }
        Ok(())
    }

    async fn client(&self) -> Result<Grpc<Wire>, Refusal> {
        let mut client = Grpc::new(self.wire.clone()).max_decoding_message_size(aex_kit::LARGEST_MESSAGE);
        client.ready().await.map_err(|status| self.refused(&status))?;
        Ok(client)
    }

    fn prepare(
        &self,
        method: &str,
        request: Value,
    ) -> Result<(MethodDescriptor, Request<DynamicMessage>), Refusal> {
        let descriptor = find(method).map_err(unnamed)?;
        check_names(&descriptor, &request).map_err(unnamed)?;
        let message = DynamicMessage::deserialize(descriptor.input(), request)
            .map_err(|error| unnamed(Problem::usage(format!("the request cannot be written: {error}"))))?;
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        Ok((descriptor, request))
    }

    fn refused(&self, status: &Status) -> Refusal {
        if let Some(words) =
            std::error::Error::source(status).and_then(<dyn std::error::Error>::downcast_ref::<Unreached>)
        {
            return Refusal {
                code: status.code(),
                problem: Problem::unreached(words.0.clone()),
            };
        }
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        let faults: Vec<_> = details
            .bad_request()
            .map(|bad| bad.field_violations.iter())
            .into_iter()
            .flatten()
            .map(|fault| format!("{} {}", fault.field, fault.description))
            .collect();
        let is_unanswered = matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Aborted
        );
        let problem = match reason.as_deref() {
            Some(reason) => {
                let said = if faults.is_empty() {
                    status.message().to_owned()
                } else {
                    faults.join("; ")
                };
                let words = match advice(reason) {
                    Some(advice) => format!("{reason}: {said}: {advice}"),
                    None => format!("{reason}: {said}"),
                };
                if is_unanswered {
                    Problem::unreached(words)
                } else {
                    Problem::new(words)
                }
            }
            None if is_foreign(status) => Problem::unreached(format!(
                "{} does not answer as an edge of an exchange: check --server / AEX_SERVER",
                self.place
            )),
            None if is_unanswered || is_of_transport(status) => Problem::unreached(format!(
                "cannot reach {}: is an exchange running there?",
                self.place
            )),
            None => Problem::new(format!("{:?}: {}", status.code(), status.message())),
        };
        Refusal {
            code: status.code(),
            problem,
        }
    }
}

/// What broke under the call is the source of a status that the transport made; a status that was received has none.
fn is_of_transport(status: &Status) -> bool {
    status.code() == Code::Unknown
        || (status.code() == Code::Internal && std::error::Error::source(status).is_some())
}

/// Does something answer that speaks no HTTP/2, or HTTP/2 and no gRPC? The transport has words for it and no types. When the
/// connection is given up before the call is sent, the call only knows that it was cancelled.
fn is_foreign(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    if status.code() == Code::Cancelled && cause.is_some() {
        return true;
    }
    while let Some(error) = cause {
        if error.to_string().contains("connection error detected") {
            return true;
        }
        cause = error.source();
    }
    status.message().starts_with("grpc-status header missing")
}

/// What to do about a refusal, where the reason alone tells it.
fn advice(reason: &str) -> Option<&'static str> {
    ADVICE
        .iter()
        .find(|(known, _)| *known == reason)
        .map(|(_, advice)| *advice)
}

const ADVICE: &[(&str, &str)] = &[
    (
        "CREDENTIAL_MISSING",
        "set AEX_API_KEY, or name a file with --key-file",
    ),
    (
        "CREDENTIAL_INVALID",
        "check AEX_API_KEY or --key-file, and whether --server is the exchange that made it",
    ),
    (
        "AUDIENCE_DENIED",
        "this is for tenants of another type, which `aex init --type` makes, or for keys that are bound to no provider",
    ),
    (
        "IDEMPOTENCY_KEY_REUSED",
        "give the command exactly as it was, or another --idempotency-key",
    ),
    ("PAGE_TOKEN_INVALID", "begin again without --page-token"),
    (
        "INSUFFICIENT_FUNDS",
        "see `aex balance`; `aex deposit AMOUNT` brings money in",
    ),
    (
        "WORK_NOT_FOUND",
        "`aex work list` lists yours; a provider sees new work with `aex provider watch`",
    ),
    (
        "WORK_NOT_CANCELLABLE",
        "`aex work get WORK` tells where it stands",
    ),
    ("WORK_NOT_AWARDABLE", "`aex work get WORK` tells where it stands"),
    (
        "EVALUATION_NOT_FOUND",
        "bids are ranked when the bid window closes: `aex work get WORK` tells when",
    ),
    (
        "BID_NOT_FOUND",
        "`aex bid list` lists those that you may see: --work WORK, or --provider PROVIDER",
    ),
    (
        "BID_NOT_RANKED",
        "`aex bid list --work WORK` lists the bids, and `aex work ranking WORK`, when they are ranked, those that can be awarded",
    ),
    ("PROVIDER_NOT_FOUND", "`aex provider list` lists yours"),
    (
        "PROVIDER_NOT_ACTIVE",
        "`aex provider activate PROVIDER` brings it back",
    ),
    ("CONTRACT_NOT_FOUND", "`aex contract list` lists yours"),
    (
        "CONTRACT_STATUS_INVALID",
        "`aex contract get CONTRACT` tells where it stands",
    ),
    (
        "SUBSCRIPTION_NOT_FOUND",
        "`aex provider subscriptions PROVIDER` lists them",
    ),
    ("AGENT_NOT_FOUND", "`aex provider agents PROVIDER` lists them"),
];

/// Names of fields are checked here, so that a misspelt one is answered with the one that was probably meant.
fn check_names(method: &MethodDescriptor, request: &Value) -> Result<(), Problem> {
    let input = method.input();
    for name in request.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if input.get_field_by_name(name).is_some() || input.get_field_by_json_name(name).is_some() {
            continue;
        }
        let fields: Vec<_> = input.fields().collect();
        let known = fields.iter().map(FieldDescriptor::name);
        let advice = match nearest(name, known.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("choose from {}", known.collect::<Vec<_>>().join(", ")),
        };
        return Err(Problem::usage(format!(
            "{} has no field {name}: {advice}",
            method.name()
        )));
    }
    Ok(())
}

pub(crate) fn unnamed(problem: Problem) -> Refusal {
    Refusal {
        code: Code::InvalidArgument,
        problem,
    }
}

/// A method by `package.Service/Method`.
fn find(method: &str) -> Result<MethodDescriptor, Problem> {
    let unknown = || Problem::new(format!("the contracts have no method {method}"));
    let (service, name) = method.split_once('/').ok_or_else(unknown)?;
    let service = POOL.get_service_by_name(service).ok_or_else(unknown)?;
    service
        .methods()
        .find(|method| method.name() == name)
        .ok_or_else(unknown)
}

fn path(method: &str) -> Result<http::uri::PathAndQuery, Problem> {
    Ok(format!("/{method}").parse::<http::uri::PathAndQuery>()?)
}

/// A message as people and programs read it: proto's JSON, with the names of the contract. What is empty is there too, so
/// that a program finds the same fields each time.
pub(crate) fn json(message: &DynamicMessage) -> Result<Value, Problem> {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(false)
        .stringify_64_bit_integers(false);
    Ok(message.serialize_with_options(serde_json::value::Serializer, &options)?)
}

/// An encoded message of a name, as JSON; `None` when the contracts do not know it.
pub(crate) fn decoded(name: &str, bytes: &[u8]) -> Option<Value> {
    let descriptor = POOL.get_message_by_name(name)?;
    json(&DynamicMessage::decode(descriptor, bytes).ok()?).ok()
}

/// Messages by their descriptors, on the wire.
struct Dynamic(MethodDescriptor);

impl Codec for Dynamic {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Written;
    type Decoder = Read;

    fn encoder(&mut self) -> Written {
        Written
    }

    fn decoder(&mut self) -> Read {
        Read(self.0.output())
    }
}

struct Written;

impl Encoder for Written {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, message: DynamicMessage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message
            .encode(buffer)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

struct Read(MessageDescriptor);

impl Decoder for Read {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), buffer)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_for_reasons_that_the_contracts_have() {
        let known: Vec<_> = POOL
            .all_enums()
            .filter(|reasons| reasons.name() == "ErrorReason")
            .flat_map(|reasons| {
                reasons
                    .values()
                    .map(|value| value.name().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        for (reason, _) in ADVICE {
            assert!(known.contains(&format!("ERROR_REASON_{reason}")), "{reason}");
        }
    }
}
