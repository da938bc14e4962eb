//! Tests the effect of each fault on the client and on the server.

use counterparts::{Fault, FaultProxy, Protocol};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789";

/// Starts a server that counts requests and responds to each of them with [`ANSWER`].
fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let (address, count) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = count.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 1024];
            if stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                counted.fetch_add(1, Ordering::SeqCst);
                stream.write_all(ANSWER.as_bytes()).expect("an answer");
            }
        }
    });
    (address, count)
}

/// Sends a request and returns the response.
fn ask(proxy: &FaultProxy) -> Result<String, ErrorKind> {
    let mut stream = TcpStream::connect(proxy.address()).map_err(|error| error.kind())?;
    let sent = stream.write_all(b"PUT /things/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    sent.map_err(|error| error.kind())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.kind())?;
    Ok(answer)
}

#[test]
fn each_fault_strikes_once_before_or_after_the_server_sees_the_request() {
    let (address, count) = server();
    for protocol in [Protocol::Http, Protocol::Plain] {
        let proxy = FaultProxy::start(address, protocol);
        let play = |fault: Fault| {
            proxy.clear();
            count.store(0, Ordering::SeqCst);
            proxy.fail_nth(0, fault);
            let broken = ask(&proxy);
            let done = count.load(Ordering::SeqCst);
            assert_eq!(ask(&proxy).as_deref(), Ok(ANSWER), "{protocol:?} {fault:?} strikes once");
            assert_eq!(proxy.struck(), 1);
            (broken, done)
        };
        assert_eq!(play(Fault::ResetBefore), (Err(ErrorKind::ConnectionReset), 0), "{protocol:?}");
        assert_eq!(play(Fault::ResetAfter), (Err(ErrorKind::ConnectionReset), 1), "{protocol:?}");
        let (refused, done) = play(Fault::Refuse);
        assert!(refused.is_err() && done == 0, "{protocol:?}: {refused:?}");
        let (cut, done) = play(Fault::Truncate);
        assert!(cut.as_deref().is_ok_and(|text| ANSWER.starts_with(text) && text.len() < ANSWER.len()), "{cut:?}");
        assert_eq!(done, 1);
        let begun = Instant::now();
        assert_eq!(play(Fault::Delay(Duration::from_millis(300))), (Ok(ANSWER.to_owned()), 1));
        assert!(begun.elapsed() >= Duration::from_millis(300), "{protocol:?}");
    }
}

#[test]
fn a_status_fault_responds_without_the_server() {
    let (address, count) = server();
    let proxy = FaultProxy::start(address, Protocol::Http);
    proxy.fail_with("PUT /things", Fault::Status(429, Some(7)));
    let answer = ask(&proxy).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("Retry-After: 7\r\n"), "{answer}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert_eq!(ask(&proxy).as_deref(), Ok(ANSWER));
    assert_eq!(proxy.seen(), ["PUT /things/1 HTTP/1.1", "PUT /things/1 HTTP/1.1"]);
    proxy.fail_always(Fault::Status(500, None));
    for _ in 0..3 {
        assert!(ask(&proxy).expect("an answer").starts_with("HTTP/1.1 500"));
    }
}
