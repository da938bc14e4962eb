//! Requests against a server with scripted responses.

#![allow(clippy::unwrap_used)]

use host_provider_api::CallOutcome;
use host_providers::http::{Body, CallError, Client, ExchangeLimits, Method, Reply, Request, retry_after_ms};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LIMITS: ExchangeLimits = ExchangeLimits { timeout: Duration::from_millis(500), body_bytes_max: 1_000 };

/// Longest time for which a silent server keeps the connection open, far beyond a client's timeout.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Starts a server for one exchange. Returns its URL, and the handle of its thread, which returns the received request.
fn server(answer: &str) -> (String, JoinHandle<String>) {
    server_that(answer, false)
}

/// Starts a server for one exchange. A silent server waits until the client has disconnected before it responds.
fn server_that(answer: &str, is_silent: bool) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_owned();
    let thread = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut seen = [0; 4_096];
        let count = client.read(&mut seen).unwrap();
        if is_silent {
            client.set_read_timeout(Some(SILENCE_MAX)).unwrap();
            let _ = client.read(&mut [0]);
        }
        // The client may have disconnected.
        let _ = client.write_all(answer.as_bytes());
        String::from_utf8_lossy(&seen[..count]).into_owned()
    });
    (url, thread)
}

fn ask(url: &str) -> Result<Reply, CallError> {
    ask_within(url, LIMITS)
}

fn ask_within(url: &str, limits: ExchangeLimits) -> Result<Reply, CallError> {
    let request = Request { method: Method::Get, path: "/v1/x?a=1", bearer: "key", headers: &[], body: None };
    Client::new(url, limits).send(&request)
}

fn answered(head: &str, body: &str) -> Result<Reply, CallError> {
    let (url, thread) = server(&format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let reply = ask(&url);
    thread.join().unwrap();
    reply
}

#[test]
fn a_request_has_its_headers_and_a_response_is_read_whole() {
    let (url, thread) =
        server("HTTP/1.1 201 Created\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 2\r\n\r\n{}");
    let headers = [("x-more", "1")];
    let body = Some(Body::Form("a=1".to_owned()));
    let request = Request { method: Method::Post, path: "/v1/x", bearer: "key", headers: &headers, body };
    let reply = Client::new(&format!("{url}/"), LIMITS).send(&request).unwrap();
    assert_eq!((reply.status, reply.is_success(), reply.body.as_slice()), (201, true, b"{}".as_slice()));
    assert_eq!(reply.date_ms, Some(784_111_777_000));
    let seen = thread.join().unwrap().to_lowercase();
    for part in [
        "post /v1/x http/1.1\r\n",
        "authorization: bearer key\r\n",
        "x-more: 1\r\n",
        "content-length: 3\r\n",
        "application/x-www-form-urlencoded",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
}

#[test]
fn a_late_large_or_truncated_response_is_an_error() {
    let (url, thread) = server_that("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", true);
    let short = ExchangeLimits { timeout: Duration::from_millis(100), ..LIMITS };
    assert_eq!(ask_within(&url, short), Err(CallError::TimedOut));
    thread.join().unwrap();
    assert_eq!(answered("200 OK", &"x".repeat(1_001)), Err(CallError::TooLarge { bytes_max: 1_000 }));
    assert!(answered("200 OK", &"x".repeat(1_000)).is_ok());
    let (url, thread) = server("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{");
    assert!(matches!(ask(&url), Err(CallError::Connection(_))));
    thread.join().unwrap();
    assert!(matches!(ask("http://127.0.0.1:1"), Err(CallError::Connection(_))));
}

#[test]
fn a_redirect_is_returned_and_not_followed() {
    let reply = answered("307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/elsewhere", "").unwrap();
    assert_eq!((reply.status, reply.is_success()), (307, false));
}

#[test]
fn an_invalid_request_is_not_sent() {
    let request = Request { method: Method::Get, path: "/", bearer: "a\r\nb", headers: &[], body: None };
    let answer = Client::new("http://127.0.0.1:1", LIMITS).send(&request);
    assert_eq!(answer, Err(CallError::Unsendable));
    let answer = CallOutcome::from(CallError::Unsendable);
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "bad-request"), "{answer:?}");
}

#[test]
fn a_retry_hint_is_seconds_or_a_time() {
    let hint = |lines: &str| retry_after_ms(&answered(&format!("429 Too Many Requests{lines}"), "").unwrap());
    assert_eq!(hint("\r\nRetry-After: 7"), Some(7_000));
    let date = "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(hint(&format!("{date}\r\nRetry-After: Sun, 06 Nov 1994 08:50:07 GMT")), Some(30_000));
    assert_eq!(hint(&format!("{date}\r\nRetry-After: Sun, 06 Nov 1994 08:00:00 GMT")), None, "a time in the past");
    for wrong in ["", "\r\nRetry-After: -1", "\r\nRetry-After: soon", "\r\nRetry-After: 9999999"] {
        assert_eq!(hint(wrong), None, "{wrong}");
    }
}
