//! A server whose users log in at `oidc-provider`, a certified server of OpenID Connect, and whose tokens are keys.

use super::clients::is_left_out;
use super::{Running, environment, log_of, send};
use crate::run::in_business;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The version for Node 18 and 20.
const PACKAGES: [&str; 1] = ["oidc-provider@8.8.1"];
/// Secret of the server at the issuer.
const CLIENT_SECRET: &str = "a secret of the tests/+&=%";
/// Time limit of one command, and of what must happen after the keys were replaced.
const LIMIT: Duration = Duration::from_secs(60);

fn node(script: &str) -> Command {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/serve/clients");
    let mut node = Command::new("node");
    node.env("PACKAGES", counterparts::node("oidc", &PACKAGES))
        .env("OIDC_SECRET", CLIENT_SECRET)
        .arg(scripts.join(script));
    node
}

/// A running issuer, killed when it is dropped.
struct Issuer(Child);

impl Issuer {
    fn start(port: u16, key: &str, redirect: &str) -> Issuer {
        let mut node = node("oidc_provider.mjs");
        node.args([&port.to_string(), key, redirect]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = node.spawn().expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line == "ready");
        assert!(is_ready, "the issuer does not start: {:?}", child.try_wait());
        // Nobody reads what it writes later, so that it must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        Issuer(child)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes the configuration of a server that trusts the issuer.
fn config(folder: &Path, issuer: &str) -> PathBuf {
    let business = in_business("solobase").display().to_string();
    let login = json!({"name": "example", "client_id": "shop", "client_secret": "${OIDC_SECRET}"});
    let issuers = json!([{
        "issuer": issuer, "audience": "shop-api", "login": login, "roles": {"claim": "sub", "services": ["backend"]},
    }]);
    let config = json!({
        "server": {"port": 0}, "mode": "local", "data": "data", "businesses": [{"folder": business, "issuers": issuers}],
    });
    let path = folder.join("solobase.config.yml");
    fs::write(&path, config.to_string()).expect("written");
    path
}

/// Returns what the server says of the user after a login.
fn log_in(server: &str, issuer: &str, name: &str) -> Value {
    let out = counterparts::succeeds(node("oidc_browser.mjs").args([server, issuer, name]), LIMIT);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

/// Returns a token that the issuer makes for the backend of the business.
fn machine_token(issuer: &str) -> String {
    let address = issuer.trim_start_matches("http://");
    let form = "grant_type=client_credentials&client_id=backend&client_secret=a+secret+of+the+tests%2F%2B%26%3D%25";
    let headers = format!("Host: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
    let (status, body) = super::send_with_host(address, "POST /token", &headers, form).expect("an answer");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{status} {error}: {body}"));
    body["access_token"].as_str().unwrap_or_else(|| panic!("{status}: {body}")).to_owned()
}

#[test]
#[ignore = "installs oidc-provider; `cargo xtask test clients` runs it"]
fn users_log_in_at_oidc_provider_and_its_tokens_are_keys_until_its_keys_are_replaced() {
    if is_left_out("node") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let port = counterparts::free_port();
    let issuer = format!("http://127.0.0.1:{port}");
    let file = config(folder.path(), &issuer).display().to_string();
    let log = log_of(&folder.path().join("data"));
    let [key, secret] = environment();
    let variables = [key, secret, ("OIDC_SECRET", CLIENT_SECRET)];
    let server = Running::start_args(&["serve", "--config", &file, "--native"], &variables, &log);
    let url = format!("http://{}", server.address);
    let redirect = format!("{url}/api/auth/oidc/example/callback");
    let first = Issuer::start(port, "first", &redirect);

    let ada = log_in(&url, &issuer, "ada");
    assert_eq!((&ada["status"], &ada["url"]), (&json!(200), &json!(format!("{url}/dashboard"))), "{ada}");
    let shown = (&ada["email"], &ada["name"], &ada["is_confirmed"], &ada["is_operator"]);
    assert_eq!(shown, (&json!("ada@example.com"), &json!("ada"), &json!(true), &json!(false)));
    assert_eq!(log_in(&url, &issuer, "ada")["id"], ada["id"], "the same user again");
    assert_ne!(log_in(&url, &issuer, "bob")["id"], ada["id"]);
    let eve = log_in(&url, &issuer, "eve");
    assert_eq!((&eve["status"], &eve["code"]), (&json!(403), &json!("address-not-proved")), "{eve}");

    let old = machine_token(&issuer);
    let status = |token: &str| {
        let authorization = format!("Authorization: Bearer {token}\r\n");
        send(&server.address, "GET /api/entitlements?account=user:u1", &authorization, "").expect("an answer").0
    };
    assert_eq!(status(&old), 200, "the backend is a service, which reaches every account");
    drop(first);
    let _second = Issuer::start(port, "second", &redirect);
    let new = machine_token(&issuer);
    let begun = Instant::now();
    while status(&new) != 200 {
        assert!(begun.elapsed() < LIMIT, "the new key is fetched");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(status(&old), 401, "the key is no longer one of the issuer");
    server.stop();
    let log = fs::read_to_string(log).expect("the log");
    assert!(!log.contains(CLIENT_SECRET) && !log.contains("ada@example.com"), "{log}");
}
