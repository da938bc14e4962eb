//! What each path of a server answers to each method: status, code and `Allow`, for nobody, a user and an operator. `surface.txt` has the
//! expected answers; `UPDATE_GOLDEN=1` rewrites it, and whoever changes it reviews the difference.

use super::raw::Connection;
use super::server::TestServer;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::{env, fs};

/// The file with the expected answers.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/over_http/surface.txt");
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Paths that end the session of a user. Each is tried with a user of its own.
const ENDING: [&str; 3] = ["/api/auth/erase", "/api/auth/logout", "/api/auth/logout/everywhere"];

/// Returns status, code and `Allow` of an answer to a request without a body.
fn answer(api: &TestServer, line: &str, key: &str) -> String {
    let authorization = format!("Bearer {key}");
    let own = [("Authorization", authorization.as_str())].into_iter().filter(|_| !key.is_empty());
    let mut connection = Connection::open(api.address());
    connection.send(line, &own.collect::<Vec<_>>(), b"");
    // A stream has no end, and an answer to HEAD no body.
    let answer = connection.head().expect("an answer");
    let (media, allow) = (answer.header("content-type").map(str::to_owned), answer.header("allow").map(str::to_owned));
    let mut text = answer.status.to_string();
    match media.as_deref() {
        Some("application/problem+json") if !line.starts_with("HEAD ") => {
            let answer = connection.with_body(answer).expect("a body");
            api.check(line, &answer);
            _ = write!(text, " {}", answer.code());
        }
        Some(media) => _ = write!(text, " {media}"),
        None => {}
    }
    allow.into_iter().for_each(|allow| _ = write!(text, " [{allow}]"));
    text
}

/// Registers a user; returns the token of the session.
fn session(api: &TestServer, name: &str) -> String {
    let given = json!({"email": format!("{name}@example.com"), "password": "correct horse battery"});
    let registered = api.ok("POST /api/auth/register", "", &given);
    registered["token"].as_str().expect("a token").to_owned()
}

/// Returns the answers of a path, a line for each method.
fn answers(api: &TestServer, path: &str, user: &str, operator: &str) -> String {
    let address: Vec<&str> = path
        .split('/')
        .map(|part| match part {
            "{seq}" => "1",
            part if part.starts_with('{') => "x",
            part => part,
        })
        .collect();
    let address = address.join("/");
    METHODS.iter().fold(format!("{path}\n"), |mut text, method| {
        let [nobody, user, operator] = ["", user, operator].map(|key| answer(api, &format!("{method} {address}"), key));
        let _ = match nobody == user && user == operator {
            true => writeln!(text, "  {method:<7}  {nobody}"),
            false => writeln!(text, "  {method:<7}  {nobody} | {user} | {operator}"),
        };
        text
    })
}

// Nothing of a request may change unseen when routes move: neither who may use a path, nor the methods of a path.
#[test]
fn every_path_answers_every_method_as_before() {
    let api = TestServer::start("solobase");
    let known = fs::read_to_string(GOLDEN).expect("surface.txt");
    let of_server = api.document()["paths"].as_object().expect("paths").iter();
    let of_server = of_server
        .filter(|(_, methods)| methods.as_object().expect("methods").values().any(|of| of["x-server"] == true));
    let paths: BTreeSet<&str> =
        known.lines().filter(|line| line.starts_with('/')).chain(of_server.map(|(path, _)| path.as_str())).collect();
    let (user, operator) = (session(&api, "ada"), api.operator());
    let answers = paths.iter().map(|path| match ENDING.contains(path) {
        true => answers(&api, path, &session(&api, &path.replace('/', "x")), &operator),
        false => answers(&api, path, &user, &operator),
    });
    let found: String = answers.collect();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &found).expect("written");
    }
    assert!(
        found == fs::read_to_string(GOLDEN).expect("surface.txt"),
        "surface.txt differs; UPDATE_GOLDEN=1 rewrites it:\n{found}"
    );
}

/// Returns the statuses of `surface.txt`, for nobody, a user and an operator, by method and path.
fn statuses() -> BTreeMap<(String, String), [u16; 3]> {
    let (mut path, mut found) = (String::new(), BTreeMap::new());
    for line in fs::read_to_string(GOLDEN).expect("surface.txt").lines() {
        let Some((method, answers)) = line.strip_prefix("  ").and_then(|line| line.split_once(' ')) else {
            line.clone_into(&mut path);
            continue;
        };
        let status = |answer: &str| answer.split(' ').next().and_then(|status| status.parse().ok()).expect("a status");
        let all: Vec<u16> = answers.trim().split(" | ").map(status).collect();
        let three = if let [nobody, user, operator] = all[..] { [nobody, user, operator] } else { [all[0]; 3] };
        found.insert((method.to_owned(), path.clone()), three);
    }
    found
}

#[test]
fn the_document_names_who_may_use_a_path() {
    let (api, statuses) = (TestServer::start("solobase"), statuses());
    for (path, methods) in api.document()["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let Some(access) = operation["x-access"].as_str() else { continue };
            let [nobody, user, operator] = statuses[&(method.to_ascii_uppercase(), path.clone())];
            let fits = match access {
                "all" | "signed" | "download tokens" => ![401, 403].contains(&nobody),
                "all; keys" => user != 401,
                "keys" => nobody == 401 && user != 401,
                "services" => nobody == 401 && user == 403 && operator != 403,
                // A key has no session, and its logout ends none.
                _ if path == "/api/auth/logout" => nobody == 401 && user == 200,
                "users" | "members" | "owners" => nobody == 401 && user != 401 && operator == 401,
                "operators" | "operators, keys of the server" => nobody == 401 && user == 403 && operator != 403,
                other => panic!("{other}: expected a known word"),
            };
            assert!(fits, "{method} {path} is for {access}: {nobody} {user} {operator}");
        }
    }
}

#[test]
fn a_business_without_routes_has_the_paths_of_every_server_and_a_page() {
    let api = TestServer::start("seats");
    let paths = api.document()["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|path| path.as_object().expect("methods"));
    assert!(paths.into_iter().all(|(_, operation)| operation["x-server"] == true), "only those of every server");
    assert_eq!(api.document()["openapi"], json!("3.1.0"));
    assert_eq!(
        api.get("/openapi.json", "")["paths"],
        api.document()["paths"],
        "what these tests check answers against"
    );
    let page = api.request("GET /docs/api", &[], b"");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    for expected in [
        // Styled and with the navigation of the other pages.
        "<h1>API of Seats</h1>",
        "/assets/app.css",
        "aria-label=\"Main\"",
        // A path of every server, with a type that is linked, and a message to endpoints.
        "<code>&#x2f;api&#x2f;auth&#x2f;register</code>",
        "<a href=\"#ServerSession\">ServerSession</a>",
        "id=\"ServerSession\"",
        "<code>invoice.created</code>",
    ] {
        assert!(page.body.contains(expected), "{expected}: {}", page.body);
    }
    let own = TestServer::start("tesslate").request("GET /docs/api", &[], b"");
    for expected in
        ["id=\"deployProject\"", "For: user.", "too-many-requests", "<code>small</code> or <code>medium</code>"]
    {
        assert!(own.body.contains(expected), "{expected}: {}", own.body);
    }
}
