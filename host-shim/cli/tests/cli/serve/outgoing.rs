//! Webhooks that a server sends, at a running server: an endpoint is made, a subscription begins at Stripe, and a signed message arrives.
//! The public libraries of Standard Webhooks verify it.

use super::clients::is_left_out;
use super::{Running, WAIT, args, environment, log_of, pay};
use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(60);
/// Pinned libraries of Standard Webhooks.
const NODE: [&str; 1] = ["standardwebhooks@1.1.1"];
const PYTHON: [&str; 1] = ["standardwebhooks==1.1.0"];

/// A message as it arrived: its headers, with names in lower case, and its body.
pub(super) struct Message {
    pub(super) headers: Value,
    pub(super) body: String,
}

/// Answers every request with 204, and passes it on. A server that is killed may have sent only a part of a request.
pub(super) fn receive() -> (String, Receiver<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
    let (sender, messages) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if let Ok(message) = read(stream)
                && sender.send(message).is_err()
            {
                return;
            }
        }
    });
    (url, messages)
}

fn read(mut stream: TcpStream) -> io::Result<Message> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut headers, mut line) = (json!({}), String::new());
    reader.read_line(&mut line)?;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers[name.to_ascii_lowercase()] = json!(value);
    }
    let length = headers["content-length"].as_str().and_then(|length| length.parse().ok()).expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")?;
    Ok(Message { headers, body: String::from_utf8(body).expect("text") })
}

/// Starts a server in local mode.
fn local(data: &Path) -> Running {
    let args = args("solobase", data, &["--local"]);
    let mut server = Running::start_args(&args, &environment(), &log_of(data));
    server.key = std::fs::read_to_string(data.join("operator.key")).expect("the operator's key").trim().to_owned();
    server
}

/// A server in local mode, and the secret of an endpoint of its whole business.
struct Sending {
    server: Running,
    secret: String,
    messages: Receiver<Message>,
    folder: tempfile::TempDir,
}

impl Sending {
    fn start(types: &[&str]) -> Sending {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let server = local(&data);
        let (url, messages) = receive();
        let made = server.post("/api/endpoints", &json!({"url": url, "types": types}), 201);
        let secret = made["secret"].as_str().expect("a secret").to_owned();
        let log = std::fs::read_to_string(log_of(&data)).expect("the log");
        assert!(!log.contains(&secret), "the log has no secret");
        Sending { server, secret, messages, folder }
    }

    fn next(&self) -> Message {
        self.messages.recv_timeout(WAIT).expect("a message")
    }

    /// The user `u1` buys a plan and pays at the local Stripe, which tells of the subscription.
    fn subscribe(&self) {
        let bought = begin_purchase(&self.server, "user:u1");
        pay(bought["checkout_url"].as_str().expect("an address"));
    }
}

/// An account begins to buy a plan. After a start, the plan can be bought as soon as its price is made at the local Stripe.
pub(super) fn begin_purchase(server: &Running, account: &str) -> Value {
    let line = format!("POST /api/commands/purchase.create?account={account}");
    let headers = format!("Authorization: Bearer {}\r\n", server.key);
    for _ in 0..100 {
        let (status, body) = server.send(&line, &headers, r#"{"plan": "starter"}"#).expect("an answer");
        match status {
            200 => return serde_json::from_str(&body).expect("JSON"),
            409 if body.contains("plan_unavailable") => thread::sleep(Duration::from_millis(100)),
            _ => panic!("{status} {body}"),
        }
    }
    panic!("the plan cannot be bought within 10 s")
}

impl Running {
    /// Sends a request of the operator.
    pub(super) fn post(&self, path: &str, body: &Value, expected: u16) -> Value {
        let authorization = format!("Authorization: Bearer {}\r\n", self.key);
        let answer = self.send(&format!("POST {path}"), &authorization, &body.to_string());
        let (status, body) = answer.expect("an answer");
        assert_eq!(status, expected, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }
}

#[test]
fn a_subscription_is_told_to_the_endpoint_and_its_delivery_is_in_the_log() {
    let sending = Sending::start(&["subscription.created", "endpoint.test"]);
    sending.subscribe();
    let message = sending.next();
    let body: Value = serde_json::from_str(&message.body).expect("JSON");
    assert_eq!((&body["type"], &body["account"]), (&json!("subscription.created"), &json!("user:u1")));
    assert!(body["data"]["entitlements"].as_array().is_some_and(|rows| !rows.is_empty()), "what it gives: {body}");
    let server = &sending.server;
    let endpoints = server.get("/api/endpoints");
    assert!(endpoints["endpoints"][0]["secret"].is_null(), "the secret is shown once");
    let id = endpoints["endpoints"][0]["id"].as_str().expect("an id").to_owned();
    server.post(&format!("/api/endpoints/{id}/test"), &json!({}), 202);
    let test: Value = serde_json::from_str(&sending.next().body).expect("JSON");
    assert_eq!((&test["type"], &test["data"]["endpoint"]), (&json!("endpoint.test"), &json!(id)));
    let sent = message.headers["webhook-id"].as_str().expect("an id");
    server.post(&format!("/api/endpoints/{id}/deliveries/{sent}/resend"), &json!({}), 202);
    let again = sending.next();
    assert_eq!((&again.headers["webhook-id"], &again.body), (&message.headers["webhook-id"], &message.body));
    let mut log = Value::Null;
    for _ in 0..100 {
        log = server.get(&format!("/api/endpoints/{id}/deliveries?state=delivered"));
        if log["deliveries"].as_array().is_some_and(|rows| rows.len() == 2 && rows[1]["attempts"][1].is_object()) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(log["deliveries"][1]["attempts"][1]["status"], json!(204), "{log}");
    // Each message has the form of the document.
    let document = server.get("/openapi.json");
    for body in [&body, &test] {
        let name = body["type"].as_str().expect("a type");
        let mut schema =
            document["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"].clone();
        assert!(schema.is_object(), "{name} is in the document");
        schema["components"] = document["components"].clone();
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let errors: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{body}");
    }
}

#[test]
fn what_was_committed_just_before_a_kill_is_told_after_it() {
    let sending = Sending::start(&["purchase.created"]);
    begin_purchase(&sending.server, "user:u1");
    let Sending { server, messages, folder, .. } = sending;
    server.kill();
    let server = local(&folder.path().join("data"));
    let message = messages.recv_timeout(WAIT).expect("a message");
    let body: Value = serde_json::from_str(&message.body).expect("JSON");
    assert_eq!((&body["type"], &body["account"]), (&json!("purchase.created"), &json!("user:u1")));
    server.stop();
}

#[test]
fn a_server_outside_of_local_mode_sends_nothing_into_its_own_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Running::start(&folder.path().join("data"));
    for url in
        ["http://127.0.0.1:9/", "https://127.0.0.1:9/", "https://10.0.0.1/", "https://[::1]/", "https://localhost/"]
    {
        let refused = server.post("/api/endpoints", &json!({"url": url}), 422);
        assert_eq!(refused["errors"][0]["pointer"], json!("/url"), "{url}: {refused}");
    }
    let refused =
        server.post("/api/endpoints", &json!({"url": "https://example.com/", "types": ["subscription.gone"]}), 422);
    assert_eq!(refused["errors"][0]["pointer"], json!("/types/0"));
    server.stop();
}

/// Verifies a message with a library, and a changed one, which it must refuse.
fn verify(mut program: Command, sending: &Sending, message: &Message) {
    let input = json!({
        "secret": sending.secret, "body": message.body,
        "headers": {
            "webhook-id": message.headers["webhook-id"],
            "webhook-timestamp": message.headers["webhook-timestamp"],
            "webhook-signature": message.headers["webhook-signature"],
        },
    });
    let out = counterparts::succeeds(program.env("MESSAGE", input.to_string()), LIMIT);
    assert_eq!(out.trim(), "verified refused");
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients").join(name)
}

#[test]
#[ignore = "installs libraries of Standard Webhooks; `cargo xtask test clients` runs it"]
fn the_public_libraries_of_standard_webhooks_verify_a_message() {
    let sending = Sending::start(&["subscription.created", "endpoint.test"]);
    sending.subscribe();
    let message = sending.next();
    if !is_left_out("node") {
        let packages = counterparts::node("standard-webhooks", &NODE);
        let mut node = Command::new("node");
        node.arg(script("standard_webhooks.mjs")).env("PACKAGES", packages);
        verify(node, &sending, &message);
    }
    if !is_left_out("python") {
        let environment = counterparts::venv("standard-webhooks-python", &PYTHON);
        let mut python = Command::new(environment.join("bin/python"));
        python.arg(script("standard_webhooks.py"));
        verify(python, &sending, &message);
    }
}
