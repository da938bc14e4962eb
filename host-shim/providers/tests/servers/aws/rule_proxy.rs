//! A proxy in front of moto, with a rule that answers requests or changes responses, to imitate AWS where moto is too
//! lenient.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// An HTTP request.
pub struct Request {
    /// `PUT /path HTTP/1.1`.
    pub line: String,
    /// Header lines in lower case.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the value of a header, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Forwards the request to the server and returns its response.
pub type Forward<'a> = &'a dyn Fn() -> String;

/// A proxy that asks its rule for a response and forwards the request if there is none.
pub struct RuleProxy(SocketAddr);

impl RuleProxy {
    /// Starts the proxy. It calls the rule for one request at a time; the rule may forward it and edit the response.
    pub fn start(
        server: SocketAddr,
        rule: impl FnMut(&Request, Forward<'_>) -> Option<String> + Send + 'static,
    ) -> RuleProxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let rule = Arc::new(Mutex::new(rule));
        // The thread ends with the test process: accepting connections can't be interrupted.
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let rule = rule.clone();
                thread::spawn(move || {
                    let Some((request, bytes)) = read(&mut client) else { return };
                    let ask = || pass(server, &bytes);
                    let mut rule = rule.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = rule(&request, &ask).unwrap_or_else(ask);
                    // The client may have disconnected.
                    let _ = client.write_all(answer.as_bytes());
                });
            }
        });
        RuleProxy(address)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

/// Builds a response with this status and these header lines.
pub fn answer(status: u16, head: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Rule\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Replaces the body of a response.
pub fn with_body(answer: &str, body: &str) -> String {
    let head = answer.split_once("\r\n\r\n").map_or(answer, |(head, _)| head);
    let kept: Vec<&str> =
        head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:")).collect();
    format!("{}\r\nContent-Length: {}\r\n\r\n{body}", kept.join("\r\n"), body.len())
}

pub fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn read(client: &mut TcpStream) -> Option<(Request, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let head: Vec<String> = text.lines().skip(1).map(str::to_ascii_lowercase).collect();
            let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let body = bytes[end + 4..].to_vec();
                return Some((Request { line: text.lines().next()?.to_owned(), head, body }, bytes));
            }
        }
        let read = client.read(&mut buffer).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Forwards the request and returns the server's response.
fn pass(address: SocketAddr, request: &[u8]) -> String {
    let mut server = TcpStream::connect(address).expect("a server that listens");
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole request");
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let kept: Vec<&str> = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:")).collect();
    let mut closing = format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).into_bytes();
    closing.extend_from_slice(&request[end + 4..]);
    server.write_all(&closing).expect("a request that is taken");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
