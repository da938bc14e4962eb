//! The load generator: keep-alive connections on one thread, each with one request at a time.

use super::accepted;
use anyhow::{Context, Result, bail};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// A request as it is sent.
pub struct Request(Vec<u8>);

impl Request {
    /// Makes a POST request.
    pub fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let mut bytes = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| bytes.push_str(&format!("{name}: {value}\r\n")));
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        Request(bytes)
    }
}

/// A generator of load for one server.
pub struct Load {
    runtime: Runtime,
    address: String,
    connections: usize,
}

impl Load {
    pub fn new(address: &str, connections: usize) -> Result<Load> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Load { runtime, address: address.to_owned(), connections })
    }

    /// Sends all requests as fast as they are answered. Returns the duration.
    pub fn send(&self, requests: Vec<Request>) -> Result<Duration> {
        let begun = Instant::now();
        self.run(requests, None)?;
        Ok(begun.elapsed())
    }

    /// Sends requests at a steady rate, whether the server keeps up or not. Returns the microseconds of each from the moment at
    /// which it was due.
    pub fn offer(&self, requests: Vec<Request>, a_second: usize) -> Result<Vec<f64>> {
        self.run(requests, Some(Duration::from_secs(1) / u32::try_from(a_second)?))
    }

    fn run(&self, requests: Vec<Request>, every: Option<Duration>) -> Result<Vec<f64>> {
        let begun = Instant::now();
        let due = |number: usize| begun + every.unwrap_or_default() * u32::try_from(number).unwrap_or(u32::MAX);
        let waiting: VecDeque<(Instant, Request)> =
            requests.into_iter().enumerate().map(|(number, request)| (due(number), request)).collect();
        let waiting = Rc::new(RefCell::new(waiting));
        LocalSet::new().block_on(&self.runtime, async {
            let connections: Vec<_> = (0..self.connections)
                .map(|_| tokio::task::spawn_local(connection(self.address.clone(), waiting.clone())))
                .collect();
            let mut micros = Vec::new();
            for connection in connections {
                micros.extend(connection.await??);
            }
            Ok(micros)
        })
    }
}

async fn connection(address: String, waiting: Rc<RefCell<VecDeque<(Instant, Request)>>>) -> Result<Vec<f64>> {
    let mut stream = TcpStream::connect(&address).await.context("no connection to the server")?;
    stream.set_nodelay(true)?;
    let (mut micros, mut buffer) = (Vec::new(), Vec::with_capacity(4096));
    loop {
        let Some((due, Request(bytes))) = waiting.borrow_mut().pop_front() else { return Ok(micros) };
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        stream.write_all(&bytes).await?;
        accepted(answer(&mut stream, &mut buffer).await?)?;
        micros.push(due.elapsed().as_secs_f64() * 1e6);
    }
}

/// Reads one answer and returns its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if buffer.len() >= end + 4 + length.unwrap_or(0) {
            return head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status");
        }
    }
}
