//! A browser's side of grpc-web, as bytes on a socket.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Status;

pub struct Answer {
    pub code: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What a grpc-web body holds: messages, then trailers in a frame of their own.
#[derive(Debug, Default)]
pub struct Frames {
    pub messages: Vec<Vec<u8>>,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn frames(&self) -> Frames {
        frames(&self.body)
    }

    /// The body of a text answer: pieces of base 64, each with its own padding.
    pub fn text_frames(&self) -> Frames {
        let bytes: Vec<u8> = self
            .body
            .chunks(4)
            .flat_map(|group| STANDARD.decode(group).unwrap())
            .collect();
        frames(&bytes)
    }

    /// The status of an answer that has no body.
    pub fn trailers_only(&self) -> Status {
        assert!(self.body.is_empty(), "{:?}", self.body);
        Status::from_header_map(&self.headers).unwrap()
    }
}

fn frames(mut bytes: &[u8]) -> Frames {
    let mut frames = Frames::default();
    while let [flag, a, b, c, d, rest @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let (payload, after) = rest.split_at(length);
        assert!(frames.trailers.is_none(), "nothing comes after the trailers");
        match flag {
            0 => frames.messages.push(payload.to_vec()),
            0x80 => frames.trailers = Some(trailers(std::str::from_utf8(payload).unwrap())),
            other => panic!("a frame of flag {other}"),
        }
        bytes = after;
    }
    assert!(bytes.is_empty(), "half a frame");
    frames
}

fn trailers(text: &str) -> HeaderMap {
    text.split("\r\n")
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            (
                HeaderName::try_from(name).unwrap(),
                HeaderValue::try_from(value.trim()).unwrap(),
            )
        })
        .collect()
}

/// A message in its frame.
pub fn framed(message: &impl prost::Message) -> Vec<u8> {
    let message = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame
}

/// One HTTP/1.1 connection.
pub struct Connection<S = TcpStream>(pub S);

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        Self(socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends a request whose body travels in these pieces, each a chunk and a write of its own.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        pieces: &[&[u8]],
    ) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if pieces.is_empty() {
            head.push_str("\r\n");
        } else {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
        }
        self.0.write_all(head.as_bytes()).await.unwrap();
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
            chunk.extend_from_slice(piece);
            chunk.extend_from_slice(b"\r\n");
            // The edge may have answered and closed already: then the answer is what counts.
            if self.0.write_all(&chunk).await.is_err() {
                return self.answer().await;
            }
            let _ = self.0.flush().await;
        }
        if !pieces.is_empty() {
            let _ = self.0.write_all(b"0\r\n\r\n").await;
        }
        self.answer().await
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(line).unwrap().trim_end().to_owned()
    }

    async fn answer(&mut self) -> Answer {
        let status = self.line().await;
        let code = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut head = String::new();
        loop {
            let line = self.line().await;
            if line.is_empty() {
                break;
            }
            head.push_str(&line);
            head.push_str("\r\n");
        }
        let headers = trailers(&head);
        let mut body = Vec::new();
        if headers
            .get("transfer-encoding")
            .is_some_and(|value| value == "chunked")
        {
            loop {
                let length = usize::from_str_radix(&self.line().await, 16).unwrap();
                let mut chunk = vec![0; length];
                self.0.read_exact(&mut chunk).await.unwrap();
                self.line().await;
                if length == 0 {
                    break;
                }
                body.extend(chunk);
            }
        } else if let Some(length) = headers.get("content-length") {
            body = vec![0; length.to_str().unwrap().parse().unwrap()];
            self.0.read_exact(&mut body).await.unwrap();
        }
        Answer { code, headers, body }
    }
}
