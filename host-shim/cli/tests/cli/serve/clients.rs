//! Stripe's own programs deliver to a server: the CLI forwards what happens at a local Stripe, and the official libraries sign.
//! The tests install the clients, or fail with the line that installs them.

use super::{Running, SECRET, WAIT, send};
use crate::run::subscription;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A secret that the server does not know.
const OTHER: &str = "whsec_of_another_endpoint";
/// An API key of the local Stripe.
pub const KEY: &str = "sk_test_1234567890listen";
/// Time limit of one command.
const LIMIT: Duration = Duration::from_secs(60);

/// Whether the variable `LOCAL_STRIPE_WITHOUT`, which `cargo xtask test --without` sets, leaves out a client.
pub fn is_left_out(name: &str) -> bool {
    let without = std::env::var("LOCAL_STRIPE_WITHOUT").unwrap_or_default();
    let is_out = without.split(',').any(|out| out.trim() == name);
    if is_out {
        println!("LEFT OUT: {name} (LOCAL_STRIPE_WITHOUT)");
    }
    is_out
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients").join(name)
}

/// Returns the ids of the stored events that Stripe made.
fn stored(server: &Running) -> BTreeSet<String> {
    let (mut ids, mut after) = (BTreeSet::new(), json!(0));
    while !after.is_null() {
        let page = server.get(&format!("/api/operator/events?limit=500&after={after}"));
        let events = page["events"].as_array().expect("a list").iter();
        let of_stripe = events.filter(|event| event["source"] == "stripe");
        ids.extend(of_stripe.map(|event| event["id"].as_str().expect("an id").to_owned()));
        after = page["next"].clone();
    }
    ids
}

/// Runs a script that signs and delivers an event in several ways. Returns the status of each delivery, and what was stored.
fn deliver(command: &mut Command) -> (Value, BTreeSet<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Running::start(&folder.path().join("data"));
    let event = folder.path().join("event.json");
    fs::write(&event, subscription("evt_template").to_string()).expect("written");
    let url = format!("http://{}/api/webhooks/stripe", server.address);
    command.args([&url, SECRET, OTHER]).stdin(fs::File::open(event).expect("a file"));
    let out = counterparts::succeeds(command, LIMIT);
    let stored = stored(&server);
    server.stop();
    (serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")), stored)
}

#[test]
#[ignore = "installs clients of Stripe; `cargo xtask test clients` runs it"]
fn a_server_accepts_what_stripe_node_signs_and_refuses_what_was_changed() {
    if is_left_out("node") {
        return;
    }
    let mut node = Command::new("node");
    let (statuses, stored) = deliver(node.env("NODE_CLIENTS", counterparts::stripe_node()).arg(script("deliver.mjs")));
    let expected = json!({
        "evt_node_good": 200, "evt_node_tampered": 400, "evt_node_longer": 400, "evt_node_other": 400,
        "evt_node_old": 400, "evt_node_scheme": 400,
    });
    assert_eq!(statuses, expected);
    assert_eq!(stored, BTreeSet::from(["evt_node_good".to_owned()]));
}

#[test]
#[ignore = "installs clients of Stripe; `cargo xtask test clients` runs it"]
fn a_server_accepts_what_stripe_python_signs_and_refuses_what_was_changed() {
    if is_left_out("python") {
        return;
    }
    let mut python = Command::new(counterparts::stripe_python());
    let (statuses, stored) = deliver(python.arg(script("deliver.py")));
    let expected = json!({
        "evt_python_good": 200, "evt_python_tampered": 400, "evt_python_longer": 400, "evt_python_other": 400,
        "evt_python_old": 400,
    });
    assert_eq!(statuses, expected);
    assert_eq!(stored, BTreeSet::from(["evt_python_good".to_owned()]));
}

/// A process; killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A local Stripe in a process of its own, and the Stripe CLI with which it is used.
pub struct LocalStripe {
    pub address: String,
    home: tempfile::TempDir,
    _process: Killed,
}

impl LocalStripe {
    pub fn start() -> LocalStripe {
        let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
            .args(["stripe", "--port", "0", "--clock", "wall"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let process = Killed(child);
        let mut addresses = lines.filter_map(|line| Some(line.strip_prefix("listening on http://")?.to_owned()));
        let address = addresses.next().expect("the address of the local Stripe");
        LocalStripe { address, home: tempfile::tempdir().expect("a folder"), _process: process }
    }

    fn cli(&self, args: &[&str]) -> Command {
        let mut command = Command::new(counterparts::stripe_cli());
        command.args(args).args(["--api-base", &format!("http://{}", self.address)]);
        command
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("STRIPE_API_KEY", KEY)
            .env("STRIPE_CLI_TELEMETRY_OPTOUT", "1");
        command
    }

    pub fn call(&self, line: &str, form: &str) -> Value {
        let headers = format!("Authorization: Bearer {KEY}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let (status, body) = send(&self.address, line, &headers, form).expect("an answer");
        assert_eq!(status, 200, "{line}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Returns the ids of all events, the newest first.
    fn events(&self) -> Vec<String> {
        let list = self.call("GET /v1/events?limit=100", "");
        assert_eq!(list["has_more"], false, "the test makes less than 100 events");
        let ids = list["data"].as_array().expect("a list").iter();
        ids.map(|event| event["id"].as_str().expect("an id").to_owned()).collect()
    }
}

#[test]
#[ignore = "installs clients of Stripe; `cargo xtask test clients` runs it"]
fn everything_that_the_stripe_cli_forwards_from_a_local_stripe_is_stored() {
    if is_left_out("cli") {
        return;
    }
    let (folder, stripe) = (tempfile::tempdir().expect("a folder"), LocalStripe::start());
    let secret = counterparts::succeeds(&mut stripe.cli(&["listen", "--print-secret"]), LIMIT).trim().to_owned();
    let server = Running::start_with_secret(&folder.path().join("data"), &secret);
    let url = format!("http://{}/api/webhooks/stripe", server.address);
    let mut listen = stripe.cli(&["listen", "--all-snapshot", "--forward-to", &url]);
    let listen = listen.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the CLI starts");
    let _listen = Killed(listen);
    // The CLI connects some time after its start, and forwards what happens after that.
    let began = Instant::now();
    while stored(&server).is_empty() {
        assert!(began.elapsed() < LIMIT, "nothing is forwarded");
        stripe.call("POST /v1/customers", "name=Ada");
        thread::sleep(Duration::from_millis(200));
    }
    let before: BTreeSet<String> = stripe.events().into_iter().collect();
    for trigger in ["customer.subscription.created", "invoice.payment_succeeded"] {
        counterparts::succeeds(&mut stripe.cli(&["trigger", trigger]), LIMIT);
    }
    let made: BTreeSet<String> = stripe.events().into_iter().filter(|id| !before.contains(id)).collect();
    assert!(made.len() > 10, "{} events", made.len());
    let began = Instant::now();
    loop {
        let stored = stored(&server);
        let missing: Vec<&String> = made.iter().filter(|id| !stored.contains(*id)).collect();
        if missing.is_empty() {
            break;
        }
        assert!(began.elapsed() < WAIT, "not stored: {missing:?}");
        thread::sleep(Duration::from_millis(100));
    }
    server.stop();
}
