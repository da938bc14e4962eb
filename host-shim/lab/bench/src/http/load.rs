//! The load generator: keep-alive connections on one thread, each with one request at a time. If there are several servers, each gets the
//! same number of connections and requests, and a customer's events go to each in turn.

use super::accepted;
use anyhow::{Context, Result, bail};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::iter::repeat_with;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// A request as it is sent.
pub struct Request(Vec<u8>);

impl Request {
    /// Creates a POST request.
    pub fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let mut bytes = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| bytes.push_str(&format!("{name}: {value}\r\n")));
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        Request(bytes)
    }
}

/// A load generator for one or more servers.
pub struct Load {
    runtime: Runtime,
    addresses: Vec<String>,
    connections: usize,
    /// Index of the server whose turn is next.
    turn: Cell<usize>,
}

/// The requests that were sent and answered.
pub struct Sent {
    /// Time from the first request to the last answer.
    pub took: Duration,
    /// Microseconds of each request, unordered.
    pub micros: Vec<f64>,
}

/// The waiting requests, each with its due time; a request without one is sent as soon as a connection is free.
type Waiting = Rc<RefCell<VecDeque<(Option<Instant>, Request)>>>;

impl Load {
    /// Creates a generator with this total number of connections.
    pub fn new(addresses: &[&str], connections: usize) -> Result<Load> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        Ok(Load { runtime, addresses, connections, turn: Cell::new(0) })
    }

    /// Sends all requests as fast as they are answered.
    pub fn send(&self, requests: Vec<Request>) -> Result<Sent> {
        let begun = Instant::now();
        let micros = self.run(requests.into_iter().map(|request| (None, request)))?;
        Ok(Sent { took: begun.elapsed(), micros })
    }

    /// Sends requests at a steady rate, even if the servers cannot keep up. Returns the microseconds of each request, counted from the
    /// moment it was due.
    pub fn offer(&self, requests: Vec<Request>, a_second: usize) -> Result<Vec<f64>> {
        let (begun, every) = (Instant::now(), Duration::from_secs(1) / u32::try_from(a_second)?);
        let due = |number: usize| begun + every * u32::try_from(number).unwrap_or(u32::MAX);
        self.run(requests.into_iter().enumerate().map(|(number, request)| (Some(due(number)), request)))
    }

    fn run(&self, requests: impl Iterator<Item = (Option<Instant>, Request)>) -> Result<Vec<f64>> {
        let servers = self.addresses.len();
        let waiting: Vec<Waiting> = repeat_with(Waiting::default).take(servers).collect();
        for (number, request) in requests.enumerate() {
            waiting[(number + self.turn.get()) % servers].borrow_mut().push_back(request);
        }
        self.turn.set(self.turn.get() + 1);
        LocalSet::new().block_on(&self.runtime, async {
            let connections: Vec<_> = (0..self.connections)
                .map(|number| number % servers)
                .map(|at| tokio::task::spawn_local(connection(self.addresses[at].clone(), waiting[at].clone())))
                .collect();
            let mut micros = Vec::new();
            for connection in connections {
                micros.extend(connection.await??);
            }
            Ok(micros)
        })
    }
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("no connection to the server")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connection(address: String, waiting: Waiting) -> Result<Vec<f64>> {
    let mut stream = connect(&address).await?;
    let (mut micros, mut buffer) = (Vec::new(), Vec::with_capacity(4096));
    loop {
        let Some((due, Request(bytes))) = waiting.borrow_mut().pop_front() else { return Ok(micros) };
        let from = due.unwrap_or_else(Instant::now);
        if from > Instant::now() {
            tokio::time::sleep_until(from.into()).await;
        }
        stream.write_all(&bytes).await?;
        let answer = answer(&mut stream, &mut buffer).await?;
        accepted(answer.status)?;
        micros.push(from.elapsed().as_secs_f64() * 1e6);
        if answer.closes {
            stream = connect(&address).await?;
        }
    }
}

struct Answer {
    status: u16,
    /// True if the server closes the connection after this answer.
    closes: bool,
}

/// Reads one answer.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Answer> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        if buffer.len() >= end + 4 + length.unwrap_or(0) {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
            return Ok(Answer { status, closes: head.lines().any(|line| line == "connection: close") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Starts a server that closes the connection after each answer. Returns its address and the number of answers.
    fn closing(status: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, answers) =
            (listener.local_addr().expect("an address").to_string(), Arc::new(AtomicUsize::new(0)));
        let counted = answers.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (mut seen, mut part) = (Vec::new(), [0; 1024]);
                while !seen.ends_with(b"\r\n\r\nab") {
                    match stream.read(&mut part) {
                        Ok(bytes) if bytes > 0 => seen.extend_from_slice(&part[..bytes]),
                        // The generator has closed a connection that it no longer needs.
                        _ => break,
                    }
                }
                if !seen.is_empty() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).expect("the generator reads");
                }
            }
        });
        (address, answers)
    }

    fn requests(number: usize) -> Vec<Request> {
        (0..number).map(|_| Request::post("/", &[], b"ab")).collect()
    }

    #[test]
    fn servers_get_requests_in_turn_on_connections_that_they_may_close() {
        let ((one, of_one), (two, of_two)) = (closing("200 OK"), closing("200 OK"));
        let load = Load::new(&[&one, &two], 2).expect("a runtime");
        assert_eq!(load.send(requests(5)).expect("answers").micros.len(), 5);
        assert_eq!((of_one.load(Ordering::SeqCst), of_two.load(Ordering::SeqCst)), (3, 2));
        assert_eq!(load.offer(requests(1), 1000).expect("answers").len(), 1);
        assert_eq!((of_one.load(Ordering::SeqCst), of_two.load(Ordering::SeqCst)), (3, 3));
    }

    #[test]
    fn another_status_ends_the_measurement() {
        let (refusing, _) = closing("503 Service Unavailable");
        let error = Load::new(&[&refusing], 1).expect("a runtime").send(requests(1)).err().expect("an error");
        assert!(error.to_string().contains("503"), "{error}");
    }
}
