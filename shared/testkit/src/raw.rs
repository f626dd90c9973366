//! Calls of any method, with bytes that are sent as they are.

use std::time::Duration;

use aex_kit::access::Method;
use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Request, Status,
    body::Body,
    client::{Grpc, GrpcService},
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Body as Answer, StdError},
};

/// A way to a service that raw calls can take: a wire of the kit, a channel, with or without an interceptor.
pub trait Way: GrpcService<Body, Error: Into<StdError>, ResponseBody: Answering> {}

impl<T: GrpcService<Body, Error: Into<StdError>, ResponseBody: Answering>> Way for T {}

/// The body of an answer that comes by such a way.
pub trait Answering: Answer<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static {}

impl<T: Answer<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static> Answering for T {}

/// Calls a method; of a watch it answers the first message, or nothing when it tells nothing for a moment.
pub async fn call(way: impl Way, method: &Method, request: Request<Bytes>) -> Result<Bytes, Status> {
    if method.is_watch {
        first_of_stream(way, &method.path, request).await
    } else {
        unary(way, &method.path, request).await
    }
}

/// Sends bytes as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// Calls the method of a path; gives up after half a minute.
pub async fn unary(way: impl Way, path: &str, request: Request<Bytes>) -> Result<Bytes, Status> {
    let mut grpc = ready(way).await?;
    let path = path.parse().expect("a method's path is a path");
    tokio::time::timeout(Duration::from_secs(30), grpc.unary(request, path, Raw))
        .await
        .map_err(|_| Status::cancelled("no answer in 30 s"))?
        .map(tonic::Response::into_inner)
}

async fn ready<T: Way>(way: T) -> Result<Grpc<T>, Status> {
    let mut grpc = Grpc::new(way).max_decoding_message_size(usize::MAX);
    grpc.ready()
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    Ok(grpc)
}

async fn first_of_stream(way: impl Way, path: &str, request: Request<Bytes>) -> Result<Bytes, Status> {
    let mut grpc = ready(way).await?;
    let path = path.parse().expect("a method's path is a path");
    let mut stream = grpc.server_streaming(request, path, Raw).await?.into_inner();
    // A watch that is admitted may have nothing to tell.
    match tokio::time::timeout(Duration::from_millis(200), stream.message()).await {
        Ok(message) => message.map(Option::unwrap_or_default),
        Err(_) => Ok(Bytes::new()),
    }
}
