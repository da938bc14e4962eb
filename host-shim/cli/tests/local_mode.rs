//! Local mode as a new user tries it, with the program that `cargo xtask build` makes: a checkout is paid on the local Stripe,
//! the plan is active, an instance runs, and a month later the renewal is paid. A second start goes on where the first ended.
//! Each business sells a price whose id its catalog names by hand, and delivers what it sells.

#[path = "local_mode/typescript.rs"]
mod typescript;

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
    /// Address of the local Stripe, in local mode.
    stripe: Option<String>,
}

/// Starts the program that `cargo xtask build` makes, and reads its lines up to the one that begins with `last`.
fn start(args: &[&str], environment: &[(&str, &str)], last: &str) -> (Child, Vec<String>) {
    let mut child = Command::new(root().join("dist/provisioner"))
        .args(args)
        .envs(environment.iter().copied())
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts; `cargo xtask build` makes it");
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok) {
        let is_last = line.starts_with(last);
        lines.push(line);
        if is_last {
            break;
        }
    }
    (child, lines)
}

/// A process; killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts a server in local mode.
    fn start(data: &Path) -> Server {
        Server::start_with("solobase", data, &["--local"], &[])
    }

    fn start_with(business: &str, data: &Path, args: &[&str], environment: &[(&str, &str)]) -> Server {
        let (folder, data_arg) = (format!("fixtures/businesses/{business}"), data.display().to_string());
        let fixed = ["serve", &folder, "--listen", "127.0.0.1:0", "--data", &data_arg];
        let (child, lines) = start(&[&fixed, args].concat(), environment, "press");
        let line = lines.iter().find_map(|line| line.strip_prefix("server    http://"));
        let address = line.unwrap_or_else(|| panic!("no address in {lines:?}")).to_owned();
        let stripe = lines.iter().find_map(|line| Some(line.strip_prefix("stripe    ")?.to_owned()));
        // Outside of local mode, an operator makes a key.
        let key = std::fs::read_to_string(data.join("operator.key")).unwrap_or_else(|_| made_key(business, &data_arg));
        Server { child, address, key: key.trim().to_owned(), stripe }
    }

    fn call(&self, line: &str, body: &str) -> Value {
        serde_json::from_str(&self.text(line, body)).expect("JSON")
    }

    fn text(&self, line: &str, body: &str) -> String {
        let (status, body) = self.answer(line, body);
        assert_eq!(status, 200, "{line}: {body}");
        body
    }

    /// Sends a request of the operator. Returns the status and the body.
    fn answer(&self, line: &str, body: &str) -> (u16, String) {
        let authorization = format!("Authorization: Bearer {}\r\n", self.key);
        send(&self.address, line, &authorization, body)
    }

    /// Waits for the first sweep, and returns the number of deliveries that it missed.
    fn missed(&self) -> u64 {
        let site = r#"business="solobase",mode="test""#;
        for _ in 0..100 {
            let metrics = self.text("GET /metrics", "");
            let value = |line: &str| metrics.lines().find_map(|it| it.strip_prefix(line)?.trim().parse().ok());
            if value(&format!(r#"provisioner_sweeps_total{{{site},result="done"}}"#))
                .is_some_and(|count: u64| count > 0)
            {
                return value(&format!("provisioner_missed_deliveries_total{{{site}}}")).expect("a count");
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("no sweep");
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

/// Makes an operator's key for a running server.
fn made_key(business: &str, data: &str) -> String {
    let made = Command::new(root().join("dist/provisioner"))
        .args(["keys", "make", business, "--kind", "admin", "--subject", "root", "--data", data])
        .output()
        .expect("the program starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("a key")
}

/// Compares the store of a running server with its local Stripe. Returns the exit code and the report.
fn verify(data: &Path, server: &Server) -> (Option<i32>, String) {
    let settings = data.with_file_name("verify.yml");
    let url = server.stripe.as_ref().expect("local mode");
    std::fs::write(&settings, format!("stripe: {{test_key: secret:env/STRIPE_TEST_KEY, url: \"{url}\"}}\n"))
        .expect("written");
    let ran = Command::new(root().join("dist/provisioner"))
        .arg("verify")
        .args(["--store".as_ref(), data.join("store.db").as_os_str()])
        .args(["--provider-settings".as_ref(), settings.as_os_str()])
        .env("STRIPE_TEST_KEY", "sk_test_local")
        .output()
        .expect("the program starts");
    (ran.status.code(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
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
    assert_eq!(server.missed(), 0, "the deliveries of the first start are on their way");
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
    let beside = server.call("GET /api/operator/accounts/user:ada/stripe", "");
    assert_eq!(beside["changes"], json!([]), "the records are what Stripe has: {beside}");
    assert_eq!(beside["objects"]["invoice"].as_array().map(Vec::len), Some(2), "{beside}");
    let drift = server.call("GET /api/operator/drift", "");
    assert_eq!(drift["differences"], json!([]), "every resource is as recorded");
    let subscription = server.call("GET /b/products/subscription?user_id=ada", "");
    assert_eq!(subscription["subscription"]["plan"], "prod_starter", "{subscription}");
    let (code, report) = verify(&data, &server);
    assert!(code == Some(0) && report.contains("0 differences"), "{report}");
    assert!(report.contains("1/1 subscriptions, 2/2 invoices, 2/2 payments"), "{report}");
    let order = server.call("POST /api/commands/purchase.create?account=user:bob", r#"{"plan": "starter"}"#);
    let stripe = server.stripe.clone();
    drop(server);
    let again = Server::start(&data);
    assert_eq!(again.stripe, stripe, "the local Stripe keeps its address");
    pay(order["checkout_url"].as_str().expect("an address"));
    again.until(&check.replace("ada", "bob"), |answer| answer["allowed"] == true);
    assert_eq!(invoices(&again.call(&format!("GET {list}"), "")).len(), 2, "the data folder keeps everything");
    let later = again.call("POST /api/operator/clock", r#"{"advance": "0s"}"#)["now"].clone();
    assert!(later.as_str() >= now.as_str(), "the clock goes on: {later} after {now}");
}

/// Returns the number of mails to operators about a missing backup that were sent.
fn told(server: &Server) -> usize {
    let effects = server.call("GET /api/operator/effects?account=user:ada&limit=500", "");
    let effects = effects["effects"].as_array().expect("a list");
    let is_told = |effect: &&Value| effect["key"].as_str().is_some_and(|key| key.contains("measurement_missing"));
    effects.iter().filter(is_told).filter(|effect| effect["state"] == "finished").count()
}

#[test]
#[ignore = "needs the program of `cargo xtask build`; `cargo xtask test full-host` makes and tests it"]
fn databases_are_backed_up_daily_and_operators_hear_of_a_missing_backup() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let args = ["--local", "--backups-every", "100ms"];
    let server = Server::start_with("orchestra", &data, &args, &[("SUPABASE_ACCESS_TOKEN", "of-nobody")]);
    let order = r#"{"plan_id": "prod_orchestra_pro"}"#;
    let order = server.call("POST /api/commands/purchase.create?account=user:ada", order);
    pay(order["checkout_url"].as_str().unwrap_or_else(|| panic!("{order}")));
    server.until("/api/entitlements/check?account=user:ada&key=orchestras", |answer| answer["allowed"] == true);
    let one =
        r#"{"name": "One", "metadata": {"subdomain": "one", "contact_email": "o@example.com", "backup_days": 7}}"#;
    server.call("POST /api/commands/instance.create?account=user:ada", one);
    let measured = "/api/operator/events?kind=usage&limit=500";
    for day in 1..=10 {
        let events = server.until(measured, |answer| answer["events"].as_array().is_some_and(|all| all.len() == day));
        assert_eq!(events["events"][day - 1]["outcome"], "applied", "{events}");
        server.call("POST /api/operator/clock", r#"{"advance": "24h"}"#);
    }
    let made = server.until(measured, |answer| answer["events"].as_array().is_some_and(|all| all.len() == 11));
    let ids: std::collections::BTreeSet<String> =
        made["events"].as_array().expect("a list").iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 11, "each day has its backup");
    // The clock stops at times inside of an advance. If a backup is made at one, the next is made more than 26 hours later.
    let before = told(&server);
    let backups = data.join("providers/local/backups");
    let copies = || {
        let entries = std::fs::read_dir(&backups).expect("the backups");
        entries
            .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|it| it == "sqlite")))
            .count()
    };
    // The search for expired copies comes after the backups of the same look.
    let is_thinned = (0..100).any(|_| {
        copies() == 7 || {
            thread::sleep(Duration::from_millis(100));
            false
        }
    });
    assert!(is_thinned, "{} copies are kept for seven days", copies());

    std::fs::remove_dir_all(&backups).expect("removed");
    std::fs::write(&backups, "not a folder").expect("written");
    server.call("POST /api/operator/clock", r#"{"advance": "24h"}"#);
    server.until("/api/operator/backups", |answer| answer["backups"][0]["problem"].is_string());
    server.call("POST /api/operator/clock", r#"{"advance": "3h"}"#);
    assert_eq!(told(&server), before + 1, "26 hours after the last backup");
}

/// Starts a business in local mode, buys a price whose id the catalog names by hand, pays its checkout, waits until the entitlement
/// is there, and goes on with `deliver`.
fn sells(business: &str, order: &str, entitlement: &str, deliver: impl FnOnce(&Server, &Path)) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_with(business, &data, &["--local"], &[]);
    let check = format!("/api/entitlements/check?account=user:ada&key={entitlement}");
    let before = server.call(&format!("GET {check}"), "")["limit"].clone();
    let order = server.call("POST /api/commands/purchase.create?account=user:ada", order);
    pay(order["checkout_url"].as_str().unwrap_or_else(|| panic!("{business}: {order}")));
    server.until(&check, |answer| answer["allowed"] == true && answer["limit"] != before);
    deliver(&server, &data);
}

/// Waits until the only instance runs.
fn runs(server: &Server) -> Value {
    let instances = "/api/queries/list?account=user:ada&kind=instances";
    server.until(instances, |answer| answer["entries"][0]["value"]["status"] == "running")["entries"][0].clone()
}

#[test]
#[ignore = "needs the program of `cargo xtask build`; `cargo xtask test full-host` makes and tests it"]
fn each_business_sells_a_price_that_its_catalog_names_by_hand_and_delivers_what_it_sells() {
    sells("solobase", r#"{"plan": "professional"}"#, "instances", |server, _| {
        let app = r#"{"name": "App", "metadata": {"subdomain": "ada"}}"#;
        server.call("POST /api/commands/instance.create?account=user:ada", app);
        runs(server);
    });
    // The application of 2Bot makes the workspaces, which are simulated without being asked for.
    sells("twobot", r#"{"plan_id": "plan_pro"}"#, "ram_mb", |_, _| {});
    sells("tesslate", r#"{"plan_id": "prod_premium"}"#, "projects", |server, _| {
        let project = r#"{"name": "Shop", "slug": "shop"}"#;
        let (status, made) = server.answer("POST /api/projects?account=user:ada", project);
        assert_eq!(status, 201, "{made}");
        server.call("POST /api/projects/shop/deploy?account=user:ada", "{}");
        let deployments = "/api/queries/list?account=user:ada&kind=instances&limit=10";
        let is_deployed = |entry: &Value| entry["id"] == "dep_shop" && entry["value"]["status"] == "running";
        server.until(deployments, |answer| answer["entries"].as_array().is_some_and(|all| all.iter().any(is_deployed)));
        // Stripe tells at once that a creator has finished the onboarding.
        server.call("POST /api/commands/account.connect?account=user:zoe", "{}");
        let payouts = "/api/queries/list?account=user:zoe&kind=payouts";
        let begun = server.until(payouts, |answer| answer["entries"][0]["value"]["connected"].is_string());
        let connected = begun["entries"][0]["value"]["connected"].as_str().expect("an id");
        let stripe = server.stripe.as_ref().expect("local mode").trim_start_matches("http://");
        let (status, onboarded) = send(stripe, &format!("POST /_sandbox/accounts/{connected}/onboard"), "", "");
        assert_eq!(status, 200, "{onboarded}");
        server.until(payouts, |answer| answer["entries"][0]["value"]["onboarding"] == "enabled");
    });
    sells("orchestra", r#"{"plan_id": "prod_orchestra_pro"}"#, "orchestras", |server, data| {
        let one = r#"{"name": "One", "metadata": {"subdomain": "one", "contact_email": "o@example.com"}}"#;
        server.call("POST /api/commands/instance.create?account=user:ada", one);
        server.until("/api/operator/tasks", |answer| answer["tasks"][0]["steps"][0]["step"] == "database");
        let url = r#"{"url": "postgres://one:secret@db.example:5432/one"}"#;
        server.call("POST /api/admin/provisions/one/database-url", url);
        runs(server);
        let mails = std::fs::read_dir(data.join("providers/mails")).expect("the mails");
        let mails = mails.map(|mail| std::fs::read_to_string(mail.expect("a mail").path()).expect("read"));
        let ready = mails.filter(|mail| mail.contains("ready\r\n") || mail.contains("is ready")).count();
        assert_eq!(ready, 1, "one mail says that the orchestra is ready");
    });
    let manual = r#"{"product_id": "prod_sample_manual", "interval": "month"}"#;
    sells("saas-plugins", manual, "file:prod_sample_manual", |server, data| {
        let token = server.call("POST /api/files/token?account=user:ada", r#"{"product_id": "prod_sample_manual"}"#);
        let bearer = format!("Authorization: Bearer {}\r\n", token["token"].as_str().expect("a token"));
        let get = || send(&server.address, "GET /api/files/get/prod_sample_manual", &bearer, "");
        let (status, missing) = get();
        assert_eq!(status, 409, "the file is not there yet, and the token stays: {missing}");
        let files = data.join("providers/local/objects/sample-files/manuals");
        std::fs::create_dir_all(&files).expect("a folder");
        std::fs::write(files.join("sample manual.pdf"), "the manual").expect("written");
        let (status, found) = get();
        assert_eq!(status, 200, "{found}");
        let found: Value = serde_json::from_str(&found).expect("JSON");
        let url = found["url"].as_str().expect("an address").trim_start_matches("http://");
        let (address, path) = url.split_once('/').expect("a path");
        assert_eq!(send(address, &format!("GET /{path}"), "", ""), (200, "the manual".to_owned()));
        assert_eq!(get().0, 401, "it is good for one address");
    });
}

#[test]
#[ignore = "needs the program of `cargo xtask build`; `cargo xtask test full-host` makes and tests it"]
fn an_event_that_happened_at_stripe_while_the_server_was_stopped_is_there_soon_after_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (child, lines) = start(&["stripe", "--port", "0", "--clock", "wall"], &[], "listening");
    let _stripe = Killed(child);
    let url = lines.last().and_then(|line| line.strip_prefix("listening on ")).expect("an address").to_owned();
    let settings = folder.path().join("providers.yml");
    let text = format!("stripe: {{test_key: secret:env/STRIPE_TEST_KEY, url: {url}}}\n");
    std::fs::write(&settings, text).expect("written");
    let key = "1".repeat(64);
    let environment = [
        ("STRIPE_TEST_KEY", "sk_test_local"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_of_nobody_in_the_world"),
        ("PROVISIONER_SECRETS_KEY", key.as_str()),
    ];
    let settings = settings.display().to_string();
    let args = ["--providers", "local,stripe", "--provider-settings", &settings, "--simulate"];
    let data = folder.path().join("data");
    drop(Server::start_with("solobase", &data, &args, &environment));
    let headers = "Authorization: Bearer sk_test_local\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let (status, made) = send(url.trim_start_matches("http://"), "POST /v1/customers", headers, "name=Ada");
    assert_eq!(status, 200, "{made}");
    let again = Server::start_with("solobase", &data, &args, &environment);
    again.until("/api/operator/events?kind=customer.created", |answer| answer["events"][0]["source"] == "stripe");
}
