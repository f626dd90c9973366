//! Plain HTTP beside a service, for load balancers.

use std::{net::SocketAddr, sync::atomic::Ordering};

use aex_kit::{Runtime, config::Server, host, principal::PrincipalKey, principal::Verifier, probe::probes};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::scripted::Scripted;

/// The first line and the body of what is answered.
async fn asked(address: SocketAddr, method: &str, path: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: probe\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let line = head.lines().next().unwrap();
    (line.replace("HTTP/1.1 ", ""), body.to_owned())
}

#[tokio::test]
async fn a_probe_hears_whether_a_service_lives_and_whether_it_can_serve() {
    let runtime = Runtime::system();
    let service = Scripted::doing([]);
    let key = PrincipalKey::from_seed(&[7; 32]).unwrap();
    let verifier = Verifier::new([key.public_pem()]).unwrap();
    let (_guard, ready) = host(&service, &runtime, &Server::default(), verifier)
        .await
        .unwrap();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let address = probes(anywhere, ready, &runtime).await.unwrap().address;
    let said = |line: &str, body: &str| (line.to_owned(), body.to_owned());
    assert_eq!(asked(address, "GET", "/health").await, said("200 OK", "ok\n"));
    assert_eq!(asked(address, "GET", "/ready").await, said("200 OK", "ready\n"));
    service.is_away.store(true, Ordering::SeqCst);
    let unready = said("503 Service Unavailable", "not ready\n");
    assert_eq!(asked(address, "GET", "/ready").await, unready);
    assert_eq!(asked(address, "GET", "/health").await, said("200 OK", "ok\n"));
    assert_eq!(asked(address, "GET", "/secrets").await.0, "404 Not Found");
    assert_eq!(asked(address, "POST", "/health").await.0, "404 Not Found");
}
