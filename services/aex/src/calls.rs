//! Calls of any method of the contracts, as JSON: what the thin commands are made of.

use aex_kit::Wire;
use aex_proto::{
    POOL,
    prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor, SerializeOptions},
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
        let message = DynamicMessage::deserialize(descriptor.input(), request)
            .map_err(|error| unnamed(Problem::new(format!("the request cannot be written: {error}"))))?;
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request
                .metadata_mut()
                .insert("authorization", authorization.clone());
        }
        Ok((descriptor, request))
    }

    fn refused(&self, status: &Status) -> Refusal {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone());
        let words = match reason.as_deref() {
            Some("CREDENTIAL_MISSING") => {
                "CREDENTIAL_MISSING: a key is needed: set AEX_API_KEY, or name a file with --key-file"
                    .to_owned()
            }
            Some("CREDENTIAL_INVALID") => {
                format!(
                    "CREDENTIAL_INVALID: the key opens nothing at {}: check AEX_API_KEY",
                    self.place
                )
            }
            Some(reason) => {
                let faults: Vec<_> = details
                    .bad_request()
                    .map(|bad| bad.field_violations.iter())
                    .into_iter()
                    .flatten()
                    .map(|fault| format!("{} {}", fault.field, fault.description))
                    .collect();
                if faults.is_empty() {
                    format!("{reason}: {}", status.message())
                } else {
                    format!("{reason}: {}", faults.join("; "))
                }
            }
            None if matches!(status.code(), Code::Unavailable | Code::Unknown) => {
                format!("cannot reach {}: is an exchange running there?", self.place)
            }
            None => format!("{:?}: {}", status.code(), status.message()),
        };
        Refusal {
            code: status.code(),
            problem: Problem::new(words),
        }
    }
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

/// A message as people and programs read it: proto's JSON, with the names of the contract.
pub(crate) fn json(message: &DynamicMessage) -> Result<Value, Problem> {
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
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
