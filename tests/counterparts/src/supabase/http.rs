//! A minimal HTTP server for doubles: one request per connection.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Maximum size of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// An HTTP request.
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    query: String,
    pub authorization: String,
    /// The JSON body; null if there is no body or it is not JSON.
    pub body: Value,
}

impl Request {
    /// Returns the query, undecoded.
    pub fn whole_query(&self) -> &str {
        &self.query
    }

    /// Returns a query parameter, undecoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(one, _)| *one == name)
            .map(|(_, value)| value)
    }
}

/// Serves the request on a connection. An error closes the connection.
pub(crate) fn serve(client: &TcpStream, answer: impl FnOnce(&Request) -> (u16, Value)) {
    let Some(request) = read(client) else { return };
    let (status, body) = answer(&request);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut out = client;
    let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(body.as_bytes()));
}

fn read(mut client: &TcpStream) -> Option<Request> {
    let (mut seen, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let end = seen.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&seen[..end]).into_owned();
            let header = |name: &str| {
                let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
                lines.find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
            };
            let length: usize = header("content-length").map_or(Ok(0), |text| text.parse()).ok()?;
            if seen.len() >= end + 4 + length {
                let mut words = head.lines().next()?.split(' ');
                let (method, target) = (words.next()?.to_owned(), words.next()?);
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                let body = serde_json::from_slice(&seen[end + 4..end + 4 + length]).unwrap_or_default();
                let authorization = header("authorization").unwrap_or_default();
                return Some(Request { method, path: path.to_owned(), query: query.to_owned(), authorization, body });
            }
        }
        let count = client.read(&mut part).ok().filter(|count| *count > 0)?;
        seen.extend_from_slice(&part[..count]);
        if seen.len() > REQUEST_BYTES_MAX {
            return None;
        }
    }
}
