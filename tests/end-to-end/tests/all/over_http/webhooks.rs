//! The webhook endpoint as senders and attackers see it.

use super::raw::Connection;
use super::server::TestServer;
use end_to_end::world::START_MS;
use host_api::ConnectionLimits;
use host_engine::writer::{JobError, WriterLimits};
use host_intake::body::BODY_BYTES_MAX;
use host_store::fault::{Faults, Moment, Then};
use host_store::{MemoryStore, Store};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const LINE: &str = "POST /api/webhooks/stripe";

pub fn event(id: &str) -> Vec<u8> {
    let created = START_MS / 1000;
    format!(
        r#"{{"id":"{id}","object":"event","type":"customer.updated","created":{created},"livemode":false,"data":{{"object":{{"id":"cus_1","object":"customer","created":{created}}}}}}}"#
    )
    .into_bytes()
}

pub fn is_stored(server: &TestServer, id: &'static str) -> bool {
    server.with_host(move |host| {
        let processor = host.processor();
        processor.store().event(processor.partition(), "stripe", id).expect("read").is_some()
    })
}

/// Returns a connection on which a signed delivery was sent, and not answered yet.
fn sent(server: &TestServer, body: &[u8]) -> Connection {
    let mut connection = Connection::open(server.address());
    let (signature, length) = (server.signature(body), body.len());
    let head =
        format!("{LINE} HTTP/1.1\r\nHost: x\r\nStripe-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n");
    connection.write(head.as_bytes());
    connection.write(body);
    connection
}

// covers: PLG-22
#[test]
fn a_signed_delivery_is_stored_before_it_is_acknowledged() {
    let server = TestServer::start("solobase");
    let (body, mut connection) = (event("evt_1"), Connection::open(server.address()));
    let signature = server.signature(&body);
    let answer = connection.request(LINE, &[("Stripe-Signature", &signature)], &body);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"received":true}"#));
    assert!(is_stored(&server, "evt_1"));
    let again = connection.request(&format!("{LINE}/"), &[("stripe-signature", &signature)], &body);
    assert_eq!(again.status, 200, "a repeated delivery, on the same connection, with a slash");
}

#[test]
fn a_delivery_may_come_to_a_path_that_the_business_names() {
    let server = TestServer::start("solobase");
    let body = event("evt_1");
    for path in ["/b/products/webhooks/stripe", "/b/products/webhooks/stripe/"] {
        let signed = [("Stripe-Signature", &*server.signature(&body))];
        let answer = server.request(&format!("POST {path}"), &signed, &body);
        assert_eq!(answer.status, 200, "{path}");
    }
    assert!(is_stored(&server, "evt_1"));
    let other = server.request("POST /api/billing/webhook", &[("Stripe-Signature", &server.signature(&body))], &body);
    assert_eq!(other.status, 404, "a path that another business names");
}

#[test]
fn deliveries_that_are_not_authentic_or_not_events_are_refused_and_not_stored() {
    let server = TestServer::start("solobase");
    let (good, other) = (event("evt_1"), event("evt_2"));
    let signature = server.signature(&good);
    /// Line, headers and body of a request; status and code of its answer.
    type Case<'c> = (&'c str, Vec<(&'c str, &'c str)>, &'c [u8], u16, &'c str);
    let cases: [Case<'_>; 7] = [
        (LINE, vec![("Stripe-Signature", &signature)], &other, 400, "signature"),
        (LINE, vec![], &good, 400, "signature"),
        (LINE, vec![("Stripe-Signature", "t=1,v1=00")], &good, 400, "signature"),
        (LINE, vec![("Stripe-Signature", &signature), ("Content-Encoding", "gzip")], &good, 415, "content-encoding"),
        ("GET /api/webhooks/stripe", vec![], b"", 405, "method"),
        ("PUT /api/webhooks/stripe", vec![("Stripe-Signature", &signature)], &good, 405, "method"),
        ("POST /api/webhooks/paypal", vec![("Stripe-Signature", &signature)], &good, 404, "not-found"),
    ];
    for (line, headers, body, status, code) in cases {
        let answer = server.request(line, &headers, body);
        assert_eq!((answer.status, answer.code()), (status, code), "{line} {headers:?}");
        assert_eq!(answer.header("location"), None, "no redirect");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
    assert!(!is_stored(&server, "evt_1") && !is_stored(&server, "evt_2"));
    let list = b"[1]";
    let answer = server.deliver(list);
    assert_eq!((answer.status, answer.code()), (400, "not-an-event"), "authentic, but not an object");
}

#[test]
fn large_slow_and_ambiguous_requests_get_their_4xx() {
    let server = TestServer::of("solobase")
        .limits(|limits| limits.body = Duration::from_millis(300))
        .with(|it| it.connections.head = Duration::from_millis(600))
        .start();
    let begin = |rest: &str| {
        let mut connection = Connection::open(server.address());
        connection.write(format!("{LINE} HTTP/1.1\r\nHost: localhost\r\n{rest}").as_bytes());
        connection
    };
    let announced = begin(&format!("Content-Length: {}\r\n\r\n", BODY_BYTES_MAX + 1)).answer().expect("an answer");
    assert_eq!((announced.status, announced.code()), (413, "too-large"), "before a byte of the body is sent");
    // A body is read if its signature may be right.
    let signed = format!("Stripe-Signature: {}\r\n", server.signature(b"{}"));
    let mut chunked = begin(&format!("{signed}Transfer-Encoding: chunked\r\n\r\n"));
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat();
    (0..=16).for_each(|_| chunked.write(&chunk));
    assert_eq!(chunked.answer().expect("an answer").status, 413, "a chunked body, while it is read");
    let slow = begin(&format!("{signed}Content-Length: 100\r\n\r\n{{")).answer().expect("an answer");
    assert_eq!((slow.status, slow.code()), (408, "timeout"), "a body that does not arrive");
    assert!(begin("X-Slow: ").answer().is_none_or(|answer| answer.status == 408), "a head that does not arrive");
    for both in ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"] {
        let mut connection = begin(&format!("{both}\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!(connection.answer().expect("an answer").status, 400);
        assert!(connection.answer().is_none(), "after two lengths, the connection ends: no second request is smuggled");
    }
    for smuggled in
        ["Content-Length: 4\r\nContent-Length: 5\r\n\r\n", "Content-Length: +4\r\n\r\n", "Bad Header: 1\r\n\r\n"]
    {
        let answer = begin(smuggled).answer();
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 400), "{smuggled}: {answer:?}");
    }
    let many: String = (0..200).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert!(begin(&format!("{many}\r\n")).answer().is_some_and(|answer| answer.status == 431), "too many headers");
    let fine = event("evt_fine");
    let answer = server.deliver(&fine);
    assert_eq!(answer.status, 200, "the server goes on");
}

#[test]
fn each_answer_has_an_id_of_its_own_which_no_client_chooses() {
    let server = TestServer::start("solobase");
    let ids = ["evt_1", "evt_2"].map(|id| {
        let body = event(id);
        let headers = [("Stripe-Signature", &*server.signature(&body)), ("X-Request-Id", "mine")];
        server.request(LINE, &headers, &body).header("x-request-id").expect("an id").to_owned()
    });
    assert!(ids[0] != ids[1] && !ids.contains(&"mine".to_owned()), "{ids:?}");
}

// covers: D-69
#[test]
fn a_delivery_is_told_to_come_again_if_nothing_could_be_stored() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let server = TestServer::of("solobase").with(|it| it.store = faults.open()).start();
    let body = event("evt_1");
    let headers = [("Stripe-Signature", &*server.signature(&body))];
    faults.fail_at(1, Moment::Before, Then::Alive);
    let answer = server.request(LINE, &headers, &body);
    assert_eq!((answer.status, answer.code()), (503, "unavailable"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(server.request(LINE, &headers, &body).status, 200, "the next attempt");
}

// covers: PLG-24
#[test]
fn the_health_names_the_part_that_fails() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let server = TestServer::of("solobase").with(|it| it.store = faults.open()).start();
    let health = || server.request("GET /health", &[], b"");
    assert_eq!(health().status, 200);
    faults.fail_reads(true);
    let failing = health();
    assert_eq!((failing.status, &*failing.body), (503, r#"{"failing":["solobase/test: store"],"status":"failing"}"#));
    faults.fail_reads(false);
    assert_eq!(health().status, 200, "the store can be read again");
}

#[test]
fn the_health_tells_that_nothing_can_be_stored_and_many_requests_cost_one_write() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    let server = TestServer::of("solobase").with(|it| it.store = faults.open()).start();
    let health = || server.request("GET /health", &[], b"");
    faults.fail_writes(true);
    let failing = health();
    assert_eq!((failing.status, &*failing.body), (503, r#"{"failing":["solobase/test: writes"],"status":"failing"}"#));
    faults.fail_writes(false);
    let is_well = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        health().status == 200
    });
    assert!(is_well, "the store takes writes again");
    let tried = faults.tried();
    let statuses: Vec<u16> = (0..20).map(|_| health().status).collect();
    assert_eq!(statuses, [200; 20]);
    assert!(faults.tried() <= tried + 1, "{} writes for 20 requests", faults.tried() - tried);
}

#[test]
fn the_health_and_the_metrics_answer_while_the_store_does_not() {
    let server = TestServer::start("solobase");
    let blocked = BlockedWriter::of(&server);
    let health = || server.request("GET /health", &[], b"");
    let failing = health();
    assert_eq!((failing.status, &*failing.body), (503, r#"{"failing":["solobase/test: writes"],"status":"failing"}"#));
    assert!(server.metrics().contains("# EOF"));
    blocked.release();
    let is_well = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        health().status == 200
    });
    assert!(is_well, "the store answers again");
}

/// A writer that does nothing until it is released.
struct BlockedWriter {
    release: Sender<()>,
    blocked: JoinHandle<Result<(), JobError>>,
}

impl BlockedWriter {
    fn of(server: &TestServer) -> BlockedWriter {
        let (entered, is_blocked) = channel();
        let (release, released) = channel::<()>();
        let jobs = server.jobs().clone();
        let blocked = thread::spawn(move || {
            jobs.with_host(move |_| {
                entered.send(()).expect("a test that waits");
                let _ = released.recv();
            })
        });
        is_blocked.recv().expect("a blocked writer");
        BlockedWriter { release, blocked }
    }

    fn release(self) {
        drop(self.release);
        self.blocked.join().expect("no panic").expect("a writer");
    }
}

#[test]
fn a_full_queue_answers_503_and_stores_nothing() {
    // More than wait: one event for the writer, one for the decider, and those that the decider has taken together.
    const SENT: usize = 24;
    for deciders in [0, 1] {
        let writer = WriterLimits { waiting: 1, ..WriterLimits::default() };
        let server = TestServer::of("solobase").with(|it| (it.writer, it.deciders) = (writer, deciders)).start();
        let blocked = BlockedWriter::of(&server);
        let mut waiting: Vec<Connection> = (0..SENT).map(|n| sent(&server, &event(&format!("evt_{n}")))).collect();
        // A refusal comes at once, an acceptance only when the writer goes on.
        let mut answers = Vec::new();
        while answers.is_empty() {
            waiting.retain_mut(|connection| match connection.answer_within(Duration::from_millis(20)) {
                Some(answer) => {
                    answers.push((answer.status, answer.code().to_owned()));
                    false
                }
                None => true,
            });
        }
        blocked.release();
        for connection in &mut waiting {
            let answer = connection.answer().expect("an answer");
            let code = if answer.status == 200 { "" } else { answer.code() };
            answers.push((answer.status, code.to_owned()));
        }
        let refused = answers.iter().filter(|it| **it == (503, "unavailable".to_owned())).count();
        let accepted = answers.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!((refused + accepted, accepted > 0), (SENT, true), "{answers:?}");
        let events = server.with_host(|host| host.processor().inbox_after(0, 1000).expect("read"));
        assert_eq!(events.iter().filter(|row| row.event.source == "stripe").count(), accepted);
    }
}

#[test]
fn what_has_arrived_is_committed_and_answered_when_the_server_stops() {
    let mut server = TestServer::start("solobase");
    let blocked = BlockedWriter::of(&server);
    let mut connection = sent(&server, &event("evt_1"));
    thread::sleep(Duration::from_millis(100));
    server.ask_to_stop();
    thread::sleep(Duration::from_millis(50));
    blocked.release();
    assert_eq!(connection.answer().expect("an answer").status, 200);
    let host = server.stop();
    let (store, _): (Box<dyn Store>, _) = host.stop();
    let partition = host_store::Partition { business: "solobase".to_owned(), livemode: false };
    assert!(store.event(&partition, "stripe", "evt_1").expect("read").is_some());
}

#[test]
fn while_the_last_requests_are_answered_new_connections_are_answered_too_and_told_to_go_elsewhere() {
    let mut server = TestServer::start("solobase");
    let blocked = BlockedWriter::of(&server);
    let mut before = sent(&server, &event("evt_1"));
    thread::sleep(Duration::from_millis(100));
    server.ask_to_stop();
    let stopping = (0..200).find_map(|_| {
        thread::sleep(Duration::from_millis(10));
        let health = server.request("GET /health", &[], b"");
        health.body.contains("stopping").then_some(health)
    });
    let stopping = stopping.expect("the health says that the server stops");
    assert_eq!((stopping.status, stopping.header("connection")), (503, Some("close")));
    let mut late = sent(&server, &event("evt_2"));
    thread::sleep(Duration::from_millis(100));
    blocked.release();
    for connection in [&mut before, &mut late] {
        let answer = connection.answer().expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    }
    drop(server.stop());
}

#[test]
fn connections_that_the_system_has_taken_are_answered_before_the_port_is_closed() {
    // With one open connection at most, the others wait in the system.
    let connections = ConnectionLimits { open: 1, ..ConnectionLimits::default() };
    let mut server = TestServer::of("solobase").with(|it| it.connections = connections).start();
    let blocked = BlockedWriter::of(&server);
    let mut first = sent(&server, &event("evt_1"));
    thread::sleep(Duration::from_millis(100));
    let mut waiting: Vec<Connection> = (2..8).map(|n| sent(&server, &event(&format!("evt_{n}")))).collect();
    server.ask_to_stop();
    thread::sleep(Duration::from_millis(50));
    blocked.release();
    assert_eq!(first.answer().expect("an answer").status, 200);
    for connection in &mut waiting {
        assert_eq!(connection.answer().expect("an answer").status, 200);
    }
    drop(server.stop());
}

#[test]
fn a_delivery_that_nobody_has_signed_is_refused_before_its_body_is_sent() {
    let server = TestServer::start("solobase");
    for (path, status) in [("/api/webhooks/stripe", 400), ("/api/webhooks/unknown", 404)] {
        let mut connection = Connection::open(server.address());
        connection.write(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").as_bytes());
        let answer = connection.answer_within(Duration::from_secs(60)).expect("an answer without the body");
        assert_eq!(answer.status, status, "{path}");
    }
}
