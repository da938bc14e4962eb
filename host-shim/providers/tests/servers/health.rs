//! Tests a watch against a server with scripted responses.

use host_provider_api::{Call, CallOutcome, Provider};
use host_providers::health::{Config, Probe, Reach};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Scripted response of a server that waits until the client has disconnected.
const SILENCE: &str = "silence";
/// Longest time for which a silent server waits, far beyond a probe's timeout.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const DOWN: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

/// A server with scripted responses, one per request. It repeats the last response.
struct Fickle {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Fickle {
    fn start(answers: &[&str]) -> Fickle {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Fickle { address, answers: Arc::default(), asked: Arc::default() };
        server.say(answers);
        let (answers, asked) = (server.answers.clone(), server.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                asked.fetch_add(1, Ordering::SeqCst);
                let mut answers = answers.lock().expect("the answers");
                let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
                thread::spawn(move || answer_one(stream, &answer.expect("an answer")));
            }
        });
        server
    }

    fn say(&self, answers: &[&str]) {
        *self.answers.lock().expect("the answers") = answers.iter().map(|&answer| answer.to_owned()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer_one(mut stream: TcpStream, answer: &str) {
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer);
    if answer == SILENCE {
        let _ = stream.set_read_timeout(Some(SILENCE_MAX));
        // A probe without a timeout would finally get a good response, and its test would fail.
        let (_, _) = (stream.read(&mut buffer), stream.write_all(OK.as_bytes()));
        return;
    }
    // The client may have disconnected.
    let _ = stream.write_all(answer.as_bytes());
}

fn probe() -> Probe {
    probe_within(500)
}

fn probe_within(timeout_ms: u64) -> Probe {
    Probe::new(Config { timeout: Duration::from_millis(timeout_ms), reach: Reach::with_this_machine() })
}

fn watch(url: &str, health: &str) -> Call {
    Call {
        kind: "probe.watch".to_owned(),
        scope: "b/test/user:u".to_owned(),
        key: "inst_1/watch".to_owned(),
        generation: 1,
        attempt: 1,
        payload: json!({"url": url, "every_s": 30, "fail_after": 3, "recover_after": 2, "health": health}),
        lease: 1,
        ..Call::default()
    }
}

/// Polls until the health has changed. Returns the number of requests and the outputs.
fn follow(probe: impl Fn() -> Probe, call: &Call) -> (usize, Value) {
    let mut call = call.clone();
    for looks in 1..20 {
        match probe().call(&call) {
            CallOutcome::InProgress { after_ms: 30_000, token } => call.token = Some(token),
            CallOutcome::Done(health) => return (looks, health),
            other => panic!("{other:?}"),
        }
    }
    panic!("the health never changed");
}

#[test]
fn a_failure_and_a_recovery_are_each_reported_once() {
    let server = Fickle::start(&[OK, DOWN, DOWN, OK, DOWN]);
    let url = format!("http://{}/health", server.address);
    // Each poll has a new provider, so only the token connects the polls.
    assert_eq!(follow(probe, &watch(&url, "healthy")), (7, json!({"health": "unhealthy"})));
    server.say(&[DOWN, OK]);
    assert_eq!(follow(probe, &watch(&url, "unhealthy")), (3, json!({"health": "healthy"})));
    assert_eq!(server.asked(), 10);
}

fn answer(url: &str) -> Call {
    Call { kind: "probe.answer".to_owned(), payload: json!({"url": url}), ..watch(url, "unknown") }
}

#[test]
fn an_address_is_asked_until_it_answers() {
    let server = Fickle::start(&[DOWN, SILENCE, OK]);
    let mut call = answer(&format!("http://{}/health", server.address));
    let mut waits = Vec::new();
    // Each poll has a new provider, so only the token connects the polls.
    while let CallOutcome::InProgress { after_ms, token } = probe_within(50).call(&call) {
        waits.push(after_ms);
        call.token = Some(token);
    }
    assert_eq!((waits, server.asked()), (vec![2_000, 4_000], 3));
    assert_eq!(probe().call(&call), CallOutcome::Done(json!({})));
}

#[test]
fn an_address_that_never_answers_is_given_up_and_an_address_of_no_server_is_refused_at_once() {
    let server = Fickle::start(&[DOWN]);
    let mut call = answer(&format!("http://{}/", server.address));
    call.token = Some(json!({"failed": 119}).to_string());
    let is_refused_as = |call: &Call, expected: &str| match probe().call(call) {
        CallOutcome::Refused { code, .. } => assert_eq!(code, expected),
        other => panic!("{other:?}"),
    };
    is_refused_as(&call, "no-answer");
    is_refused_as(&Call { token: Some("mine".to_owned()), ..call }, "bad-token");
    is_refused_as(&answer("ftp://host.example/"), "bad-payload");
    is_refused_as(&answer("http://169.254.169.254/latest"), "address-refused");
}

#[test]
fn a_poll_repeated_after_a_crash_counts_once() {
    let server = Fickle::start(&[DOWN]);
    let call = watch(&format!("http://{}/", server.address), "healthy");
    let first = probe().call(&call);
    let CallOutcome::InProgress { token, .. } = &first else { panic!("{first:?}") };
    let look = Call { token: Some(token.clone()), ..call };
    let second = probe().call(&look);
    assert_eq!(probe().call(&look), second, "the answer was lost and is counted from the same token");
    assert!(matches!(second, CallOutcome::InProgress { .. }));
}

#[test]
fn a_late_incomplete_invalid_or_missing_response_is_bad() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this";
    for (bad, timeout_ms) in [(SILENCE, 10), (half, 500), ("no HTTP at all\r\n\r\n", 500)] {
        let server = Fickle::start(&[bad]);
        let followed = follow(|| probe_within(timeout_ms), &watch(&format!("http://{}/", server.address), "healthy"));
        assert_eq!(followed, (3, json!({"health": "unhealthy"})), "{bad}");
    }
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address");
    assert_eq!(follow(probe, &watch(&format!("http://{nobody}/"), "healthy")).0, 3);
}

#[test]
fn a_redirect_is_a_good_response_and_is_not_followed() {
    let elsewhere = Fickle::start(&[OK]);
    let redirect =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", elsewhere.address);
    let server = Fickle::start(&[redirect.as_str()]);
    let told = follow(probe, &watch(&format!("http://{}/", server.address), "unknown"));
    assert_eq!(told, (2, json!({"health": "healthy"})));
    assert_eq!(elsewhere.asked(), 0);
}

#[test]
fn a_long_response_is_read_up_to_the_limit() {
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n{}", "x".repeat(200_000));
    let server = Fickle::start(&[long.as_str()]);
    assert_eq!(follow(probe, &watch(&format!("http://{}/", server.address), "unknown")).0, 2);
}

#[test]
fn forbidden_addresses_and_invalid_urls_are_refused() {
    for url in ["http://169.254.169.254/latest/meta-data/", "https://[fe80::1]/", "http://[::ffff:a9fe:a9fe]/"] {
        let answer = probe().call(&watch(url, "unknown"));
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "address-refused"), "{url}: {answer:?}");
    }
    let server = Fickle::start(&[OK]);
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "inst.localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "10.0.0.1",
        "100.100.100.200",
    ] {
        let call = watch(&format!("http://{host}:{port}/"), "unknown");
        let answer = Probe::new(Config::default()).call(&call);
        assert!(
            matches!(&answer, CallOutcome::Refused { code, .. } if code == "address-refused"),
            "{host}: {answer:?}"
        );
    }
    assert_eq!(server.asked(), 0, "nobody learns which ports of the own network answer");
    let listed = Reach::public().and(&["127.0.0.0/8".to_owned()]).expect("a network");
    let probe_of_operator = || Probe::new(Config { reach: listed.clone(), ..Config::default() });
    let followed = follow(probe_of_operator, &watch(&format!("http://127.0.0.1:{port}/"), "unknown"));
    assert_eq!(followed.1, json!({"health": "healthy"}), "the operator lists this network");
    for url in ["ftp://example.com/", "file:///etc/passwd", "example.com"] {
        let answer = probe().call(&watch(url, "unknown"));
        assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "bad-payload"), "{url}: {answer:?}");
    }
}

#[test]
fn an_unsupported_kind_or_a_foreign_token_is_refused() {
    let answer = probe().call(&Call { kind: "probe.look".to_owned(), ..watch("http://127.0.0.1/", "unknown") });
    assert!(matches!(&answer, CallOutcome::Refused { code, .. } if code == "unsupported"), "{answer:?}");
    let foreign = Call { token: Some("{}".to_owned()), ..watch("http://127.0.0.1:1/", "unknown") };
    assert!(matches!(probe().call(&foreign), CallOutcome::Refused { code, .. } if code == "bad-token"));
}
