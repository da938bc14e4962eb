//! Two servers on one PostgreSQL database serve as one: keys, users, secrets and webhook endpoints are those of both, and what one
//! decides the other tells its callers.

use super::outgoing::{begin_purchase, receive};
use super::{Running, SECRET, WAIT, args, environment, now_s, send};
use crate::run::run_with;
use counterparts::Postgres;
use host_intake::testing::sign;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// A database, and two servers with data folders of their own.
struct Hosts {
    folder: tempfile::TempDir,
    database: String,
    servers: Vec<Running>,
    _postgres: Postgres,
}

impl Hosts {
    fn start(more: &[&str]) -> Hosts {
        let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
        let database = postgres.database("hosts");
        let mut hosts = Hosts { folder, database, servers: Vec::new(), _postgres: postgres };
        for number in 0..2 {
            let data = hosts.data(number);
            if number == 1 && hosts.data(0).join("vault.key").exists() {
                // In local mode each server makes a key of the secrets; those of one database have one key.
                std::fs::create_dir(&data).expect("a folder");
                std::fs::copy(hosts.data(0).join("vault.key"), data.join("vault.key")).expect("copied");
            }
            let all = args("solobase", &data, &[&["--postgres"], more].concat());
            let variables = [environment().as_slice(), &[("DATABASE_URL", hosts.database.as_str())]].concat();
            let mut server = Running::start_args(&all, &variables, &data.with_extension("log"));
            server.key = super::operator_key(&data, "solobase", Some(&hosts.database));
            hosts.servers.push(server);
        }
        hosts
    }

    fn data(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("host{number}"))
    }

    /// Runs a command of an operator on the machine of the second server, and returns its output.
    fn run(&self, words: &[&str], input: &str) -> String {
        let data = self.data(1).display().to_string();
        let words = [words, &["--postgres", "--data", &data]].concat();
        let ran = run_with(&words, input.as_bytes(), &[("DATABASE_URL", &self.database)]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.trim().to_owned()
    }

    /// Returns the status of a request with a token at each server.
    fn statuses(&self, line: &str, token: &str) -> [u16; 2] {
        let authorization = format!("Authorization: Bearer {token}\r\n");
        [0, 1].map(|number| self.servers[number].send(line, &authorization, "").expect("an answer").0)
    }
}

// covers: PLG-79, SOL-42
#[test]
fn keys_and_users_of_one_server_are_those_of_the_other() {
    let hosts = Hosts::start(&["--providers", "local", "--simulate"]);
    let [first, second] = [&hosts.servers[0], &hosts.servers[1]];
    let accounts = "GET /api/operator/accounts";
    assert_eq!(hosts.statuses(accounts, &first.key), [200, 200], "the operator's key of one server");

    let key = hosts.run(&["keys", "make", "solobase", "--subject", "backend", "--kind", "admin"], "");
    assert_eq!(hosts.statuses(accounts, &key), [200, 200]);
    let id = key.split('_').nth(1).expect("an id");
    hosts.run(&["keys", "revoke", id], "");
    assert_eq!(hosts.statuses(accounts, &key), [401, 401], "a revoked key stops working at both at once");

    let body = json!({"email": "ada@example.com", "password": "correct horse battery"}).to_string();
    let (_, registered) = first.send("POST /api/auth/register", "", &body).expect("an answer");
    let registered: Value = serde_json::from_str(&registered).expect("JSON");
    let token = registered["token"].as_str().unwrap_or_else(|| panic!("{registered}"));
    assert_eq!(hosts.statuses("GET /api/auth/me", token), [200, 200], "a session goes on at either server");
    let logged_in = second.send("POST /api/auth/login", "", &body).expect("an answer");
    assert_eq!(logged_in.0, 200, "{}", logged_in.1);
    let out = format!("Authorization: Bearer {token}\r\n");
    assert!(second.send("POST /api/auth/logout", &out, "").expect("an answer").0 < 300);
    assert_eq!(hosts.statuses("GET /api/auth/me", token), [401, 401], "and ends at both");

    let add = ["users", "add", "--email", "root@example.com", "--admin", "--business", "solobase"];
    hosts.run(&add, "correct horse battery\n");
    let body = json!({"email": "root@example.com", "password": "correct horse battery"}).to_string();
    let (status, answer) = first.send("POST /api/auth/login", "", &body).expect("an answer");
    assert_eq!((status, answer.contains("\"is_operator\":true")), (200, true), "{answer}");

    let folder = hosts.data(0).display().to_string();
    let told = run_with(&["keys", "list", "--data", &folder], b"", &[]);
    assert!(
        told.code != 0 && told.stderr.contains("use --postgres"),
        "no command reads files that nobody uses: {told:?}"
    );
    hosts.servers.into_iter().for_each(Running::stop);
}

#[test]
fn what_one_server_decides_is_seen_at_once_by_those_who_watch_the_other() {
    let hosts = Hosts::start(&["--providers", "local", "--simulate"]);
    let mut stream = TcpStream::connect(&hosts.servers[1].address).expect("connected");
    stream.set_read_timeout(Some(WAIT)).expect("a timeout");
    let request = format!(
        "GET /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        hosts.servers[1].address, hosts.servers[1].key
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut lines = BufReader::new(stream).lines().map(|line| line.expect("a line"));
    assert!(lines.next().is_some_and(|line| line.contains("200")));
    assert!(lines.any(|line| line.is_empty()), "the end of the head");
    let body = super::Customers::subscribed(7).to_string();
    let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), body.as_bytes()));
    let told = send(&hosts.servers[0].address, "POST /api/webhooks/stripe", &signature, &body).expect("an answer");
    assert_eq!(told.0, 200, "{}", told.1);
    assert!(lines.any(|line| line.starts_with("data: ") && line.contains("evt_7")), "the event of the other server");
    drop(lines);
    hosts.servers.into_iter().for_each(Running::stop);
}

#[test]
fn an_endpoint_is_told_once_of_what_any_server_decides_also_after_the_server_that_told_it_is_gone() {
    let mut hosts = Hosts::start(&["--local"]);
    let (url, messages) = receive();
    let made = hosts.servers[1].post("/api/endpoints", &json!({"url": url, "types": ["purchase.created"]}), 201);
    assert!(made["secret"].is_string(), "{made}");
    let next = || -> String {
        let message = messages.recv_timeout(WAIT).expect("a message");
        let body: Value = serde_json::from_str(&message.body).expect("JSON");
        body["account"].as_str().expect("an account").to_owned()
    };
    let mut told = BTreeSet::new();
    for number in 0..8 {
        let account = format!("user:w{number}");
        // The effect that makes the checkout may run on either server; its reply reaches the caller.
        let bought = begin_purchase(&hosts.servers[number % 2], &account);
        assert!(bought["checkout_url"].is_string(), "{bought}");
        told.insert(next());
    }
    let all: BTreeSet<String> = (0..8).map(|number| format!("user:w{number}")).collect();
    assert_eq!(told, all, "each is told once");
    // A message whose delivery is not noted yet would be sent again.
    let log = format!("/api/endpoints/{}/deliveries?state=delivered", made["id"].as_str().expect("an id"));
    let is_noted = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        hosts.servers[1].get(&log)["deliveries"].as_array().is_some_and(|rows| rows.len() == 8)
    });
    assert!(is_noted, "{}", hosts.servers[1].get(&log));
    // The first server has told them. The other one goes on, with the secret that both know.
    hosts.servers.remove(0).kill();
    for number in 8..10 {
        let account = format!("user:w{number}");
        begin_purchase(&hosts.servers[0], &account);
        assert_eq!(next(), account);
    }
    assert!(messages.recv_timeout(Duration::from_millis(300)).is_err(), "nothing is told twice");
    hosts.servers.into_iter().for_each(Running::stop);
}

#[test]
fn a_server_moves_into_a_database_and_back_with_everything_that_it_keeps() {
    let (folder, postgres) = (tempfile::tempdir().expect("a folder"), Postgres::start());
    let database = postgres.database("hosts");
    let data = folder.path().join("data");
    let store = format!("sqlite:{}", data.join("store.db").display());
    let start = |more: &[&str]| {
        let all = args("solobase", &data, &[&["--providers", "local", "--simulate"], more].concat());
        let variables = [environment().as_slice(), &[("DATABASE_URL", database.as_str())]].concat();
        Running::start_args(&all, &variables, &folder.path().join("log"))
    };
    let migrate = |from: &str, to: &str| run_with(&["migrate", "--from", from, "--to", to], b"", &[]);

    let mut server = start(&[]);
    server.key = super::operator_key(&data, "solobase", None);
    let key = server.key.clone();
    let body = json!({"email": "ada@example.com", "password": "correct horse battery"}).to_string();
    let (_, registered) = server.send("POST /api/auth/register", "", &body).expect("an answer");
    let registered: Value = serde_json::from_str(&registered).expect("JSON");
    let token = registered["token"].as_str().unwrap_or_else(|| panic!("{registered}")).to_owned();
    let endpoint = json!({"url": "https://hooks.example.com/", "types": ["instance.deleted"]});
    server.post("/api/endpoints", &endpoint, 201);
    super::buy(&server);
    super::make_instance(&server);
    super::wait_until_quiet(&server);
    let shown = |server: &mut Running| {
        // The operator's key goes on, too.
        server.key.clone_from(&key);
        let authorization = format!("Authorization: Bearer {token}\r\n");
        let (status, me) = server.send("GET /api/auth/me", &authorization, "").expect("an answer");
        assert_eq!(status, 200, "the session goes on: {me}");
        [server.get("/api/endpoints"), server.get("/api/operator/accounts"), server.get("/api/operator/drift")]
    };
    let before = shown(&mut server);
    server.stop();

    let refused = run_with(
        &["keys", "list", "--postgres", "--data", &data.display().to_string()],
        b"",
        &[("DATABASE_URL", &database)],
    );
    assert!(refused.code != 0 && refused.stderr.contains("provisioner migrate"), "not copied yet: {refused:?}");
    let moved = migrate(&store, &database);
    assert_eq!(moved.code, 0, "{moved:?}");
    std::fs::rename(data.join("store.db"), folder.path().join("old.db")).expect("set aside");
    let again = migrate(&format!("sqlite:{}", folder.path().join("old.db").display()), &database);
    assert_eq!(again.code, 1, "the store must be empty: {again:?}");
    let mut server = start(&["--postgres"]);
    assert_eq!(shown(&mut server), before, "in the database");
    // `verify` reads the database of a running server.
    let live = ["verify", "--native", "--store", "env:DATABASE_URL", "--live"];
    let live = run_with(&live, b"", &[("DATABASE_URL", &database)]);
    let told = live.stderr.contains("postgres hosts at") && live.stderr.contains("no accounts in live mode");
    assert!(live.code == 2 && told, "{live:?}");
    server.stop();

    for file in ["keys.db", "users.db", "webhooks-test.db", "providers/secrets.db"] {
        std::fs::remove_file(data.join(file)).expect("the file of before");
    }
    let back = migrate(&database, &store);
    assert_eq!(back.code, 0, "{back:?}");
    let mut server = start(&[]);
    assert_eq!(shown(&mut server), before, "back in files");
    server.stop();
}
