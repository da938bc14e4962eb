//! A connection on which a test writes the bytes of a request itself.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Timeout of each read and write.
const WAIT: Duration = Duration::from_secs(15);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    /// The body as JSON; null if it is something else.
    pub json: Value,
}

impl Answer {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (own, value) = line.split_once(':')?;
            own.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns the stable code of a problem.
    pub fn code(&self) -> &str {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json["status"], self.status, "{self:?}");
        self.json["code"].as_str().expect("a code")
    }

    /// Returns the JSON of a successful answer.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status) && !self.json.is_null(), "{self:?}");
        self.json
    }

    /// Returns the codes of the wrong values of a request by their pointers.
    pub fn wrong(&self) -> Vec<(String, String)> {
        assert_eq!((self.status, self.code()), (422, "invalid"), "{self:?}");
        let errors = self.json["errors"].as_array().expect("errors");
        let text = |error: &Value, name: &str| error[name].as_str().expect("a text").to_owned();
        errors.iter().map(|error| (text(error, "pointer"), text(error, "code"))).collect()
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Connection {
    pub fn open(address: &str) -> Connection {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(WAIT)).expect("set");
        stream.set_write_timeout(Some(WAIT)).expect("set");
        Connection(stream)
    }

    /// Writes bytes. The server may have closed the connection after an early answer.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Reads one answer; none if the server closes the connection without one.
    pub fn answer(&mut self) -> Option<Answer> {
        let answer = self.head()?;
        self.with_body(answer)
    }

    /// Reads an answer up to its body; none if the server closes the connection without one.
    pub fn head(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(bytes).expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Some(Answer { status, head, body: String::new(), json: Value::Null })
    }

    /// Reads the body of an answer.
    pub fn with_body(&mut self, mut answer: Answer) -> Option<Answer> {
        let body = match answer.header("transfer-encoding") {
            Some(_) => self.chunks()?,
            None => {
                let length = answer.header("content-length").and_then(|length| length.parse().ok());
                self.bytes(length.unwrap_or(0))?
            }
        };
        answer.body = String::from_utf8(body).expect("a text");
        if answer.header("content-type").is_some_and(|media| media.ends_with("json")) {
            answer.json = serde_json::from_str(&answer.body).expect("JSON");
        }
        Some(answer)
    }

    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Reads a body whose length is not known at its beginning; none if it is cut.
    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.extend(self.bytes(1)?);
            }
            let length = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
            body.extend(self.bytes(length)?);
            self.bytes(2)?;
            if length == 0 {
                return Some(body);
            }
        }
    }

    /// Reads one answer; none if it does not begin in time.
    pub fn answer_within(&mut self, wait: Duration) -> Option<Answer> {
        self.0.set_read_timeout(Some(wait)).expect("set");
        let answer = self.answer();
        self.0.set_read_timeout(Some(WAIT)).expect("set");
        answer
    }

    /// Sends a request with headers and a body, and reads the answer.
    pub fn request(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.send(line, headers, body);
        self.answer().expect("an answer")
    }

    /// Sends a request with headers and a body.
    pub fn send(&mut self, line: &str, headers: &[(&str, &str)], body: &[u8]) {
        let host = headers.iter().find(|(name, _)| *name == "Host").map_or("localhost", |(_, host)| host);
        let headers = headers.iter().filter(|(name, _)| *name != "Host");
        let mut head = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
        headers.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str("\r\n");
        self.write(head.as_bytes());
        self.write(body);
    }
}
