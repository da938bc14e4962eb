//! Calls a service in another language that verifies signatures with the public library of Standard Webhooks.

use host_provider_api::{Call, CallOutcome, Provider, Secret};
use host_providers::service::{Config, ConfigError, Service};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_AAAA9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A running service.
struct Remote {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Remote {
    fn start() -> Remote {
        let python = counterparts::venv("standard-webhooks-python", &["standardwebhooks==1.1.0"]).join("bin/python");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/service.py");
        let mut command = Command::new(python);
        let mut child = command.arg(script).env("SECRET", SECRET).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines.next().expect("a line").expect("text").parse().expect("a port");
        Remote { child, lines, port }
    }

    fn provider(&self, secret: &str) -> Service {
        let url = format!("http://127.0.0.1:{}/effects", self.port);
        Service::new(&Config { url, secret: Secret::new(secret) }).expect("a service")
    }

    /// Returns the next call that the service has verified.
    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a line").expect("text");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a call that the service answers like this.
fn call(answer: Value) -> Call {
    Call {
        kind: "workspace.ensure".to_owned(),
        scope: "shop/test/user:u1".to_owned(),
        key: "inst_1/workspace/ensure".to_owned(),
        generation: 2,
        attempt: 1,
        payload: json!({"ram_mb": 4096, "answer": answer}),
        ..Call::default()
    }
}

#[test]
fn a_call_is_signed_and_the_answer_decides() {
    let mut remote = Remote::start();
    let provider = remote.provider(SECRET);
    let done = call(json!({"body": r#"{"url": "https://w.example"}"#}));
    assert_eq!(provider.call(&done), CallOutcome::Done(json!({"url": "https://w.example"})));
    let first = remote.next();
    assert_eq!(first["path"], "/effects");
    assert_eq!(
        first["call"],
        json!({
            "kind": "workspace.ensure", "scope": "shop/test/user:u1", "key": "inst_1/workspace/ensure", "generation": 2, "attempt": 1,
            "payload": done.payload,
        })
    );
    assert_eq!(provider.call(&Call { attempt: 2, ..done }), CallOutcome::Done(json!({"url": "https://w.example"})));
    assert_eq!(remote.next()["id"], first["id"], "the next attempt has the same id");
    assert_eq!(provider.call(&call(json!({"status": 204}))), CallOutcome::Done(json!({})));
    assert_ne!(remote.next()["id"], first["id"], "other work under the same key has another id");

    let answered = |answer: Value| provider.call(&call(answer));
    let goes_on = json!({"status": 202, "body": r#"{"token": "job-1"}"#, "headers": {"Retry_After": "7"}});
    assert_eq!(answered(goes_on), CallOutcome::InProgress { after_ms: 7_000, token: "job-1".to_owned() });
    let polled = Call { token: Some("job-1".to_owned()), ..call(json!({"status": 202})) };
    assert_eq!(provider.call(&polled), CallOutcome::InProgress { after_ms: 5_000, token: String::new() });
    let refused = json!({"status": 409, "body": r#"{"code": "name-taken", "detail": "there is such a workspace"}"#});
    assert_eq!(answered(refused), CallOutcome::refused("name-taken", "there is such a workspace"));
    let without_code = json!({"status": 422, "body": r#"{"code": "No Code!"}"#});
    assert_eq!(answered(without_code), CallOutcome::refused("refused", "the service answered with status 422"));
    for (answer, code, after_ms) in [
        (json!({"status": 503}), "service-unavailable", None),
        (json!({"status": 429, "headers": {"Retry_After": "3"}}), "throttled", Some(3_000)),
        (json!({"status": 302, "headers": {"Location": "http://127.0.0.1/"}}), "service-unavailable", None),
        (json!({"body": "[1]"}), "bad-answer", None),
    ] {
        let outcome = answered(answer);
        let is_expected = matches!(&outcome, CallOutcome::Retry { code: told, after_ms: after, .. } if told == code && *after == after_ms);
        assert!(is_expected, "{outcome:?}, expected {code}");
    }
    remote.next();
    assert_eq!(remote.next()["call"]["token"], "job-1");
}

#[test]
fn a_call_with_another_secret_is_not_carried_out_and_an_absent_service_is_asked_again() {
    let remote = Remote::start();
    let outcome = remote.provider(OTHER).call(&call(json!({})));
    assert!(matches!(&outcome, CallOutcome::Retry { message, .. } if message.contains("401")), "{outcome:?}");
    let gone = remote.provider(SECRET);
    drop(remote);
    let outcome = gone.call(&call(json!({})));
    assert!(matches!(&outcome, CallOutcome::Retry { code, .. } if code == "connection"), "{outcome:?}");
}

#[test]
fn an_address_without_encryption_and_a_wrong_secret_are_refused() {
    let made =
        |url: &str, secret: &str| Service::new(&Config { url: url.to_owned(), secret: Secret::new(secret) }).err();
    assert_eq!(made("http://shop.example/e", SECRET), Some(ConfigError::Url("http://shop.example/e".to_owned())));
    let told = made("https://shop.example/e", "hunter2").map(|error| error.to_string()).unwrap_or_default();
    assert!(told.starts_with("secret: ") && !told.contains("hunter2"), "{told}");
}
