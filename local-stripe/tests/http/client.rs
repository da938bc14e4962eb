//! A small HTTP client for the tests.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use local_stripe::sandbox::escape;
use local_stripe::server::{Options, Server};
use local_stripe::webhook::deliver::{Http, client};
use local_stripe::webhook::trust;
use serde_json::Value;

pub struct TestResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestResponse {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    pub base: String,
    http: Http,
}

impl Client {
    pub fn new(base: &str) -> Self {
        Self { base: base.into(), http: client(trust::config(None).unwrap()) }
    }

    /// Starts a server and creates a client for it.
    pub async fn start(options: Options) -> (Server, Self) {
        let server = Server::start(options).await.unwrap();
        let client = Self::new(&server.url());
        (server, client)
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> TestResponse {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// Returns `None` if the server is gone.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Option<TestResponse> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.http.request(request.body(body.into()).unwrap()).await.ok()?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(TestResponse { status: parts.status.as_u16(), headers: parts.headers, text })
    }

    pub async fn form(&self, method: &str, path: &str, form: &str) -> TestResponse {
        let pairs: Vec<String> = form
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(n, v)| format!("{}={}", escape(n), escape(v)))
            .collect();
        self.send(method, path, &[("authorization", "Bearer sk_test_x")], pairs.join("&")).await
    }

    pub async fn post(&self, path: &str, form: &str) -> Value {
        let answer = self.form("POST", path, form).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.form("GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}
