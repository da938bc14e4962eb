//! The Stripe CLI: judged by the webhooks that arrive, not by its word.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use local_stripe::reference::TRIGGERS;
use local_stripe::server::{Options, Server};

use crate::sink::Sink;
use crate::{call, install, left_out, runtime, start, succeeds};

const LIMIT: Duration = Duration::from_secs(60);

fn stripe(server: &Server, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(install::node().join("node_modules/.bin/stripe"));
    command.args(arguments).args(["--api-base", &server.url()]);
    command
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("STRIPE_API_KEY", "sk_test_1234567890cli")
        .env("STRIPE_CLI_TELEMETRY_OPTOUT", "1");
    command
}

fn endpoint(server: &Server, url: &str) -> String {
    let made = call(server, "POST", "/v1/webhook_endpoints", &[("url", url), ("enabled_events[]", "*")]);
    made["secret"].as_str().unwrap().to_owned()
}

#[test]
fn triggers() {
    if left_out("cli") {
        return;
    }
    let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
    for trigger in TRIGGERS {
        let server = start(&runtime, Options::default());
        let sink = runtime.block_on(Sink::start(&[]));
        let secret = endpoint(&server, &sink.url);
        succeeds(&mut stripe(&server, home.path(), &["trigger", trigger]), LIMIT);
        let events = call(&server, "GET", "/v1/events", &[("type", trigger)]);
        assert_ne!(events["data"], serde_json::json!([]), "{trigger} made no such event");
        let all = call(&server, "GET", "/v1/events", &[("limit", "100")])["data"].as_array().unwrap().len();
        let deliveries = runtime.block_on(sink.wait_for(all));
        let arrived = deliveries.iter().filter(|d| d.kind() == *trigger && d.is_signed_with(&secret)).count();
        assert!(arrived >= 1, "{trigger} didn't arrive signed");
    }
    println!("{} triggers arrived as webhooks", TRIGGERS.len());
}

#[test]
fn overrides_fixtures_and_resource_commands() {
    if left_out("cli") {
        return;
    }
    let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
    let server = start(&runtime, Options::default());
    let sink = runtime.block_on(Sink::start(&[]));
    endpoint(&server, &sink.url);
    let arguments = ["trigger", "checkout.session.completed", "--add", "checkout_session:client_reference_id=acct_1"];
    succeeds(&mut stripe(&server, home.path(), &arguments), LIMIT);
    let sessions = call(&server, "GET", "/v1/checkout/sessions", &[]);
    assert_eq!(sessions["data"][0]["client_reference_id"], "acct_1");
    let fixture = home.path().join("fixture.json");
    let text = r#"{"_meta": {"template_version": 0}, "fixtures": [
        {"name": "cus", "path": "/v1/customers", "method": "post", "params": {"name": "Fixture", "payment_method": "pm_card_visa"}},
        {"name": "item", "path": "/v1/invoiceitems", "method": "post", "params": {"customer": "${cus:id}", "amount": 900, "currency": "usd"}}]}"#;
    std::fs::write(&fixture, text).unwrap();
    succeeds(&mut stripe(&server, home.path(), &["fixtures", fixture.to_str().unwrap()]), LIMIT);
    let items = call(&server, "GET", "/v1/invoiceitems", &[]);
    assert_eq!((items["data"][0]["amount"].as_i64(), items["data"].as_array().map(Vec::len)), (Some(900), Some(1)));
    let made =
        succeeds(&mut stripe(&server, home.path(), &["customers", "create", "--email", "cli@example.com"]), LIMIT);
    assert!(made.contains("cli@example.com"), "{made}");
    succeeds(&mut stripe(&server, home.path(), &["trigger", "customer.subscription.created"]), LIMIT);
    let sub = call(&server, "GET", "/v1/subscriptions", &[])["data"][0]["id"].as_str().unwrap().to_owned();
    succeeds(&mut stripe(&server, home.path(), &["subscriptions", "cancel", &sub, "--confirm"]), LIMIT);
    assert_eq!(call(&server, "GET", &format!("/v1/subscriptions/{sub}"), &[])["status"], "canceled");
    let events = call(&server, "GET", "/v1/events", &[("limit", "100")]);
    let all = events["data"].as_array().unwrap().len();
    runtime.block_on(sink.wait_for(all));
    let newest = events["data"][0]["id"].as_str().unwrap();
    succeeds(&mut stripe(&server, home.path(), &["events", "resend", newest]), LIMIT);
    let deliveries = runtime.block_on(sink.wait_for(all + 1));
    assert_eq!(deliveries[all].event()["id"], newest);
}

#[test]
fn listen() {
    if left_out("cli") {
        return;
    }
    let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
    let server = start(&runtime, Options::default());
    let sink = runtime.block_on(Sink::start(&[]));
    let secret = succeeds(&mut stripe(&server, home.path(), &["listen", "--print-secret"]), LIMIT).trim().to_owned();
    let mut command = stripe(&server, home.path(), &["listen", "--all-snapshot", "--forward-to", &sink.url]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The CLI is connected some time after it starts: events are made until one comes through.
    let mut arrived = false;
    for n in 0..100 {
        call(&server, "POST", "/v1/products", &[("name", &format!("product {n}"))]);
        std::thread::sleep(Duration::from_millis(200));
        arrived = !sink.deliveries().is_empty();
        if arrived {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(arrived, "nothing was forwarded");
    let first = &sink.deliveries()[0];
    assert_eq!(first.kind(), "product.created");
    assert!(first.is_signed_with(&secret), "signed with another secret than {secret}");
}
