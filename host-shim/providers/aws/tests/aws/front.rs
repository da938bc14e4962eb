//! A server before the server, for what moto lets pass and AWS does not.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// One request.
pub struct Request {
    /// `PUT /path HTTP/1.1`.
    pub line: String,
    /// The lines of its head, in lower case.
    pub head: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// What asks the server behind.
pub type Behind<'a> = &'a dyn Fn() -> String;

/// A server that asks its rule first, and the server behind if the rule has no answer.
pub struct Front(SocketAddr);

impl Front {
    /// Requests come to the rule one after the other. It may ask the server behind itself, and change what that says.
    pub fn start(
        behind: SocketAddr,
        rule: impl FnMut(&Request, Behind<'_>) -> Option<String> + Send + 'static,
    ) -> Front {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let rule = Arc::new(Mutex::new(rule));
        // It ends with the test's process: a listener has no way to be interrupted.
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let rule = rule.clone();
                thread::spawn(move || {
                    let Some((request, bytes)) = read(&mut client) else { return };
                    let ask = || pass(behind, &bytes);
                    let mut rule = rule.lock().unwrap_or_else(PoisonError::into_inner);
                    let answer = rule(&request, &ask).unwrap_or_else(ask);
                    // A client that has gone has no need of it.
                    let _ = client.write_all(answer.as_bytes());
                });
            }
        });
        Front(address)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

/// An answer of this status, with these lines in its head.
pub fn answer(status: u16, head: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} Rule\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// An answer with its body replaced.
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

/// What the server behind says to the same request.
fn pass(behind: SocketAddr, request: &[u8]) -> String {
    let mut server = TcpStream::connect(behind).expect("a server that listens");
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
