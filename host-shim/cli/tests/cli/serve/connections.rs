//! Many connections at once. The variable `CONNECTIONS` sets their number; the server and its clients are two processes, and each
//! needs as many open files.

use super::{Running, SECRET, WAIT};
use crate::run::subscription;
use host_intake::testing::sign;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_support::count;

/// Threads of the clients.
const THREADS: usize = 4;
/// Time in which a request must begin on an open connection.
const IDLE: Duration = Duration::from_secs(15);
/// One in this number of connections also delivers an event.
const DELIVERS_EVERY: usize = 50;

/// A connection that stays open between requests.
struct KeptAlive(TcpStream);

impl KeptAlive {
    fn open(address: &str) -> KeptAlive {
        let stream = TcpStream::connect(address).expect("a connection; `ulimit -n` limits them");
        stream.set_read_timeout(Some(WAIT)).expect("set");
        KeptAlive(stream)
    }

    /// Sends a request and returns the status of its answer, whose body is read to its end; none if the server has closed the
    /// connection.
    fn status(&mut self, line: &str, headers: &str, body: &str) -> Option<u16> {
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.0.write_all((head + body).as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut bytes = [0; 2048];
        loop {
            let count = self.0.read(&mut bytes).ok().filter(|count| *count > 0)?;
            answer.extend_from_slice(&bytes[..count]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if length.is_some_and(|length| body.len() >= length) {
                return head.split(' ').nth(1)?.parse().ok();
            }
        }
    }
}

fn deliver(connection: &mut KeptAlive, number: usize) -> Option<u16> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs();
    let body = subscription(&format!("evt_{number}")).to_string();
    let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now as i64, body.as_bytes()));
    connection.status("POST /api/webhooks/stripe", &signature, &body)
}

#[test]
fn all_of_many_open_connections_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Running::start(&folder.path().join("data"));
    let each = count("CONNECTIONS", 1_000) / THREADS;
    let (all_are_open, closed) = (Barrier::new(THREADS), AtomicUsize::new(0));
    let began = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (address, all_are_open, closed) = (&server.address, &all_are_open, &closed);
            scope.spawn(move || {
                let mut open: Vec<KeptAlive> = (0..each).map(|_| KeptAlive::open(address)).collect();
                all_are_open.wait();
                for (number, connection) in open.iter_mut().enumerate() {
                    let status = match number.is_multiple_of(DELIVERS_EVERY) {
                        true => deliver(connection, thread * each + number),
                        false => {
                            // Each connection is of another client of a proxy, since those of one have a rate.
                            let client = format!("X-Forwarded-For: 10.0.{thread}.{}\r\n", number % 250);
                            connection.status("GET /health", &client, "")
                        }
                    };
                    match status {
                        Some(status) => assert_eq!(status, 200),
                        None => drop(closed.fetch_add(1, Ordering::Relaxed)),
                    }
                }
                // Nobody closes a connection before the last one is answered.
                all_are_open.wait();
            });
        }
    });
    let (closed, took) = (closed.into_inner(), began.elapsed());
    // Only a connection on which no request has come in time is closed, which a slow machine may see.
    assert!(closed == 0 || took > IDLE, "{closed} connections were closed after {took:?}");
    assert!(closed < each, "{closed} connections were closed");
    server.stop();
}
