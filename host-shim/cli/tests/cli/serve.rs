//! `provisioner serve` and `provisioner keys`, from outside: what a start refuses, and what survives a kill.
//!
//! The variable `KILLS` sets the number of kills. A kill ends the process but not the operating system.

#[path = "serve/anonymous.rs"]
mod anonymous;
#[path = "serve/api_clients.rs"]
mod api_clients;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/connections.rs"]
mod connections;
#[path = "serve/covered.rs"]
mod covered;
#[path = "serve/database.rs"]
mod database;
#[cfg(target_os = "linux")]
#[path = "serve/full_disk.rs"]
mod full_disk;
#[path = "serve/oidc.rs"]
mod oidc;
#[cfg(target_os = "linux")]
#[path = "serve/operation.rs"]
mod operation;
#[path = "serve/outgoing.rs"]
mod outgoing;
#[path = "serve/pages.rs"]
mod pages;
#[path = "serve/pull.rs"]
mod pull;
#[cfg(target_os = "linux")]
#[path = "serve/several_hosts.rs"]
mod several_hosts;
#[path = "serve/shared.rs"]
mod shared;
#[path = "serve/sources.rs"]
mod sources;
#[cfg(target_os = "linux")]
#[path = "serve/supervisor.rs"]
mod supervisor;
#[path = "serve/tables.rs"]
mod tables;

use crate::run::{Ran, SECRETS_KEY, in_business, run_with, subscription};
use host_intake::testing::sign;
use host_store::{Partition, Read as _, SqliteStore};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use test_support::count;

/// Signing secret of Stripe's endpoint.
const SECRET: &str = "whsec_the_secret_of_these_tests";
/// Timeout of a request.
pub const WAIT: Duration = Duration::from_secs(15);
/// Number of repetitions of an order whose subscription is not decided yet.
const PATIENCE: u32 = 20;
/// Number of clients that send requests at the same time.
const CLIENTS: usize = 4;

fn environment() -> [(&'static str, &'static str); 2] {
    [SECRETS_KEY, ("STRIPE_WEBHOOK_SECRET", SECRET)]
}

fn args(business: &str, data: &Path, more: &[&str]) -> Vec<String> {
    let data = data.display().to_string();
    let business = in_business(business).display().to_string();
    let mut args: Vec<String> =
        ["serve", &business, "--native", "--data", &data, "--listen", "127.0.0.1:0"].map(str::to_owned).into();
    args.extend(more.iter().map(|more| (*more).to_owned()));
    args
}

fn refused(business: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = run_with(&args(business, &folder.path().join("data"), more), b"", &environment());
    assert_ne!(ran.code, 0, "{ran:?}");
    ran
}

#[test]
fn an_effect_that_no_provider_carries_out_stops_the_start_by_name() {
    let ran = refused("twobot", &["--providers", "local"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    for kind in ["`workspace.ensure`", "`stripe.refund.create`"] {
        assert!(ran.stderr.contains(kind), "{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("`database."), "no workspace needs a database: {}", ran.stderr);
    // No clause of this business requests a mail, and its operators get some.
    let folder = tempfile::tempdir().expect("a folder");
    let of_stripe = args("twobot", &folder.path().join("data"), &["--providers", "stripe"]);
    let ran = run_with(&of_stripe, b"", &[&environment()[..], &[("STRIPE_TEST_KEY", "sk_test_1")]].concat());
    assert_eq!((ran.code, ran.stderr.contains("`mail.send`")), (2, true), "{ran:?}");
    let ran = refused("solobase", &[]);
    assert_eq!((ran.code, ran.stderr.contains("--providers")), (2, true), "{ran:?}");
    let ran = refused("nowhere", &["--providers", "local"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}

#[test]
fn local_mode_and_live_mode_exclude_each_other() {
    let ran = refused("solobase", &["--local", "--live"]);
    assert_eq!((ran.code, ran.stderr.contains("--live")), (2, true), "{ran:?}");
}

#[test]
fn a_key_of_a_business_that_the_folder_does_not_serve_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let make = |business: &str| {
        let data = folder.path().display().to_string();
        run_with(&["keys", "--data", &data, "make", business, "--subject", "backend"], b"", &[])
    };
    let refused = make("fixtures/businesses/solobase");
    assert_eq!((refused.code, refused.stderr.contains("the name of a business")), (2, true), "{refused:?}");
    assert_eq!(make("solobase").code, 0, "before the first start");
    // The store of a server of this business.
    let (store, events) = (folder.path().join("store.db"), folder.path().join("events.jsonl"));
    std::fs::write(&events, crate::run::lines(&[crate::run::subscription("evt_1")])).expect("written");
    let (store, events) = (store.display().to_string(), events.display().to_string());
    let ran = run_with(&["replay", "--native", "--business", "solobase", "--store", &store, &events], b"", &[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(make("solobase").code, 0);
    let refused = make("soloboss");
    assert_eq!((refused.code, refused.stderr.contains("expected `solobase`")), (2, true), "{refused:?}");
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let keys = |args: &[&str]| run_with(&[&["keys", "--data", &data], args].concat(), b"", &[]);
    let made = keys(&["make", "solobase", "--kind", "user", "--subject", "ada"]);
    assert_eq!(made.code, 0, "{made:?}");
    let key = made.stdout.trim().to_owned();
    let [row] = <[Value; 1]>::try_from(keys(&["list", "--format", "json"]).lines()).expect("one key");
    assert_eq!((&row["actor"]["subject"], &row["reach"]), (&json!("ada"), &json!("user:ada")));
    let id = row["id"].as_str().expect("an id");
    assert!(key.contains(id));
    let secret = key.rsplit('_').next().expect("a secret");
    for listed in [keys(&["list"]), keys(&["list", "--format", "json"])] {
        assert!(listed.stdout.contains(id) && !listed.stdout.contains(secret), "{listed:?}");
    }
    assert_eq!(keys(&["revoke", id]).stdout, "revoked\n");
    assert_eq!(keys(&["revoke", id]).code, 2, "it was revoked before");
    assert!(keys(&["list"]).stdout.contains("revoked 2"), "the time");
}

#[test]
fn an_operator_is_added_and_logs_in_at_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let shown = data.display().to_string();
    let add = |email: &str, password: &str| {
        run_with(&["users", "add", "--email", email, "--admin", "--data", &shown], password.as_bytes(), &[])
    };
    let weak = add("root@example.com", "short\n");
    assert_eq!((weak.code, weak.stderr.contains("password: expected 10 to 200 characters")), (2, true), "{weak:?}");
    let added = add("root@example.com", "correct horse battery\n");
    assert_eq!((added.code, added.stdout.starts_with("usr_")), (0, true), "{added:?}");
    let again = add("Root@example.com", "correct horse battery\n");
    assert_eq!((again.code, again.stderr.contains("a user has the address")), (2, true), "{again:?}");
    let server = Running::start(&data);
    let body = r#"{"email": "root@example.com", "password": "correct horse battery"}"#;
    let (status, body) = server.send("POST /api/auth/login", "", body).expect("an answer");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &body["user"]["is_operator"]), (200, &json!(true)), "{body}");
    let authorization = format!("Authorization: Bearer {}\r\n", body["token"].as_str().expect("a token"));
    let (status, accounts) = server.send("GET /api/operator/accounts", &authorization, "").expect("an answer");
    assert_eq!(status, 200, "{accounts}");
    assert!(
        accounts.contains(&format!("user:{}", added.stdout.trim())),
        "the business was told at the start: {accounts}"
    );
    server.stop();
    let server = Running::start(&data);
    let (status, _) = server.send("GET /api/auth/me", &authorization, "").expect("an answer");
    assert_eq!(status, 200, "a session goes on after a restart");
    server.stop();
}

#[test]
fn a_new_key_of_sessions_signs_and_the_one_before_it_still_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let body = r#"{"email": "ada@example.com", "password": "correct horse battery"}"#;
    let mut tokens: Vec<String> = Vec::new();
    for (path, counting) in
        [("register", [true, false, false]), ("login", [true, true, false]), ("login", [false, true, true])]
    {
        let server = Running::start(&data);
        let (_, answer) = server.send(&format!("POST /api/auth/{path}"), "", body).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        tokens.push(answer["token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
        for (token, counts) in tokens.iter().zip(counting) {
            let (status, _) =
                server.send("GET /api/auth/me", &format!("Authorization: Bearer {token}\r\n"), "").expect("an answer");
            assert_eq!(status, if counts { 200 } else { 401 }, "{path}");
        }
        let (_, keys) = server.send("GET /.well-known/jwks.json", "", "").expect("an answer");
        assert_eq!(keys.matches("\"kid\"").count(), tokens.len().min(2), "{keys}");
        server.stop();
        let shown = data.display().to_string();
        let rotated = run_with(&["users", "rotate-key", "solobase", "--data", &shown], b"", &environment());
        assert_eq!((rotated.code, rotated.stdout.starts_with("session-key-")), (0, true), "{rotated:?}");
    }
}

#[test]
fn whoever_starts_a_server_in_local_mode_becomes_its_operator_by_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    program.args(args("solobase", &data, &["--local"])).envs(environment());
    let (server, lines) = Running::spawn_and_read(program, &log_of(&data));
    let link = lines.iter().find_map(|line| line.strip_prefix("operator  ")).expect("a link");
    let token =
        link.strip_prefix(&format!("http://{}/auth/claim?token=", server.address)).unwrap_or_else(|| panic!("{link}"));
    let body = json!({"token": token, "password": "correct horse battery"}).to_string();
    let (status, answer) = server.send("POST /api/auth/password", "", &body).expect("an answer");
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let authorization = format!("Authorization: Bearer {}\r\n", answer["token"].as_str().expect("a token"));
    let (status, _) = server.send("GET /api/operator/accounts", &authorization, "").expect("an answer");
    assert_eq!((status, &answer["user"]["is_operator"]), (200, &json!(true)));
    server.stop();
    let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    program.args(args("solobase", &data, &["--local"])).envs(environment());
    let (server, lines) = Running::spawn_and_read(program, &log_of(&data));
    assert!(!lines.iter().any(|line| line.starts_with("operator")), "there is one: {lines:?}");
    server.stop();
}

/// Makes an API key of an operator of a running server, as a person does outside of local mode.
pub fn operator_key(data: &Path, business: &str, database: Option<&str>) -> String {
    let data = data.display().to_string();
    let make = ["keys", "make", business, "--kind", "admin", "--subject", "root", "--data", &data];
    let made = match database {
        Some(url) => run_with(&[&make[..], &["--postgres"]].concat(), b"", &[("DATABASE_URL", url)]),
        None => run_with(&make, b"", &[]),
    };
    assert_eq!(made.code, 0, "{made:?}");
    made.stdout.trim().to_owned()
}

#[test]
fn outside_of_local_mode_no_operators_key_lies_in_the_data_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let status = |server: &Running, key: &str| {
        let authorization = format!("Authorization: Bearer {}\r\n", key.trim());
        server.send("GET /api/operator/accounts", &authorization, "").expect("an answer").0
    };
    let local = Running::start_args(&args("solobase", &data, &["--local"]), &environment(), &log_of(&data));
    let key = std::fs::read_to_string(data.join("operator.key")).expect("a key of local mode");
    assert_eq!(status(&local, &key), 200);
    local.stop();
    let vault = std::fs::read_to_string(data.join("vault.key")).expect("the key of the vault in local mode");
    let variables = [(SECRETS_KEY.0, vault.trim()), ("STRIPE_WEBHOOK_SECRET", SECRET)];
    let outside = args("solobase", &data, &["--providers", "local", "--simulate"]);
    let server = Running::start_args(&outside, &variables, &log_of(&data));
    let own = operator_key(&data, "solobase", None);
    assert_eq!((status(&server, &key), status(&server, &own)), (401, 200), "only a person's key counts");
    for removed in ["operator.key", "vault.key"] {
        assert!(!data.join(removed).exists(), "{removed}");
    }
    server.stop();
}

#[test]
fn outside_of_local_mode_nobody_is_its_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let local = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        program.args(args("solobase", &data, &["--local"])).envs(environment());
        let (server, lines) = Running::spawn_and_read(program, &log_of(&data));
        let link = lines.iter().find_map(|line| line.strip_prefix("operator  ")).expect("a link");
        (server, link.rsplit_once('=').expect("a token").1.to_owned())
    };
    let claim = |server: &Running, token: &str| {
        let body = json!({"token": token, "password": "correct horse battery"}).to_string();
        let (status, answer) = server.send("POST /api/auth/password", "", &body).expect("an answer");
        (status, serde_json::from_str::<Value>(&answer).expect("JSON")["token"].as_str().map(str::to_owned))
    };
    let (server, first) = local();
    server.stop();
    let (server, second) = local();
    assert_eq!(claim(&server, &first).0, 410, "the next start has made another link");
    let (status, session) = claim(&server, &second);
    assert_eq!(status, 200);
    server.stop();
    let vault = std::fs::read_to_string(data.join("vault.key")).expect("the key of the vault in local mode");
    let variables = [(SECRETS_KEY.0, vault.trim()), ("STRIPE_WEBHOOK_SECRET", SECRET)];
    let outside = args("solobase", &data, &["--providers", "local", "--simulate"]);
    let server = Running::start_args(&outside, &variables, &log_of(&data));
    let authorization = format!("Authorization: Bearer {}\r\n", session.expect("a token"));
    assert_eq!(server.send("GET /api/operator/accounts", &authorization, "").expect("an answer").0, 401);
    assert_eq!([first, second].map(|token| claim(&server, &token).0), [410, 410]);
    server.stop();
}

#[test]
fn an_operator_who_leaves_is_removed_from_a_running_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let shown = data.display().to_string();
    let email = "root@example.com";
    let password = "correct horse battery";
    let users = |action: &[&str]| {
        let args = [&["users"], action, &["--email", email, "--data", &shown]].concat();
        run_with(&args, format!("{password}\n").as_bytes(), &[])
    };
    let nowhere = users(&["remove"]);
    assert_eq!((nowhere.code, nowhere.stderr.contains("no such folder")), (2, true), "{nowhere:?}");
    let server = Running::start(&data);
    let id = users(&["add", "--admin"]).stdout.trim().to_owned();
    let make = ["keys", "make", "solobase", "--kind", "admin", "--subject", &id, "--data", &shown];
    let key = run_with(&make, b"", &[]).stdout.trim().to_owned();
    let log_in = || {
        let body = json!({"email": email, "password": password}).to_string();
        let (status, answer) = server.send("POST /api/auth/login", "", &body).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        (status, answer["token"].as_str().unwrap_or_default().to_owned())
    };
    let status = |path: &str, token: &str| {
        let authorization = format!("Authorization: Bearer {token}\r\n");
        server.send(&format!("GET {path}"), &authorization, "").expect("an answer").0
    };
    let (_, session) = log_in();
    let accounts = "/api/operator/accounts";
    assert_eq!([&session, &key].map(|token| status(accounts, token)), [200, 200]);
    let demoted = users(&["demote"]);
    assert_eq!((demoted.code, demoted.stdout.trim()), (0, format!("{id} is no longer an operator").as_str()));
    assert_eq!([&session, &key].map(|token| status(accounts, token)), [401, 401], "the session and the key end");
    let again = users(&["demote"]);
    assert_eq!((again.code, again.stderr.contains("is not an operator")), (2, true), "{again:?}");
    let (_, session) = log_in();
    assert_eq!((status(accounts, &session), status("/api/auth/me", &session)), (403, 200), "a user like any other");
    let removed = users(&["remove"]);
    assert_eq!((removed.code, removed.stdout.trim()), (0, format!("{id} is removed").as_str()));
    assert_eq!((status("/api/auth/me", &session), status(accounts, &key), log_in().0), (401, 401, 401));
    let unknown = users(&["remove"]);
    assert_eq!(
        (unknown.code, unknown.stderr.contains("no user in test mode has the address")),
        (2, true),
        "{unknown:?}"
    );
    server.stop();
}

/// Returns the path of the log of a server with this data folder.
fn log_of(data: &Path) -> PathBuf {
    data.parent().expect("a folder").join("log")
}

/// Returns the command of a server. `wrapper` is a program with arguments that runs it.
fn command_of(wrapper: &[&str], data: &Path, more: &[&str]) -> Command {
    let server = args("solobase", data, &[&["--providers", "local", "--simulate"], more].concat());
    let all = wrapper.iter().copied().chain([env!("CARGO_BIN_EXE_provisioner")]);
    let mut words = all.chain(server.iter().map(String::as_str));
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).envs(environment());
    command
}

/// Returns the time in seconds since the epoch.
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs() as i64
}

/// A running server.
pub struct Running {
    child: Child,
    pub address: String,
    key: String,
    log: PathBuf,
}

impl Running {
    fn start(data: &Path) -> Running {
        Running::start_with(data, &[])
    }

    /// Asks the server to read its secrets again.
    #[cfg(unix)]
    pub fn hang_up(&self) {
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
    }

    /// Starts a server with further arguments. Its log is in `log` of the folder with the data.
    fn start_with(data: &Path, more: &[&str]) -> Running {
        Running::spawn(command_of(&[], data, more), &log_of(data), |_| data.to_owned())
    }

    /// Starts a server whose endpoint for Stripe has this secret.
    fn start_with_secret(data: &Path, secret: &str) -> Running {
        let mut program = command_of(&[], data, &[]);
        program.env("STRIPE_WEBHOOK_SECRET", secret);
        Running::spawn(program, &log_of(data), |_| data.to_owned())
    }

    /// Starts a server with these arguments and variables. Its log is in the file `log`. It has no key of an operator.
    pub fn start_args(args: &[impl AsRef<OsStr>], environment: &[(&str, &str)], log: &Path) -> Running {
        let mut program = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        program.args(args).envs(environment.iter().copied());
        Running::spawn_without_key(program, log)
    }

    /// Starts a server by a command, and makes a key of an operator. `data` returns the data folder of the process as this process
    /// sees it.
    fn spawn(command: Command, log: &Path, data: impl FnOnce(&Child) -> PathBuf) -> Running {
        let folder = command.get_args().skip_while(|arg| *arg != "serve").nth(1).map(PathBuf::from);
        let business =
            folder.as_deref().and_then(Path::file_name).and_then(OsStr::to_str).expect("a business").to_owned();
        let database = command.get_envs().find_map(|(name, url)| url.filter(|_| name == "DATABASE_URL"));
        let database = database.map(|url| url.to_str().expect("an address").to_owned());
        let mut server = Running::spawn_without_key(command, log);
        server.key = operator_key(&data(&server.child), &business, database.as_deref());
        server
    }

    pub fn spawn_without_key(command: Command, log: &Path) -> Running {
        Running::spawn_and_read(command, log).0
    }

    /// Starts a server, and returns the lines that it writes when it has started.
    fn spawn_and_read(mut command: Command, log: &Path) -> (Running, Vec<String>) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(log).expect("a file"))
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.strip_prefix("server    http://")?.to_owned()));
        let Some(address) = address else {
            panic!("the server does not start: {}", std::fs::read_to_string(log).unwrap_or_default());
        };
        let written = lines.take_while(|line| !line.starts_with("press")).collect();
        (Running { child, address, key: String::new(), log: log.to_owned() }, written)
    }

    /// Sends a request and returns the status and the body; none if the server ends before it has answered.
    fn send(&self, line: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        send(&self.address, line, headers, body)
    }

    fn get(&self, path: &str) -> Value {
        let authorization = format!("Authorization: Bearer {}\r\n", self.key);
        let (status, body) = self.send(&format!("GET {path}"), &authorization, "").expect("an answer");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    fn kill(mut self) {
        self.kill_now();
    }

    fn kill_now(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Ends the server gracefully: all of it has ended by itself.
    pub fn stop(self) {
        let log = self.log.clone();
        self.stop_or_cut();
        let told = std::fs::read_to_string(log).unwrap_or_default();
        assert!(!told.contains("not all has ended in time"), "{told}");
    }

    /// Ends a server that something keeps from ending, such as a database that does not answer.
    pub fn stop_or_cut(mut self) {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(killed.success());
        assert!(self.child.wait().expect("ended").success());
    }
}

/// Kills the server of a test that failed.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Looks again until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < WAIT, "{what}: not within {WAIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Pays a checkout of a local Stripe with its test card.
pub fn pay(checkout_url: &str) {
    let (address, path) = checkout_url.trim_start_matches("http://").split_once('/').expect("a path");
    let form = "email=ada%40example.com&number=4242+4242+4242+4242&expiry=12+%2F+40&cvc=123&name=Ada";
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    assert_eq!(send(address, &format!("POST /{path}"), headers, form).expect("an answer").0, 303);
}

/// Sends a request and returns the status and the body.
pub fn send(address: &str, line: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    send_with_host(address, line, &format!("Host: x\r\n{headers}"), body)
}

/// Sends a request whose headers contain the host.
pub fn send_with_host(address: &str, line: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let (head, body) = exchange(address, line, headers, body)?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body))
}

/// Sends a request whose headers contain the host. Returns the head, in lower case, and the body of its answer; none if the
/// server ends before it has answered.
fn exchange(address: &str, line: &str, headers: &str, body: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(WAIT)).ok()?;
    let length = body.len();
    let request = format!("{line} HTTP/1.1\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_ascii_lowercase(), body.to_owned()))
}

/// One in this number of customers orders an instance. The calls of its providers take longer than all other work.
const ORDERS_EVERY: usize = 4;

/// Ids of events, and ids of instances.
type Ids = (BTreeSet<String>, BTreeSet<String>);

/// Customers who buy a plan, each once; some also order an instance.
#[derive(Default)]
struct Customers {
    next: AtomicUsize,
    acknowledged: Mutex<Ids>,
    /// What was answered with 503.
    refused: Mutex<Ids>,
    /// True to stop.
    is_over: AtomicBool,
}

impl Customers {
    /// Returns the event of the customer's subscription.
    fn subscribed(number: usize) -> Value {
        let mut event = subscription(&format!("evt_{number}"));
        let object = &mut event["data"]["object"];
        object["id"] = json!(format!("sub_{number}"));
        object["customer"] = json!(format!("cus_{number}"));
        object["metadata"]["user_id"] = json!(format!("u{number}"));
        object["items"]["data"][0]["id"] = json!(format!("si_{number}"));
        event
    }

    /// Plays customers until the server no longer answers, or until it is over.
    fn play(&self, address: &str, key: &str) {
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let body = Customers::subscribed(number).to_string();
            let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), body.as_bytes()));
            let Some((status, answer)) = send(address, "POST /api/webhooks/stripe", &signature, &body) else { return };
            assert!(status == 200 || status == 503, "{status} {answer}");
            if status == 503 {
                self.refused.lock().expect("no panic").0.insert(format!("evt_{number}"));
                continue;
            }
            self.acknowledged.lock().expect("no panic").0.insert(format!("evt_{number}"));
            if !number.is_multiple_of(ORDERS_EVERY) {
                continue;
            }
            let line = format!("POST /api/commands/instance.create?account=user:u{number}");
            let order = json!({"name": "App", "metadata": {"subdomain": format!("app{number}")}}).to_string();
            let mut attempt = 0;
            let (status, answer) = loop {
                let headers = format!("Authorization: Bearer {key}\r\nIdempotency-Key: order-{number}-{attempt}\r\n");
                let Some(answered) = send(address, &line, &headers, &order) else { return };
                // Beside other hosts, an acknowledged subscription may be decided a little later.
                if answered.0 != 402 || attempt == PATIENCE {
                    break answered;
                }
                attempt += 1;
                thread::sleep(Duration::from_millis(100));
            };
            assert!([200, 503].contains(&status), "{status} {answer}");
            let ended = if status == 200 { &self.acknowledged } else { &self.refused };
            ended.lock().expect("no panic").1.insert(format!("inst_app{number}"));
        }
    }
}

// covers: SOL-25
#[test]
fn what_a_server_has_acknowledged_survives_kills_and_no_resource_is_made_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let customers = Customers::default();
    for kill in 0..count("KILLS", 20) {
        let server = Running::start(&data);
        let (address, key, is_killed) = (server.address.clone(), server.key.clone(), AtomicBool::new(false));
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| customers.play(&address, &key))).collect();
            // Between a few requests and some dozens; the moments differ from run to run.
            thread::sleep(Duration::from_millis(20 + (kill as u64 * 37) % 150));
            server.kill();
            is_killed.store(true, Ordering::Relaxed);
            clients.into_iter().for_each(|client| client.join().expect("no panic"));
        });
    }
    let server = Running::start(&data);
    wait_until_quiet(&server);
    server.stop();
    let acknowledged = customers.acknowledged.into_inner().expect("no panic");
    assert!(acknowledged.0.len() > 20, "{} events", acknowledged.0.len());
    assert_nothing_is_lost(&data, &acknowledged);
}

/// Fails if a stopped server has not stored what it has acknowledged, or if its provider has other resources than it recorded.
fn assert_nothing_is_lost(data: &Path, (events, instances): &Ids) {
    let store = SqliteStore::open(data.join("store.db")).expect("the store");
    let partition = Partition { business: "solobase".to_owned(), livemode: false };
    for id in events {
        assert!(store.event(&partition, "stripe", id).expect("read").is_some(), "{id} was acknowledged and is lost");
    }
    for id in instances {
        let number = id.trim_start_matches("inst_app");
        let scope = partition.scope(extension_contract::Account::User(format!("u{number}")));
        let product = host_engine::read::product(&store, &scope, id).expect("read").expect("an acknowledged instance");
        let metadata: Value = serde_json::from_str(&product.values.metadata).expect("JSON");
        assert_eq!(metadata["status"], "running", "{id}");
    }
    drop(store);
    let path = |path: PathBuf| path.display().to_string();
    let (store, world) = (path(data.join("store.db")), path(data.join("providers")));
    let drift = ["drift", "--providers", "local", "--world", &world, "--store", &store];
    let ran = run_with(&drift, b"", &environment());
    assert!(ran.code == 0 && ran.stdout.contains(" 0 differences"), "{}{}", ran.stdout, ran.stderr);
}

/// Waits until every effect that no timer waits for has ended. Fails if nothing moves for 60 s.
fn wait_until_quiet(server: &Running) {
    wait_until_quiet_within(server, Duration::from_secs(60));
}

/// Like [`wait_until_quiet`], with another time in which something must move.
fn wait_until_quiet_within(server: &Running, patience: Duration) {
    let (mut before, mut since) = (Vec::new(), Instant::now());
    loop {
        let open = open_effects(server);
        if open.is_empty() {
            return;
        }
        if open != before {
            (before, since) = (open, Instant::now());
        }
        assert!(since.elapsed() < patience, "nothing moves; an open effect: {}", before[0]);
        thread::sleep(Duration::from_millis(200));
    }
}

/// Returns the open effects of all pages, without timers.
fn open_effects(server: &Running) -> Vec<Value> {
    let is_awaited =
        |effect: &Value| !["timer.at", "probe.watch"].contains(&effect["kind"].as_str().unwrap_or_default());
    let (mut open, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = server.get(&format!("/api/operator/effects?limit=500&after={after}"));
        open.extend(page["effects"].as_array().expect("a list").iter().filter(|effect| is_awaited(effect)).cloned());
        after = page["next"].clone();
    }
    open
}

/// Returns the value of a metric's line that begins with a text; none if there is no such line.
fn metric(server: &Running, start: &str) -> Option<String> {
    let authorization = format!("Authorization: Bearer {}\r\n", server.key);
    let (_, text) = server.send("GET /metrics", &authorization, "").expect("an answer");
    text.lines().find_map(|line| Some(line.strip_prefix(start)?.trim().to_owned()))
}

/// Delivers a subscription to the server.
fn buy(server: &Running) {
    let event = subscription("evt_1").to_string();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs() as i64;
    let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now, event.as_bytes()));
    assert_eq!(server.send("POST /api/webhooks/stripe", &signature, &event).expect("an answer").0, 200);
}

/// Makes an instance whose name is a canary.
fn make_instance(server: &Running) {
    let authorization = format!("Authorization: Bearer {}\r\n", server.key);
    let order = json!({"name": "App", "metadata": {"subdomain": "canary7f3a"}}).to_string();
    let line = "POST /api/commands/instance.create?account=user:u1";
    assert_eq!(server.send(line, &authorization, &order).expect("an answer").0, 200);
}

#[test]
fn a_resource_that_has_gone_is_counted_and_logged_by_kind() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::start_with(&data, &["--drift-every", "200ms"]);
    buy(&server);
    make_instance(&server);
    wait_until_quiet(&server);
    let lost = "provisioner_drift{business=\"solobase\",mode=\"test\",kind=\"lost\"}";
    let until = |value: &str| {
        let since = Instant::now();
        while metric(&server, lost).as_deref() != Some(value) {
            assert!(since.elapsed() < Duration::from_secs(60), "{lost} is {:?}", metric(&server, lost));
            thread::sleep(Duration::from_millis(50));
        }
    };
    until("0");
    let resources = std::fs::read_dir(data.join("providers/local/resources")).expect("the resources");
    for entry in resources {
        std::fs::remove_dir_all(entry.expect("an entry").path()).expect("removed");
    }
    until("3");
    server.stop();
    let log = std::fs::read_to_string(log_of(&data)).expect("a log");
    for resource in ["database", "bucket", "function"] {
        assert!(log.contains(&format!("resource=\"{resource}\"")), "{resource}: {log}");
    }
    assert!(!log.contains("canary7f3a") && !log.contains("user:u1"), "no word of a customer: {log}");
}

// covers: Q-38
#[test]
fn the_databases_of_a_business_are_backed_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::start_with(&data, &["--backups-every", "200ms"]);
    buy(&server);
    make_instance(&server);
    let since = Instant::now();
    let backups = loop {
        let answer = server.get("/api/operator/backups");
        if answer["backups"][0]["backup_id"].is_string() {
            break answer;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "{answer}");
        thread::sleep(Duration::from_millis(50));
    };
    let (entry, count) = (&backups["backups"][0], &backups["total_count"]);
    assert_eq!([count, &entry["every_hours"], &entry["keep_days"]], [&json!(1), &json!(24), &json!(7)], "{backups}");
    assert_eq!(
        [&entry["account"], &entry["late"], &entry["problem"]],
        [&json!("user:u1"), &json!(false), &Value::Null]
    );
    assert_eq!(server.get("/api/operator/backups?late=true")["backups"], json!([]));
    let copy = format!("providers/local/backups/{}.sqlite", entry["backup_id"].as_str().expect("an id"));
    assert!(data.join(copy).exists());
    let site = "business=\"solobase\",mode=\"test\"";
    assert_eq!(metric(&server, &format!("provisioner_backups_total{{{site},result=\"done\"}}")).as_deref(), Some("1"));
    assert_eq!(metric(&server, &format!("provisioner_late_backups{{{site}}}")).as_deref(), Some("0"));
    server.stop();
}

#[test]
fn no_secret_and_nothing_of_a_customer_comes_into_the_log_or_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::start_with(&data, &["--log-level", "debug", "--log-format", "json"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs() as i64;
    let (_, operator_secret) = server.key.rsplit_once('_').expect("a key");
    let mut canaries = vec![SECRET.to_owned(), SECRETS_KEY.1.to_owned(), operator_secret.to_owned()];
    // Each canary is in another part of a request.
    let mut canary = |part: &str| {
        let text = format!("canary-{part}-7f3a");
        canaries.push(text.clone());
        text
    };
    let authorized = format!("Authorization: Bearer {}\r\n", server.key);
    let send = |line: &str, headers: &str, body: &str| server.send(line, headers, body).expect("an answer").0;
    let signed = |body: &str| format!("Stripe-Signature: {}\r\n", sign(SECRET, now, body.as_bytes()));

    let mut event = subscription("evt_1");
    event["data"]["object"]["metadata"] = json!({"user_id": canary("user"), "note": canary("metadata")});
    event["data"]["object"]["id"] = json!(canary("subscription"));
    event["data"]["object"]["customer"] = json!(canary("customer"));
    let event = event.to_string();
    assert_eq!(send("POST /api/webhooks/stripe", &signed(&event), &event), 200);
    let no_object = format!("[\"{}\"]", canary("quarantined"));
    assert_eq!(send("POST /api/webhooks/stripe", &signed(&no_object), &no_object), 400);
    let forged = format!("Stripe-Signature: t={now},v1={}\r\n", canary("signature"));
    assert_eq!(send("POST /api/webhooks/stripe", &forged, &canary("forged")), 400);
    let user = canary("account");
    let register = json!({"email": format!("{}@example.com", canary("email")), "name": canary("name")}).to_string();
    let idempotent = format!("{authorized}Idempotency-Key: {}\r\n", canary("idempotency"));
    assert_eq!(send(&format!("POST /api/commands/account.register?account=user:{user}"), &idempotent, &register), 200);
    let cookie = format!("{authorized}Cookie: session={}\r\nUser-Agent: {}\r\n", canary("cookie"), canary("agent"));
    let line = format!("GET /api/queries/list?account=user:{user}&kind={}", canary("kind"));
    assert!(send(&line, &cookie, "") >= 400);
    assert_eq!(send(&format!("GET /api/entitlements?{}=1", canary("member")), &authorized, ""), 400);
    assert_eq!(send(&format!("GET /{}", canary("path")), &authorized, ""), 404);
    assert_eq!(send(&format!("POST /api/commands/{}", canary("command")), &authorized, "{}"), 404);
    assert_eq!(send("POST /api/events", &authorized, &format!("{{{}", canary("broken"))), 400);
    let guessed = format!("Authorization: Bearer key_000000000000_{}\r\n", canary("key"));
    assert_eq!(send("GET /api/operator/accounts", &guessed, ""), 401);

    let (status, metrics) = server.send("GET /metrics", &authorized, "").expect("an answer");
    assert_eq!(status, 200);
    server.stop();
    let log = std::fs::read_to_string(log_of(&data)).expect("a log");
    let answered = log.lines().filter(|line| line.contains("answered") && line.contains("\"id\"")).count();
    assert!(answered >= 10, "each request has a line with its id: {log}");
    assert!(canaries.len() >= 20, "{}", canaries.len());
    for canary in &canaries {
        assert!(!log.contains(canary), "{canary} is in the log: {log}");
        assert!(!metrics.contains(canary), "{canary} is in the metrics: {metrics}");
    }
}
