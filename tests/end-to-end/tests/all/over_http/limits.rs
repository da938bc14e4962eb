//! What a request costs is bounded by its size: fields, errors, lists, logins, stored bytes and unread answers.

use super::pages::follow;
use super::raw::{Answer, Connection};
use super::server::{NOTHING, TestServer};
use host_api::{ConnectionLimits, Rate};
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";
const FORM: [(&str, &str); 2] =
    [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/x-www-form-urlencoded")];
/// Errors that an answer lists.
const ERRORS_MAX: usize = 20;

/// Returns a form or a query with so many fields.
fn fields(count: usize) -> String {
    (0..count).map(|at| format!("x{at}=1")).collect::<Vec<_>>().join("&")
}

/// Returns an object with so many members that nobody knows.
fn members(count: usize) -> Value {
    (0..count).map(|at| (format!("x{at}"), json!(at))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn a_form_with_too_many_fields_is_refused_before_anything_else() {
    let api = TestServer::start("solobase");
    let send = |form: &str| api.request("POST /do/log_in", &FORM, form.as_bytes());
    let most = send(&fields(200));
    assert_eq!(most.status, 303, "{most:?}");
    let page = api.request("GET /login", &[], b"").body.len();
    for form in [fields(201), fields(5_000), "&a".repeat(30_000)] {
        let refused = send(&form);
        assert_eq!(refused.status, 413, "{} bytes", form.len());
        assert!(refused.body.len() <= page, "{} and {page} bytes", refused.body.len());
    }
    let query = |count: usize| {
        let line = format!("GET /pricing?{}", fields(count));
        api.request(&line, &[], b"").status
    };
    assert_eq!((query(100), query(101), query(2_000)), (200, 414, 414));
}

/// Makes a body with so many mistakes.
type Body<'b> = &'b dyn Fn(usize) -> Value;

/// Whatever is wrong with a request, its answer is not much longer: twice as many mistakes have the same answer but for their number.
#[test]
fn an_answer_lists_the_first_mistakes_of_a_request() {
    let api = TestServer::start("saas-plugins");
    let (ada, root) = (api.user("ada"), api.operator());
    let endpoint = api.ok("POST /api/endpoints", &ada, &json!({"url": "https://hooks.example/in"}));
    let endpoint = format!("PATCH /api/endpoints/{}", endpoint["id"].as_str().expect("an id"));
    let types = |count: usize| json!({"types": vec!["no.such.type"; count]});
    let product = |count: usize| json!({"name": "Mine", "metadata": members(count)});
    let kinds: [(&str, &str, Body<'_>, usize); 7] = [
        ("POST /api/auth/login", "", &members, 300),
        ("POST /api/auth/reset", "", &members, 300),
        (&endpoint, &ada, &members, 500),
        (&endpoint, &ada, &types, 450),
        ("POST /api/stripe/checkout", &ada, &members, 5_000),
        ("POST /api/commands/product.create", &ada, &product, 5_000),
        ("POST /api/products", &root, &product, 5_000),
    ];
    for (line, key, body, most) in kinds {
        let [once, twice] = [most / 2, most].map(|count| {
            let (body, authorization) = (body(count).to_string(), format!("Bearer {key}"));
            let headers: Vec<_> =
                [("Authorization", authorization.as_str())].into_iter().filter(|_| !key.is_empty()).collect();
            let answer = api.request(line, &headers, body.as_bytes());
            assert!((400..500).contains(&answer.status), "{line}: {answer:?}");
            let listed: Value = answer.json;
            let listed = listed["errors"].as_array().map_or(0, Vec::len);
            assert!(listed <= ERRORS_MAX, "{line}: {listed} errors");
            answer.body.len()
        });
        assert!(twice <= once + 64, "{line}: {once} and {twice} bytes");
        assert!(twice <= 16 * 1024, "{line}: {twice} bytes");
    }
    let told = api.send("POST /api/auth/login", "", &members(300));
    assert!(told.body.contains(", and 282 more"), "300 unknown members, and two that are missing: {}", told.body);
}

#[test]
fn bodies_have_the_limit_of_their_kind() {
    let api = TestServer::start("solobase");
    let ada = api.user("ada");
    let status = |line: &str, announced: usize, sent: usize| {
        let mut connection = Connection::open(api.address());
        let head = format!("Host: x\r\nAuthorization: Bearer {ada}\r\nContent-Length: {announced}");
        connection.write(format!("{line} HTTP/1.1\r\n{head}\r\n\r\n").as_bytes());
        connection.write(&vec![b' '; sent]);
        connection.answer().expect("an answer").status
    };
    for (line, most) in [
        ("POST /api/auth/login", 8 * 1024),
        ("POST /api/auth/reset", 8 * 1024),
        ("POST /api/endpoints", 16 * 1024),
        ("POST /api/commands/instance.create", 256 * 1024),
        ("POST /api/products", 256 * 1024),
    ] {
        assert_ne!(status(line, most, most), 413, "{line}");
        assert_eq!(status(line, most + 1, 0), 413, "{line}: it is refused before a byte of it arrives");
    }
}

#[test]
fn whatever_needs_no_key_counts_for_the_address_of_its_sender() {
    let slow = Rate { per_second: 1, burst: 3 };
    let served = TestServer::of("solobase").limits(|limits| limits.stranger = slow).start();
    let ada = format!("Bearer {}", served.user("ada"));
    let paths = [
        ("GET /", vec![]),
        ("GET /pricing", vec![("Cookie", "session-solobase=a.b.c")]),
        ("POST /do/log_in", FORM.to_vec()),
        ("POST /do/unknown", FORM.to_vec()),
        ("GET /nowhere", vec![("Accept", "text/html")]),
        ("GET /health", vec![]),
        ("GET /health", vec![("Authorization", "Bearer wrong")]),
        ("GET /openapi.json", vec![]),
        ("GET /docs/api", vec![]),
        ("GET /api/products", vec![]),
        ("GET /.well-known/jwks.json", vec![]),
    ];
    for (number, (line, headers)) in paths.into_iter().enumerate() {
        let address = format!("192.0.2.{number}");
        let ask = |more: &[(&str, &str)]| {
            let headers = [&[("X-Forwarded-For", address.as_str())], headers.as_slice(), more].concat();
            served.request(line, &headers, b"")
        };
        let answers: Vec<u16> = (0..3).map(|_| ask(&[]).status).collect();
        assert!(!answers.contains(&429), "{line}: {answers:?}");
        let refused = ask(&[]);
        assert_eq!((refused.status, refused.header("retry-after").is_some()), (429, true), "{line}: {refused:?}");
        if headers.iter().all(|(name, _)| *name != "Authorization") {
            assert_ne!(ask(&[("Authorization", &ada)]).status, 429, "{line} with a key");
        }
    }
}

#[test]
fn nobody_who_guesses_a_password_locks_a_person_out() {
    let api = TestServer::of("solobase").limits(|limits| limits.logins = 10).start();
    let address = |number: usize| format!("192.0.2.{number}");
    let log_in_as = |email: &str, password: &str, from: &str, cookie: &str| {
        let form = format!("_page=/login&email={email}&password={}", password.replace(' ', "+"));
        let headers = [FORM.as_slice(), &[("X-Forwarded-For", from), ("Cookie", cookie)]].concat();
        let sent = api.request("POST /do/log_in", &headers, form.as_bytes());
        match sent.head.contains("set-cookie: form-") {
            true => follow(&api, &sent, &headers).0,
            false => sent,
        }
    };
    let log_in = |password: &str, from: &str, cookie: &str| log_in_as("ada@example.com", password, from, cookie);
    let [known, of_bob] = ["ada@example.com", "bob@example.com"].map(|email| {
        let registered = api.send("POST /api/auth/register", "", &json!({"email": email, "password": PASSWORD}));
        assert_eq!(registered.status, 201);
        let first = log_in_as(email, PASSWORD, &address(1), "");
        let cookies = first.head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let known = cookies.filter_map(|set| set.split(';').next()).find(|pair| pair.starts_with("browser-solobase="));
        known.unwrap_or_else(|| panic!("no mark of the browser: {first:?}")).to_owned()
    });
    for attempt in 0..30 {
        let guessed = log_in("wrong horse battery", &address(10 + attempt), "");
        assert_eq!(guessed.status, if attempt < 10 { 401 } else { 429 }, "attempt {attempt}");
    }
    assert_eq!(log_in(PASSWORD, &address(1), "").status, 429, "a browser that nobody knows");
    assert_eq!(log_in(PASSWORD, &address(1), &format!("{known}x")).status, 429, "a mark that was changed");
    assert_eq!(log_in(PASSWORD, &address(1), &of_bob).status, 429, "a browser that is known for somebody else");
    for _ in 0..5 {
        assert_eq!(log_in(PASSWORD, &address(2), &known).status, 303, "the person's own browser");
    }
    let reset = with_forwarded(&api, "POST /api/auth/reset", &address(3), &json!({"email": "ada@example.com"}));
    assert_eq!(reset.status, 202, "a link for a new password has a limit of its own");
    assert_eq!(log_in("wrong horse battery", &address(4), &known).status, 401);
    let other = with_forwarded(
        &api,
        "POST /api/auth/login",
        &address(5),
        &json!({"email": "x".repeat(300) + "@example.com", "password": PASSWORD}),
    );
    assert_eq!(other.status, 401, "what cannot be an address is nobody's");
}

fn with_forwarded(api: &TestServer, line: &str, from: &str, body: &Value) -> Answer {
    let headers = [("X-Forwarded-For", from)];
    api.request(line, &headers, body.to_string().as_bytes())
}

#[test]
fn refused_commands_of_a_user_leave_little_behind() {
    let api = TestServer::start("solobase");
    let (ada, bob, root) = (api.user("ada"), api.user("bob"), api.operator());
    let send = |key: &str, kind: &str, body: &Value| {
        let account = if key == root { "?account=user:ada" } else { "" };
        api.send(&format!("POST /api/commands/{kind}{account}"), key, body).status
    };
    let count = |kind: &'static str| {
        api.with_host(move |host| {
            let rows = host.processor().inbox_after(0, 1_000).expect("read");
            rows.iter().filter(|row| row.event.kind == kind).count()
        })
    };
    let unknown = json!({"x": "x".repeat(250 * 1024)});
    for _ in 0..40 {
        assert_eq!(send(&ada, "mail.subscribe", &unknown), 422);
    }
    assert_eq!(count("mail.subscribe"), 0, "a member that the command never has is refused before the store");
    let too_much = json!({"name": "App", "metadata": {"x": "x".repeat(250 * 1024)}});
    let create = |key: &str| send(key, "instance.create", &too_much);
    let answers: Vec<u16> = (0..40).map(|_| create(&ada)).collect();
    let stored = answers.iter().take_while(|status| **status != 429).count();
    assert!((16..=18).contains(&stored), "{stored} commands of 250 KiB in 4 MiB: {answers:?}");
    assert!(answers[..stored].iter().all(|status| (400..500).contains(status)), "{answers:?}");
    assert!(answers[stored..].iter().all(|status| *status == 429), "{answers:?}");
    let others = [create(&bob), create(&root)];
    assert!(others.iter().all(|status| (400..500).contains(status) && *status != 429), "{others:?}");
    assert_eq!(count("instance.create"), stored + 2, "what is refused with 429 is not stored");
}

#[test]
fn messages_that_a_person_sends_to_endpoints_have_a_limit() {
    let api = TestServer::start("solobase");
    let (ada, bob) = (api.user("ada"), api.user("bob"));
    let make = |key: &str| {
        let made = api.ok("POST /api/endpoints", key, &json!({"url": "https://hooks.example/in"}));
        made["id"].as_str().expect("an id").to_owned()
    };
    let [first, second, other] = [make(&ada), make(&ada), make(&bob)];
    let test = |id: &str, key: &str| api.send(&format!("POST /api/endpoints/{id}/test"), key, &json!({})).status;
    let sent = (0..300).filter(|at| test(if at % 2 == 0 { &first } else { &second }, &ada) == 202).count();
    assert!((200..=201).contains(&sent), "{sent} messages of one account");
    assert_eq!(test(&first, &ada), 429);
    assert_eq!(api.send(&format!("POST /api/endpoints/{first}/resend"), &ada, &json!({})).status, 429);
    assert_eq!(test(&other, &bob), 202);
}

#[test]
fn a_request_names_one_host_and_no_answer_is_guessed_or_kept() {
    let served = TestServer::start("solobase");
    let status = |head: &str| {
        let mut connection = Connection::open(served.address());
        connection.write(format!("{head}\r\n\r\n").as_bytes());
        connection.answer().expect("an answer").status
    };
    for (head, expected) in [
        ("GET /health HTTP/1.1\r\nHost: shop.example", 200),
        ("GET http://shop.example/health HTTP/1.1\r\nHost: Shop.example", 200),
        ("GET /health HTTP/1.1\r\nHost: shop.example\r\nHost: evil.example", 400),
        ("GET /health HTTP/1.1\r\nHost: shop.example\r\nHost: shop.example", 400),
        ("GET http://evil.example/health HTTP/1.1\r\nHost: shop.example", 400),
    ] {
        assert_eq!(status(head), expected, "{head}");
    }
    for line in ["GET /health", "GET /api/entitlements", "GET /nowhere", "GET /openapi.json", "GET /pricing"] {
        let answer = served.request(line, &[], b"");
        assert_eq!(
            (answer.header("x-content-type-options"), answer.header("cache-control")),
            (Some("nosniff"), Some("no-store")),
            "{line}"
        );
    }
    let asset = served.request("GET /assets/app.css", &[], b"");
    assert_eq!((asset.status, asset.header("cache-control")), (200, Some("public, max-age=300")));
}

/// A client that sends requests and reads no answer is cut; until then its own writing waits.
#[test]
fn a_connection_whose_client_reads_nothing_ends() {
    let connections = ConnectionLimits { write: Duration::from_millis(200), ..ConnectionLimits::default() };
    let server = TestServer::of("solobase").with(|it| it.connections = connections).start();
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream.set_write_timeout(Some(Duration::from_secs(60))).expect("set");
    let requests = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let error = loop {
        if let Err(error) = stream.write_all(requests.as_bytes()) {
            break error;
        }
    };
    assert!(
        ![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()),
        "the server never ended it: {error}"
    );
}

/// Ada's log has more requests than one answer may have. The newest are on the first page, the others on further ones, and all are in the
/// export.
#[test]
fn a_long_list_has_pages_to_its_end() {
    const ROWS: usize = 10_200;
    let api = TestServer::start("tesslate");
    let registered = api.ok("POST /api/auth/register", "", &json!({"email": "ada@example.com", "password": PASSWORD}));
    let (ada, service) = (registered["token"].as_str().expect("a token"), api.service());
    let account = format!("user:{}", registered["user"]["id"].as_str().expect("an id"));
    let now = api.now();
    let before = |ms: usize| host_engine::time::text(now - ms as i64);
    for batch in 0..ROWS / 200 {
        let row = |number: usize| {
            let (id, at) = (format!("r{number}"), before(ROWS - number));
            json!({"id": id, "meter": "input_tokens", "quantity": 1_000, "at": at, "attributes": {"model": "small"}})
        };
        let rows: Vec<Value> = (batch * 200..(batch + 1) * 200).map(row).collect();
        let body = json!({"id": format!("m{batch}"), "account": account, "usage": rows});
        let reported = api.send("POST /api/events", &service, &body);
        assert_eq!(reported.status, 200, "{reported:?}");
    }
    let (yesterday, today) = (before(86_400_000), before(0));
    let path = format!("/api/billing/usage/logs?start_date={}&end_date={}&limit=100", &yesterday[..10], &today[..10]);
    let page = |after: &str| {
        let page = api.get(&format!("{path}{after}"), ada);
        let rows = page["requests"].as_array().expect("rows").iter();
        let ids: Vec<String> = rows.map(|row| row["request_id"].as_str().expect("an id").to_owned()).collect();
        (ids, page["next"].as_str().expect("a next page").to_owned())
    };
    let newest: Vec<String> = (0..ROWS).rev().map(|number| format!("r{number}")).collect();
    let (first, next) = page("");
    assert_eq!(first, newest[..100]);
    assert_eq!(page(&format!("&after={next}")).0, newest[100..200]);
    assert_eq!(api.send(&format!("GET {path}&after=nothing"), ada, &NOTHING).status, 400);
    let export = api.get("/api/auth/export", ada);
    let rows = export["accounts"][&account]["usage_requests"].as_array().map(Vec::len);
    assert_eq!(rows, Some(ROWS));
}
