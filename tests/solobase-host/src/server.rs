//! The HTTP server of the stand-in. A block can be reached only below the prefix with which the platform's program adds its
//! route.

use crate::guest::{Guest, GuestError};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Maximum length of a body at the listener.
const BODY_BYTES_MAX: usize = 10 << 20;
/// Headers that a block gets only with a separate right.
const WITHHELD: [&str; 3] = ["authorization", "cookie", "set-cookie"];

/// A running server.
pub struct Server {
    /// Its address, for example `http://127.0.0.1:40000`.
    pub url: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Mounted {
    guest: Arc<Guest>,
    prefix: String,
    /// The user of a session, by its token.
    users: Arc<BTreeMap<String, (String, String)>>,
}

/// Serves a block below `/b/NAME`. `users` contains the id and the roles of each user, by bearer token.
///
/// # Errors
/// Fails if no port is free.
pub async fn serve(
    guest: Arc<Guest>,
    name: &str,
    users: BTreeMap<String, (String, String)>,
) -> std::io::Result<Server> {
    let mounted = Mounted { guest, prefix: format!("/b/{name}"), users: Arc::new(users) };
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Router::new().fallback(answer).with_state(mounted);
    let task = tokio::spawn(async move {
        // The server ends with its task.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Server { url, task })
}

fn plain(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

async fn answer(State(mounted): State<Mounted>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let is_below = path == mounted.prefix || path.starts_with(&format!("{}/", mounted.prefix));
    // `/api/…` never reaches a block, and `/b/products` is the platform's own.
    if !is_below || path == "/b/products" || path.starts_with("/b/products/") {
        return plain(StatusCode::NOT_FOUND, &json!({"error": "not_found", "message": "no block at this path"}));
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, &json!({"error": "too_large", "message": "at most 10 MiB"}));
    };
    let method = parts.method.as_str().to_owned();
    let mut meta = vec![
        ("http.method".to_owned(), method.clone()),
        ("http.path".to_owned(), path.clone()),
        ("http.raw_query".to_owned(), parts.uri.query().unwrap_or_default().to_owned()),
        ("http.remote_addr".to_owned(), "127.0.0.1".to_owned()),
        ("req.action".to_owned(), action(&method).to_owned()),
        ("req.resource".to_owned(), path.clone()),
    ];
    for (name, value) in &parts.headers {
        if !WITHHELD.contains(&name.as_str()) {
            meta.push((format!("http.header.{name}"), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
    }
    for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        meta.push((format!("http.query.{name}"), value.into_owned()));
    }
    let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    if let Some((id, roles)) = token.and_then(|token| mounted.users.get(token.strip_prefix("Bearer ")?)) {
        meta.push(("auth.user_id".to_owned(), id.clone()));
        meta.push(("auth.user_roles".to_owned(), roles.clone()));
    }
    let (guest, kind) = (mounted.guest.clone(), format!("{method}:{path}"));
    let handled = tokio::task::spawn_blocking(move || guest.handle(&kind, &meta, &body, None)).await;
    match handled {
        Ok(Ok((result, _))) => response(&result),
        Ok(Err(GuestError::Trap(text))) => failed(&text),
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(text: &str) -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": "internal", "message": text}))
}

fn action(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" => "retrieve",
        "POST" => "create",
        "PUT" | "PATCH" => "update",
        "DELETE" => "delete",
        _ => "execute",
    }
}

/// Returns the HTTP response for a result.
fn response(result: &Value) -> Response<Body> {
    if result["action"] != "Respond" {
        return failed(&result["error"].to_string());
    }
    let bytes: Vec<u8> = serde_json::from_value(result["response"]["data"].clone()).unwrap_or_default();
    let mut response = Response::new(Body::from(bytes));
    for entry in result["response"]["meta"].as_array().into_iter().flatten() {
        let (Some(key), Some(value)) = (entry["key"].as_str(), entry["value"].as_str()) else { continue };
        let header = match key {
            "resp.status" => {
                *response.status_mut() = value.parse().ok().unwrap_or(StatusCode::OK);
                continue;
            }
            "resp.content_type" => "content-type",
            other => match other.strip_prefix("resp.header.") {
                Some(name) if !WITHHELD.contains(&name) => name,
                _ => continue,
            },
        };
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(header), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
