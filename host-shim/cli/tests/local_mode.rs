//! Local mode as a new user tries it, with the program that `cargo xtask build` makes: a checkout is paid on the local Stripe,
//! the plan is active, an instance runs, and a month later the renewal is paid. A second start goes on where the first ended.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Timeout of a request; an advance of the clock plays a month.
const WAIT: Duration = Duration::from_secs(120);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A server in local mode; killed when dropped.
struct Server {
    child: Child,
    address: String,
    key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(data: &Path) -> Server {
        let mut child = Command::new(root().join("dist/host-shim"))
            .args(["serve", "fixtures/solobase", "--local", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts; `cargo xtask build` makes it");
        let lines: Vec<String> = BufReader::new(child.stdout.take().expect("a pipe"))
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.starts_with("press"))
            .collect();
        let value = |name: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no `{name}` in {lines:?}")).trim().to_owned()
        };
        let (address, key) = (value("server").replace("http://", ""), value("key"));
        Server { child, address, key }
    }

    fn call(&self, line: &str, body: &str) -> Value {
        let authorization = format!("Authorization: Bearer {}\r\n", self.key);
        let (status, body) = send(&self.address, line, &authorization, body);
        assert_eq!(status, 200, "{line}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Asks again until the answer is as wanted.
    fn until(&self, path: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut answer = Value::Null;
        for _ in 0..100 {
            answer = self.call(&format!("GET {path}"), "");
            if is_wanted(&answer) {
                return answer;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{path}: {answer}");
    }
}

fn send(address: &str, line: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(WAIT)).expect("set");
    let head = format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status"), body.to_owned())
}

/// Pays a checkout of the local Stripe with its test card.
fn pay(checkout_url: &str) {
    let (address, path) = checkout_url.trim_start_matches("http://").split_once('/').expect("a path");
    let form = "email=ada%40example.com&number=4242+4242+4242+4242&expiry=12+%2F+40&cvc=123&name=Ada";
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(send(address, &format!("POST /{path}"), headers, form).0, 303, "the page after a payment");
}

fn invoices(answer: &Value) -> Vec<(&Value, &Value)> {
    let entries = answer["entries"].as_array().expect("a list");
    entries.iter().map(|entry| (&entry["value"]["reason"], &entry["value"]["status"])).collect()
}

#[test]
#[ignore = "needs the program of `cargo xtask build`; `cargo xtask test full-host` makes and tests it"]
fn a_checkout_is_paid_and_a_month_passes() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let check = "/api/entitlements/check?account=user:ada&key=instances";
    // The catalog's prices are made at the local Stripe first.
    server.until(check, |answer| answer["upgrades"].to_string().contains("prod_starter"));
    let order = server.call("POST /api/commands/purchase.create?account=user:ada", r#"{"plan": "starter"}"#);
    pay(order["checkout_url"].as_str().expect("an address"));
    server.until(check, |answer| answer["allowed"] == true);
    let app = r#"{"name": "App", "metadata": {"subdomain": "ada"}}"#;
    server.call("POST /api/commands/instance.create?account=user:ada", app);
    let instances = "/api/queries/list?account=user:ada&kind=instances";
    server.until(instances, |answer| answer["entries"][0]["value"]["status"] == "running");
    assert_eq!(server.call(&format!("GET {check}"), "")["used"], 1);
    let now = server.call("POST /api/operator/clock", r#"{"advance": "35d"}"#)["now"].clone();
    let list = "/api/queries/list?account=user:ada&kind=invoices";
    let paid = server.call(&format!("GET {list}"), "");
    let mut paid = invoices(&paid);
    paid.sort_by_key(|(reason, _)| reason.as_str().map(str::to_owned));
    let is_paid = json!("paid");
    assert_eq!(paid, [(&json!("subscription_create"), &is_paid), (&json!("subscription_cycle"), &is_paid)]);
    drop(server);
    let again = Server::start(&data);
    assert_eq!(invoices(&again.call(&format!("GET {list}"), "")).len(), 2, "the data folder keeps everything");
    let later = again.call("POST /api/operator/clock", r#"{"advance": "0s"}"#)["now"].clone();
    assert!(later.as_str() >= now.as_str(), "the clock goes on: {later} after {now}");
}
