//! Response headers, limits and invalid requests.

use local_stripe::sandbox::BODY_BYTES_MAX;
use local_stripe::server::Options;
use local_stripe::settings::Settings;

use crate::client::Client;
use crate::process::{start, start_heard};

#[tokio::test]
async fn responses_have_stripes_headers() {
    let (_server, client) = Client::start(Options::default()).await;
    let headers = [("authorization", "Bearer sk_test_x"), ("stripe-version", "2020-08-27"), ("idempotency-key", "k")];
    let first = client.send("POST", "/v1/customers", &headers, "name=a").await;
    assert_eq!(
        (first.status, first.header("stripe-version"), first.header("content-type")),
        (200, "2020-08-27", "application/json")
    );
    assert!(first.header("request-id").starts_with("req_"));
    assert!(first.json().get("test_clock").is_none(), "the shape of that version");
    let again = client.send("POST", "/v1/customers", &headers, "name=a").await;
    assert_eq!(
        (again.header("idempotent-replayed"), again.header("original-request")),
        ("true", first.header("request-id"))
    );
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn a_refusal_by_the_rate_limit_has_its_reason() {
    let (_server, client) = Client::start(Options::default()).await;
    client.post("/_sandbox/api_faults", "answer=429&path=/v1/customers").await;
    let refused = client.form("GET", "/v1/customers", "").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].clone()), (429, "rate_limit".into()));
    assert_eq!(
        (refused.header("stripe-rate-limited-reason"), refused.header("stripe-should-retry")),
        ("global-rate", "false")
    );
    let answered = client.form("GET", "/v1/customers", "").await;
    assert_eq!((answered.status, answered.header("stripe-rate-limited-reason")), (200, ""));
}

#[tokio::test]
async fn a_browser_may_call_the_api_from_any_origin_but_not_the_sandbox() {
    let (_server, client) = Client::start(Options::default()).await;
    let asked = [
        ("origin", "http://localhost:3000"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type"),
    ];
    let preflight = client.send("OPTIONS", "/v1/payment_intents", &asked, "").await;
    let allowed = |name: &str| preflight.header(&format!("access-control-{name}")).to_owned();
    assert_eq!((preflight.status, preflight.text.as_str()), (200, ""));
    assert_eq!((allowed("allow-origin"), allowed("max-age")), ("*".into(), "300".into()));
    assert_eq!(allowed("allow-headers"), "authorization, content-type");
    assert!(allowed("allow-methods").contains("POST"));
    let refused = client.send("GET", "/v1/customers", &asked[..1], "").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, "*"));
    assert!(refused.header("access-control-expose-headers").starts_with("Request-Id, "));
    assert_eq!(refused.header("access-control-allow-headers"), "");
    let sandbox = client.send("GET", "/_sandbox/clock", &asked[..1], "").await;
    assert_eq!((sandbox.status, sandbox.header("access-control-allow-origin")), (200, ""));
    assert_eq!(client.send("OPTIONS", "/_sandbox/clock", &asked, "").await.status, 404);
}

#[tokio::test]
async fn the_date_of_a_response_is_that_of_its_objects() {
    // The clock stands still at 2026-01-01 until a call moves it.
    let settings = Settings { start_s: 1_767_225_600, ..Settings::default() };
    let (server, client) = Client::start(Options { settings, ..Options::default() }).await;
    let key = [("authorization", "Bearer sk_test_x")];
    let made = client.send("POST", "/v1/customers", &key, "name=a").await;
    assert_eq!(made.header("date"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(made.json()["created"], 1_767_225_600);
    server.advance_to(1_767_225_600 + 86_400);
    let refused = client.send("GET", "/v1/customers/cus_0", &key, "").await;
    assert_eq!((refused.status, refused.header("date")), (404, "Fri, 02 Jan 2026 00:00:00 GMT"));
}

/// Method, path, headers, body, and the expected status.
type Case<'c> = (&'c str, &'c str, Vec<(&'c str, &'c str)>, Vec<u8>, u16);

#[tokio::test]
async fn invalid_requests_get_an_error_object() {
    let (_server, client) = Client::start(Options::default()).await;
    let key = [("authorization", "Bearer sk_test_x")];
    let cases: Vec<Case> = vec![
        ("GET", "/v1/customers", vec![], vec![], 401),
        ("GET", "/v1/customers", vec![("authorization", "Basic c2tfbGl2ZV94Og==")], vec![], 401),
        ("GET", "/", key.to_vec(), vec![], 404),
        ("PATCH", "/v1/customers", key.to_vec(), vec![], 404),
        ("POST", "/v1/customers", key.to_vec(), b"name=%".to_vec(), 400),
        ("POST", "/v1/customers", key.to_vec(), vec![b'n', b'=', 0xff], 400),
        ("POST", "/v1/customers", key.to_vec(), vec![b'a'; BODY_BYTES_MAX + 1], 413),
        ("GET", "/v1/customers/cus_%00", key.to_vec(), vec![], 404),
    ];
    for (method, path, headers, body, status) in cases {
        let answer = client.send(method, path, &headers, body).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(client.get("/v1/customers").await["data"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_file_is_uploaded_linked_and_downloaded() {
    let (_server, client) = Client::start(Options::default()).await;
    let part = |name: &str, content: &str| {
        format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n")
    };
    let file =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"proof.pdf\"\r\n\r\n%PDF--x\r\n--x--\r\n";
    let headers = [("authorization", "Bearer sk_test_x"), ("content-type", "multipart/form-data; boundary=x")];
    let body = part("purpose", "dispute_evidence") + &part("file_link_data[create]", "true") + file;
    let made = client.send("POST", "/v1/files", &headers, body.clone()).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let made = made.json();
    assert_eq!(
        (&made["filename"], &made["size"], &made["type"], &made["purpose"]),
        (&"proof.pdf".into(), &7.into(), &"pdf".into(), &"dispute_evidence".into())
    );
    let here = |url: &serde_json::Value| url.as_str().unwrap().strip_prefix(client.base.as_str()).unwrap().to_owned();
    let contents = here(&made["url"]);
    assert_eq!(client.form("GET", &contents, "").await.text, "%PDF--x");
    assert_eq!(client.send("GET", &contents, &[], "").await.status, 401);
    let link = &made["links"]["data"][0];
    let download = client.send("GET", &here(&link["url"]), &[], "").await;
    assert_eq!(
        (download.status, download.text.as_str(), download.header("content-disposition")),
        (200, "%PDF--x", "attachment")
    );
    let path = format!("/v1/file_links/{}", link["id"].as_str().unwrap());
    assert_eq!(client.post(&path, "expires_at=now").await["expired"], true);
    assert_eq!(client.send("GET", &here(&link["url"]), &[], "").await.status, 404);
    assert_eq!(client.get("/v1/file_links?expired=true").await["data"][0]["id"], link["id"]);
    // A file of another purpose has no links; without a file or with half a body, nothing is stored.
    let body = part("purpose", "identity_document") + file;
    let other = client.send("POST", "/v1/files", &headers, body).await.json();
    let form = format!("file={}", other["id"].as_str().unwrap());
    assert_eq!(client.form("POST", "/v1/file_links", &form).await.status, 400);
    assert_eq!(client.form("POST", "/v1/files", "purpose=dispute_evidence").await.json()["error"]["param"], "file");
    for body in ["--x\r\n".to_owned(), part("purpose", "dispute_evidence"), part("purpose", "nothing") + file] {
        assert_eq!(client.send("POST", "/v1/files", &headers, body).await.status, 400);
    }
    assert_eq!(client.get("/v1/files").await["data"].as_array().unwrap().len(), 2);
    assert_eq!(client.get("/v1/files?purpose=dispute_evidence").await["data"][0]["id"], made["id"]);
}

#[tokio::test]
async fn a_parameter_that_only_stripe_has_is_refused_or_named_once() {
    let folder = tempfile::tempdir().unwrap();
    let form = "amount=500&currency=usd";
    let refusal = |client: Client, more: &'static str| async move {
        let answer = client.form("POST", "/v1/topups", &format!("{form}&{more}")).await;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status, &error["code"]), (400, &"parameter_unknown".into()));
        (error["param"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    };
    let strict = start(&folder.path().join("strict"));
    let (param, words) = refusal(strict.client.clone(), "source=src_1").await;
    assert!(param == "source" && words.contains("Stripe has it") && words.contains("--lenient"), "{words}");
    let misspelt = ("sauce".to_owned(), "Received unknown parameter: sauce".to_owned());
    assert_eq!(refusal(strict.client.clone(), "sauce=src_1").await, misspelt);
    let lenient = start_heard(&folder.path().join("lenient"), &["--lenient"]);
    for _ in 0..2 {
        let made = lenient.client.post("/v1/topups", &format!("{form}&source=src_1")).await;
        assert_eq!((&made["amount"], &made["source"]), (&500.into(), &serde_json::Value::Null));
    }
    assert_eq!(refusal(lenient.client.clone(), "sauce=src_1").await, misspelt);
    assert_eq!(lenient.messages(), "without effect: POST /v1/topups source\n");
}
