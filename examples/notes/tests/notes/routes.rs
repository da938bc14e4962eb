//! Tests the addresses of notes and files: methods, names, limits and headers.

use crate::{MULTIPART, Memory, answer, block_on, get, multipart, post, put, send, site};
use http::Request;
use notes::{BODY_MAX, Room, respond};

#[test]
fn a_note_is_put_got_and_deleted() {
    let memory = Memory::default();
    assert_eq!(put(&memory, "/notes/a-B_1", "first").status_and_body(), (200, "saved"));
    assert_eq!(put(&memory, "/notes/a-B_1", "second").status_and_body(), (200, "saved"));
    let got = get(&memory, "/notes/a-B_1");
    assert_eq!((got.status_and_body(), got.header("content-type")), ((200, "second"), "text/plain; charset=utf-8"));
    assert_eq!(send(&memory, "HEAD", "/notes/a-B_1", &[], "").status_and_body(), (200, ""));
    assert_eq!(send(&memory, "DELETE", "/notes/a-B_1", &[], "").status_and_body(), (200, "deleted"));
    for method in ["GET", "DELETE"] {
        assert_eq!(send(&memory, method, "/notes/a-B_1", &[], "").status, 404, "{method}");
    }
}

#[test]
fn names_sizes_and_characters_have_limits() {
    let memory = Memory::default();
    let longest = format!("/notes/{}", "n".repeat(128));
    assert_eq!(put(&memory, &longest, "x").status, 200);
    for name in ["", "..%2f", "a%20b", "a.b", "%C3%BC", &"n".repeat(129)] {
        let (status, body) = (put(&memory, &format!("/notes/{name}"), "x").status, get(&memory, "/notes/a.b").body);
        assert_eq!((status, body.as_str()), (400, "expected a name of 1 to 128 letters, digits, - and _"), "{name}");
    }
    assert_eq!(put(&memory, "/notes/large", &"x".repeat(64 * 1024)).status, 200);
    let refused = put(&memory, "/notes/larger", &"x".repeat(64 * 1024 + 1));
    assert_eq!(refused.status_and_body(), (413, "the body is too large: expected at most 65536 bytes"));
    assert_eq!(
        send(&memory, "PUT", "/notes/bytes", &[], vec![0xff]).status_and_body(),
        (400, "the text is not UTF-8: expected UTF-8")
    );
    assert_eq!(put(&memory, "/notes/nul", "a\0b").status, 400);
    assert_eq!(put(&memory, "/notes/large", &"x".repeat(BODY_MAX + 1)).status, 413);
    assert_eq!(memory.names(), ["large", &"n".repeat(128)]);
}

#[test]
fn other_methods_and_addresses_are_refused() {
    let memory = Memory::with_bucket();
    for (method, path, allowed) in [
        ("POST", "/", "GET"),
        ("PUT", "/health", "GET"),
        ("DELETE", "/app.css", "GET"),
        ("GET", "/notes", "POST"),
        ("POST", "/notes/a", "GET, PUT or DELETE"),
        ("GET", "/notes/a/delete", "POST"),
        ("PUT", "/notes/a/file", "GET"),
    ] {
        let answer = send(&memory, method, path, &[], "");
        assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{method} {path}");
    }
    for path in ["/data/a", "/notes/a/b", "/notes/a/file/b", "/favicon.ico", "//"] {
        assert_eq!(get(&memory, path).status, 404, "{path}");
    }
}

#[test]
fn a_full_database_is_read_only() {
    let full = Room { used: 10, limit: Some(10), is_refused: false };
    let refused = Room { used: 1, limit: None, is_refused: true };
    for database in [full, refused] {
        let memory = Memory { database, ..Memory::default() };
        let expected = (507, "the database has reached the plan's limit");
        assert_eq!(put(&memory, "/notes/a", "x").status_and_body(), expected);
        let again = post(&memory, &[("name", "a"), ("text", "my words")]);
        assert!(again.status == 507 && again.body.contains("my words"), "{}", again.body);
        assert!(get(&memory, "/").body.contains("plan's limit. Delete notes"), "{database:?}");
        assert_eq!(memory.names(), [""; 0]);
    }
    let almost = Memory { database: Room { used: 9, limit: Some(10), is_refused: false }, ..Memory::default() };
    assert_eq!(put(&almost, "/notes/a", "x").status, 200);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let memory = Memory::with_bucket();
    put(&memory, "/notes/a", "x");
    let form = multipart(&[("name", "b"), ("text", "y")]);
    for from in [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Origin", "https://evil.example")]
    {
        for (method, path) in
            [("POST", "/notes"), ("POST", "/notes/a/delete"), ("PUT", "/notes/a"), ("DELETE", "/notes/a")]
        {
            assert_eq!(send(&memory, method, path, &[MULTIPART, from], form.clone()).status, 403, "{method} {path}");
        }
        assert_eq!(send(&memory, "GET", "/notes/a", &[from], "").status_and_body(), (200, "x"));
    }
    assert_eq!(memory.names(), ["a"]);
    let own = ("Origin", "https://acme.example");
    assert_eq!(send(&memory, "POST", "/notes", &[MULTIPART, own], form).status, 303);
    assert_eq!(memory.names(), ["a", "b"]);
}

#[test]
fn a_file_is_stored_by_browsers_and_never_displayed() {
    let memory = Memory::with_bucket();
    let head = "file; filename=\"Zoë's \\\"<page>\\\".html\"\r\nContent-Type: text/html";
    let file = (head, "<script>alert(1)</script>");
    assert_eq!(post(&memory, &[("name", "a"), ("text", ""), file]).status, 303);
    let got = get(&memory, "/notes/a/file");
    assert_eq!(got.status_and_body(), (200, "<script>alert(1)</script>"));
    assert_eq!(got.header("content-type"), "text/html");
    assert_eq!(got.header("x-content-type-options"), "nosniff");
    assert_eq!(got.header("content-security-policy"), "default-src 'none'; sandbox");
    let disposition = got.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename*=UTF-8''Zo%C3%AB%27s%20"), "{disposition}");
    assert!(disposition.ends_with("page%3E%22.html") && !disposition.contains('"'), "{disposition}");
    // The text can be replaced without losing the file.
    put(&memory, "/notes/a", "new text");
    assert_eq!(get(&memory, "/notes/a/file").status, 200);
    assert_eq!(send(&memory, "DELETE", "/notes/a", &[], "").status, 200);
    assert_eq!((memory.names(), memory.files()), (vec![], vec![]));
    assert_eq!(get(&memory, "/notes/a/file").status, 404);
    put(&memory, "/notes/b", "x");
    assert_eq!(get(&memory, "/notes/b/file").status_and_body(), (404, "this note has no file"));
}

#[test]
fn a_broken_bucket_loses_no_note_and_keeps_no_half_of_one() {
    let memory = Memory::with_bucket();
    post(&memory, &[("name", "a"), ("text", "x"), ("file; filename=f", "content")]);
    let memory = Memory { is_bucket_broken: true, ..memory };
    let failed = |method: &str, path: &str, body: String| {
        let request = Request::builder().method(method).uri(path).header(MULTIPART.0, MULTIPART.1).body(body.into());
        let failed = block_on(respond(&site(), Some(&memory), request.expect("a request")));
        failed.expect_err("the bucket is broken").to_string()
    };
    let form = multipart(&[("name", "b"), ("text", "y"), ("file; filename=f", "content")]);
    assert_eq!(failed("POST", "/notes", form), "the bucket failed: it is broken");
    assert_eq!(failed("DELETE", "/notes/a", String::new()), "the bucket failed: it is broken");
    assert_eq!(memory.names(), ["a"], "the new name is free, and the old note can be deleted later");
}

#[test]
fn health_counts_and_an_instance_without_a_database_has_health_and_a_page() {
    let memory = Memory { database: Room { used: 4096, ..Room::default() }, ..Memory::default() };
    put(&memory, "/notes/a", "x");
    let health: serde_json::Value = serde_json::from_str(&get(&memory, "/health").body).expect("JSON");
    assert_eq!(health, serde_json::json!({"status": "ok", "name": "acme", "database_bytes": 4096, "notes": 1}));
    let without = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Vec::new().into()).expect("a request");
        answer(block_on(respond::<Memory>(&site(), None, request)).expect("a response"))
    };
    assert_eq!(without("GET", "/health").body, r#"{"name":"acme","status":"ok"}"#);
    let page = without("GET", "/");
    assert!(page.body.contains("It runs.") && page.body.contains("&lt;hobby&gt;"), "{}", page.body);
    for (method, path, expected) in
        [("GET", "/app.css", 200), ("PUT", "/notes/a", 404), ("POST", "/notes", 404), ("POST", "/", 405)]
    {
        assert_eq!(without(method, path).status, expected, "{method} {path}");
    }
}
