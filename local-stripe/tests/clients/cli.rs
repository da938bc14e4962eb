//! Tests the Stripe CLI by the webhooks that arrive, not by its output.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use local_stripe::reference::triggers::{OTHER_TRIGGERS, TRIGGERS, event_of};
use local_stripe::server::{Options, Server};
use local_stripe::settings::Settings;
use local_stripe::version::{NEWEST, OLDEST};
use tokio::runtime::Runtime;

use crate::sink::{Delivery, Sink};
use crate::{account, call, left_out, run, runtime, start, succeeds};

const LIMIT: Duration = Duration::from_secs(60);

fn stripe(server: &Server, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(counterparts::stripe_cli());
    command.args(arguments).args(["--api-base", &server.url()]);
    command
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env("STRIPE_API_KEY", "sk_test_1234567890cli")
        .env("STRIPE_CLI_TELEMETRY_OPTOUT", "1");
    command
}

fn endpoint(server: &Server, url: &str) -> String {
    endpoint_of(server, url, "false")
}

/// Creates a webhook endpoint for events of the own account, or of connected accounts (`connect`). Returns its secret.
fn endpoint_of(server: &Server, url: &str, connect: &str) -> String {
    let form = [("url", url), ("enabled_events[]", "*"), ("connect", connect)];
    call(server, "POST", "/v1/webhook_endpoints", &form)["secret"].as_str().unwrap().to_owned()
}

/// The number of concurrent CLI processes.
const WORKERS: usize = 2;

/// Runs a trigger. Fails if the CLI fails, or if the trigger's event is not created, or not delivered with a valid
/// signature.
fn pull(runtime: &Runtime, home: &Path, trigger: &str) -> Result<(), String> {
    let server = start(runtime, Options::default());
    let sink = runtime.block_on(Sink::start(&[]));
    let secrets = ["false", "true"].map(|connect| endpoint_of(&server, &sink.url, connect));
    let output = run(&mut stripe(&server, home, &["trigger", trigger]), LIMIT);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let kind = event_of(trigger);
    if call(&server, "GET", "/v1/events", &[("type", &kind)])["data"] == serde_json::json!([]) {
        return Err(format!("no {kind} was made"));
    }
    let deliveries = runtime.block_on(sink.wait_for(account::events(&server).len()));
    let is_signed = |d: &Delivery| secrets.iter().any(|secret| d.is_signed_with(secret));
    let arrived = deliveries.iter().any(|d| d.kind() == kind && is_signed(d));
    if arrived { Ok(()) } else { Err(format!("{kind} didn't arrive signed")) }
}

/// Returns the triggers listed by the CLI.
fn known(home: &Path) -> BTreeSet<String> {
    let mut help = Command::new(counterparts::stripe_cli());
    let out = succeeds(help.args(["trigger", "--help"]).env("HOME", home), LIMIT);
    let list = out.split("Supported events:").nth(1).and_then(|rest| rest.split("Usage:").next()).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn triggers() {
    if left_out("cli") {
        return;
    }
    let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
    let others: Vec<&str> = OTHER_TRIGGERS.iter().flat_map(|(_, triggers)| *triggers).copied().collect();
    let listed: BTreeSet<String> = TRIGGERS.iter().chain(&others).map(|t| (*t).to_owned()).collect();
    assert_eq!(listed, known(home.path()), "the tables name every trigger of the CLI, and no other");
    assert_eq!(listed.len(), TRIGGERS.len() + others.len(), "each once");
    let waiting = Mutex::new(TRIGGERS.iter().map(|t| (*t, true)).chain(others.iter().map(|t| (*t, false))));
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some((trigger, works)) = { waiting.lock().unwrap().next() } {
            match (pull(&runtime, home.path(), trigger), works) {
                (Err(words), true) => wrong.lock().unwrap().push(format!("{trigger}: {words}")),
                (Ok(()), false) => wrong.lock().unwrap().push(format!("{trigger} works: move it to TRIGGERS")),
                _ => {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} triggers arrived as webhooks, {} are known not to", TRIGGERS.len(), others.len());
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

/// Runs the CLI's `listen` with these arguments, creates products and customers, and returns the forwarded events.
fn forwarded(runtime: &Runtime, server: &Server, home: &Path, arguments: &[&str]) -> Vec<Delivery> {
    let sink = runtime.block_on(Sink::start(&[]));
    let mut command = stripe(server, home, &[&["listen", "--forward-to", &sink.url], arguments].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The CLI connects some time after its start. So events are created until the CLI forwards some, for at most 15
    // rounds.
    let mut rounds_left = 15;
    while rounds_left > 0 {
        call(server, "POST", "/v1/products", &[("name", "product")]);
        call(server, "POST", "/v1/customers", &[("name", "customer")]);
        std::thread::sleep(Duration::from_millis(200));
        // After the first forwarded event, at most three more rounds show whether others are forwarded, too.
        rounds_left = if sink.deliveries().is_empty() { rounds_left - 1 } else { rounds_left.min(4) - 1 };
    }
    child.kill().unwrap();
    child.wait().unwrap();
    sink.deliveries()
}

fn kinds(deliveries: &[Delivery]) -> BTreeSet<String> {
    deliveries.iter().map(Delivery::kind).collect()
}

#[test]
fn listen() {
    if left_out("cli") {
        return;
    }
    let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
    let settings = Settings { version: OLDEST.into(), ..Settings::default() };
    let server = start(&runtime, Options { settings, ..Options::default() });
    let secret = succeeds(&mut stripe(&server, home.path(), &["listen", "--print-secret"]), LIMIT).trim().to_owned();
    let both = BTreeSet::from(["customer.created".to_owned(), "product.created".to_owned()]);
    let listen = |arguments: &[&str]| forwarded(&runtime, &server, home.path(), arguments);

    let all = listen(&["--all-snapshot"]);
    assert_eq!(kinds(&all), both);
    assert!(all.iter().all(|d| d.is_signed_with(&secret)), "signed with another secret than {secret}");
    assert!(all.iter().all(|d| d.event()["api_version"] == OLDEST), "not in the account's version");
    let ids: BTreeSet<String> = all.iter().map(|d| d.event()["id"].to_string()).collect();
    assert_eq!(ids.len(), all.len(), "each once");

    let named = listen(&["--events", "product.created"]);
    assert_eq!(kinds(&named), BTreeSet::from(["product.created".to_owned()]));

    let latest = listen(&["--all-snapshot", "--latest"]);
    assert_eq!(kinds(&latest), both);
    assert!(latest.iter().all(|d| d.event()["api_version"] == NEWEST), "not in the newest version");

    assert_eq!(kinds(&listen(&["--all-thin"])), BTreeSet::new(), "there are no thin events here");
    assert_eq!(kinds(&listen(&["--all-snapshot", "--events-from", "@accounts"])), BTreeSet::new());

    // With this option, the CLI takes the path and the event types from the endpoint, and forwards the events to the
    // given host.
    let asked = [("url", "http://127.0.0.1:9/from/the/endpoint"), ("enabled_events[]", "customer.created")];
    call(&server, "POST", "/v1/webhook_endpoints", &asked);
    let sink = runtime.block_on(Sink::start(&[]));
    let host = sink.url.trim_end_matches("/hook").trim_start_matches("http://").to_owned();
    let arguments = ["listen", "--all-snapshot", "--use-configured-webhooks", "--forward-to", &host];
    let mut child =
        stripe(&server, home.path(), &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..50 {
        call(&server, "POST", "/v1/products", &[("name", "product")]);
        call(&server, "POST", "/v1/customers", &[("name", "customer")]);
        std::thread::sleep(Duration::from_millis(100));
        if sink.deliveries().len() > 1 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(kinds(&sink.deliveries()), BTreeSet::from(["customer.created".to_owned()]));
}
