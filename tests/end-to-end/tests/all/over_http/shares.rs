//! What one caller does costs others nothing: requests in progress, connections and stored bytes have limits for each caller and address.

use super::raw::{Answer, Connection};
use super::server::TestServer;
use super::webhooks::event;
use extension_contract::Payload;
use host_api::ConnectionLimits;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery";
const LOG_IN: &str = "POST /api/auth/login";
/// Time in which a server notices the end of a connection, at the very most.
const PATIENCE: Duration = Duration::from_secs(30);

/// Begins a request. The server asks for the body as soon as it has begun to answer.
fn begin(api: &TestServer, line: &str, headers: &[(&str, &str)]) -> (Connection, Answer) {
    let mut connection = Connection::open(api.address());
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("Host: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n{headers}");
    connection.write(format!("{line} HTTP/1.1\r\n{head}\r\n").as_bytes());
    let answer = connection.answer().expect("an answer");
    (connection, answer)
}

#[test]
fn a_caller_whose_requests_are_in_progress_waits_and_nobody_else_does() {
    let api =
        TestServer::of("solobase").limits(|limits| (limits.user_at_once, limits.program_at_once) = (3, 2)).start();
    let [ada, another, bob, root] =
        [api.user("ada"), api.user("ada"), api.user("bob"), api.operator()].map(|key| format!("Bearer {key}"));
    let command = |key: &str| begin(&api, "POST /api/commands/mail.subscribe", &[("Authorization", key)]);
    let mut open = [command(&ada), command(&another), command(&ada)];
    assert!(open.iter().all(|(_, answer)| answer.status == 100), "{open:?}");
    for key in [&ada, &another] {
        let (_, refused) = command(key);
        assert_eq!((refused.status, refused.code()), (429, "too-many-at-once"), "the keys of an account");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    let read = |key: &str, account: &str| {
        api.request(&format!("GET /api/entitlements{account}"), &[("Authorization", key)], b"").status
    };
    assert_eq!((read(&ada, ""), read(&bob, ""), read(&root, "?account=user:ada")), (429, 200, 200));
    api.stripe("{stripe: customer.created, id: evt_1, set: {id: cus_1}}");
    let [(first, _), ..] = &mut open;
    first.write(b"{}");
    assert_ne!(first.answer().expect("an answer").status, 429);
    assert_eq!(read(&ada, ""), 200, "one of them has ended");
}

#[test]
fn an_address_has_a_number_of_requests_in_progress_before_anybody_is_known() {
    let api = TestServer::of("solobase").limits(|limits| limits.address_at_once = 2).start();
    let log_in = |address: &str| begin(&api, LOG_IN, &[("X-Forwarded-For", address)]);
    let open = [log_in("192.0.2.1"), log_in("192.0.2.1")];
    assert!(open.iter().all(|(_, answer)| answer.status == 100), "{open:?}");
    let (_, refused) = log_in("192.0.2.1");
    assert_eq!((refused.status, refused.code()), (429, "too-many-at-once"));
    assert_eq!(log_in("192.0.2.2").1.status, 100);
}

#[test]
fn a_further_connection_of_an_address_is_closed() {
    let connections = ConnectionLimits { of_address: 2, ..ConnectionLimits::default() };
    let server = TestServer::of("solobase").with(|it| (it.connections, it.has_no_proxy) = (connections, true)).start();
    let health = |connection: &mut Connection| {
        connection.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
        connection.answer().map(|answer| answer.status)
    };
    let mut open = [Connection::open(server.address()), Connection::open(server.address())];
    assert_eq!(open.each_mut().map(health), [Some(200), Some(200)]);
    assert_eq!(health(&mut Connection::open(server.address())), None, "the newest one is closed");
    assert_eq!(open.each_mut().map(health), [Some(200), Some(200)], "the others go on");
    drop(open);
    let begun = Instant::now();
    while health(&mut Connection::open(server.address())).is_none() {
        assert!(begun.elapsed() < PATIENCE, "connections that have ended count no more");
    }
}

#[test]
fn the_connections_of_a_proxy_count_for_nobody() {
    let connections = ConnectionLimits { of_address: 1, ..ConnectionLimits::default() };
    let server = TestServer::of("solobase").with(|it| it.connections = connections).start();
    let body = event("evt_1");
    let mut open = [(); 4].map(|()| Connection::open(server.address()));
    let status = |connection: &mut Connection| connection.request("GET /health", &[], &body).status;
    assert_eq!(open.each_mut().map(status), [200; 4]);
}

/// Registers a user at an address; returns the token.
fn register(api: &TestServer, name: &str, address: &str) -> (u16, String) {
    let body = json!({"email": format!("{name}@example.com"), "password": PASSWORD}).to_string();
    let headers = [("X-Forwarded-For", address)];
    let answer = api.request("POST /api/auth/register", &headers, body.as_bytes());
    let answered: Value = answer.json;
    (answer.status, answered["token"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn users_without_a_proof_do_not_multiply_what_one_address_may_store() {
    let api = TestServer::start("solobase");
    let payload = json!({"name": "App", "metadata": {"x": "x".repeat(250 * 1024)}}).to_string();
    let send = |token: &str, address: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("X-Forwarded-For", address), ("Authorization", authorization.as_str())];
        api.request("POST /api/commands/instance.create", &headers, payload.as_bytes()).status
    };
    let stored = |name: &str, address: &str| {
        let (status, token) = register(&api, name, address);
        assert_eq!(status, 201);
        (0..20).take_while(|_| send(&token, address) != 429).count()
    };
    let of_each: Vec<usize> = (0..8).map(|at| stored(&format!("eve{at}"), "192.0.2.1")).collect();
    assert_eq!(of_each[0], 4, "1 MiB of one user: {of_each:?}");
    let of_all: usize = of_each.iter().sum();
    assert!((14..=16).contains(&of_all), "4 MiB of all: {of_each:?}");
    assert_eq!(of_each[7], 0, "{of_each:?}");
    assert_eq!(stored("ada", "192.0.2.2"), 4);
}

#[test]
fn an_address_registers_some_users_a_day() {
    let api = TestServer::of("solobase").limits(|limits| limits.registrations = 2).start();
    assert_eq!(register(&api, "ada", "192.0.2.1").0, 201);
    assert_eq!(register(&api, "ada", "192.0.2.1").0, 409, "the address of a user: nobody is registered");
    assert_eq!(register(&api, "bob", "192.0.2.1").0, 201);
    assert_eq!(register(&api, "eve", "192.0.2.1").0, 429);
    assert_eq!(register(&api, "eve", "192.0.2.2").0, 201);
}

#[test]
fn a_payload_is_stored_without_blanks_between_its_tokens() {
    let api = TestServer::start("solobase");
    let ada = format!("Bearer {}", api.user("ada"));
    let send = |payload: &str| {
        let headers = [("Authorization", ada.as_str()), ("Idempotency-Key", "same")];
        api.request("POST /api/commands/instance.create", &headers, payload.as_bytes())
    };
    let blanks = " ".repeat(100 * 1024);
    let first = send(&format!("{{{blanks}\"name\" :\n \"My  App\"{blanks}}}"));
    assert_ne!(first.status, 413, "{first:?}");
    let again = send(r#"{"name":"My  App"}"#);
    assert_eq!((first.status, &first.body), (again.status, &again.body), "it is the same command");
    let payloads = api.with_host(|host| {
        let rows = host.processor().inbox_after(0, 1_000).expect("read").into_iter();
        let texts = rows.filter(|row| row.event.kind == "instance.create").map(|row| match &row.event.payload {
            Payload::Command(text) => text.clone(),
            other => panic!("no command: {other:?}"),
        });
        texts.collect::<Vec<_>>()
    });
    assert_eq!(payloads, [r#"{"name":"My  App"}"#]);
}
