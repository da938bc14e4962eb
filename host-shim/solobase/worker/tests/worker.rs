//! Tests the worker with a block that does not accept every answer.

use host_provider_api::{Call, CallOutcome, Provider, Registry};
use host_worker::{Block, Worker};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Serves a block; `answer` returns the status and body for a request. Returns the block's address.
fn serve(answer: impl Fn(&str, &Value) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/b/x", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            exchange(stream.expect("a connection"), &answer);
        }
    });
    url
}

/// Reads a request and answers it.
fn exchange(stream: TcpStream, answer: &impl Fn(&str, &Value) -> (u16, Value)) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).expect("a request");
    let path = line.split(' ').nth(1).expect("a path").to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).expect("a header");
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (status, answer) = answer(&path, &body);
    let text = answer.to_string();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}", text.len());
    write!(stream.get_mut(), "{head}\r\nconnection: close\r\n\r\n{text}").expect("written");
}

/// A provider whose answer to the call `long` is longer than the block's maximum body.
struct Sizes;

impl Provider for Sizes {
    fn call(&self, call: &Call) -> CallOutcome {
        let bytes = if call.key == "long" { 200 * 1024 } else { 1 };
        CallOutcome::Done(json!({"text": "x".repeat(bytes)}))
    }
}

fn lent(key: &str) -> Value {
    json!({"kind": "thing.ensure", "account": "user:a", "key": key, "generation": 1, "attempt": 1, "payload": {},
        "token": null, "deadline": null, "lease": 1})
}

#[test]
fn an_answer_that_the_block_refuses_holds_up_no_other() {
    let answers: Arc<Mutex<Vec<Value>>> = Arc::default();
    let taken = answers.clone();
    let url = serve(move |path, body| {
        if path.ends_with("/outbox/lease") {
            let calls = [lent("refused"), lent("long"), lent("short")];
            return (200, json!({"business": "b", "livemode": false, "calls": calls, "more": false, "next": null}));
        }
        taken.lock().expect("no panic").push(body[0].clone());
        match body[0]["key"] == "refused" {
            true => (400, json!({"error": "malformed", "message": "not this one"})),
            false => (200, json!({"decided": 1})),
        }
    });
    let registry = Registry::with_default(Arc::new(Sizes));
    let round = Worker::new(Block::new(&url, "key".to_owned()).expect("an address"), registry, "w").round();
    let round = round.expect("a round");
    let outcomes: Vec<&str> = round.calls.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(outcomes, ["done", "failed", "done"]);
    let [(call, reason)] = round.unreported.as_slice() else { panic!("{:?}", round.unreported) };
    assert!(call == "thing.ensure user:a refused" && reason.contains("not this one"), "{call}: {reason}");
    let answers = answers.lock().expect("no panic");
    let keys: Vec<&str> = answers.iter().filter_map(|answer| answer["key"].as_str()).collect();
    assert_eq!(keys, ["refused", "long", "short"]);
    // An answer that the block would never accept is reported as a failure.
    let failure = &answers[1]["reply"]["answer"]["refused"];
    assert_eq!(failure["code"], "answer-too-large", "{failure}");
}
