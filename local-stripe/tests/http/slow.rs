//! Slow clients, over plain TCP sockets.

use std::time::{Duration, Instant};

use local_stripe::server::{Options, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The server's timeout in these tests; the default is longer.
const PATIENCE: Duration = Duration::from_millis(300);
const KEY: &str = "Authorization: Bearer sk_test_x\r\n";

async fn start() -> (Server, TcpStream) {
    let server = Server::start(Options { patience: PATIENCE, ..Options::default() }).await.unwrap();
    let stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).await.unwrap();
    (server, stream)
}

/// Reads until the server closes the connection. Returns the received text, and how long this took.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
    // An error is ignored, as a reset also closes the connection.
    let _ = read.expect("the connection is closed");
    (String::from_utf8_lossy(&said).into_owned(), start.elapsed())
}

#[tokio::test]
async fn a_slow_client_is_disconnected_wherever_it_stops() {
    for sent in [
        String::new(),
        "POST /v1/customers HTT".to_owned(),
        format!("POST /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}"),
        format!("POST /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}Content-Length: 100\r\n\r\nname="),
        format!("POST /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}Transfer-Encoding: chunked\r\n\r\n5\r\nna"),
    ] {
        let (server, mut stream) = start().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let (said, took) = until_closed(&mut stream).await;
        assert!(!said.contains("\"id\""), "{sent:?}: {said}");
        assert!(took > PATIENCE / 2 && took < PATIENCE * 10, "{sent:?}: {took:?}");
        let count = server.handle(&local_stripe::sandbox::own_request("GET", "/v1/customers", &[]));
        assert!(count.body.contains("\"data\": []"), "{sent:?}: {}", count.body);
    }
}

#[tokio::test]
async fn a_client_that_sends_single_bytes_is_disconnected() {
    let (_server, mut stream) = start().await;
    let head = format!("POST /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}Content-Length: 100\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let start = Instant::now();
    while stream.write_all(b"a").await.is_ok() {
        assert!(start.elapsed() < PATIENCE * 10, "each byte extends the timeout");
        tokio::time::sleep(PATIENCE / 10).await;
    }
    assert!(start.elapsed() > PATIENCE / 2);
}

#[tokio::test]
async fn an_idle_client_is_disconnected_after_its_response() {
    let (_server, mut stream) = start().await;
    stream.write_all(format!("GET /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}\r\n").as_bytes()).await.unwrap();
    let (said, took) = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && took > PATIENCE / 2 && took < PATIENCE * 10, "{took:?}: {said}");
}

#[tokio::test]
async fn chunked_requests_are_accepted() {
    let (_server, mut stream) = start().await;
    let head = format!("POST /v1/customers HTTP/1.1\r\nHost: a\r\n{KEY}Transfer-Encoding: chunked\r\n\r\n");
    for piece in [head.as_str(), "3\r\nnam\r\n", "3\r\ne=a\r\n0\r", "\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (said, _) = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("\"name\": \"a\""), "{said}");
}
