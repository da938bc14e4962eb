//! Calls the API for a page, as another request of the same browser, so that the same rules apply.

use crate::api::Api;
use crate::extract::Counted;
use crate::problem::refusal_of;
use crate::shares::Peer;
use crate::state::HostedSite;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use extension_contract::Refusal;
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use std::sync::Arc;

/// Maximum length of an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Headers of the browser's request that are passed on.
const KEPT: [header::HeaderName; 5] =
    [header::ACCEPT_LANGUAGE, header::AUTHORIZATION, header::COOKIE, header::HOST, header::USER_AGENT];
/// The header in which a browser says which kind of page makes a request.
const SITE: &str = "sec-fetch-site";
/// The address of the browser, as given by a proxy in front of the server.
const FORWARDED: &str = "x-forwarded-for";

/// The answer of the API.
pub(super) struct CallAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The body, or null if it is not JSON.
    pub(super) body: Value,
    /// Why the extension refused it.
    pub(super) refusal: Option<Refusal>,
}

/// Sends a request to the API. `address` is a path with its query.
pub(super) async fn call(
    api: &Api,
    hosted: &Arc<HostedSite>,
    from: &Parts,
    method: &str,
    address: &str,
    body: Option<&Value>,
) -> CallAnswer {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = hosted.canonical(path);
    let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
    let text = body.map(ToString::to_string).unwrap_or_default();
    let mut request = Request::builder().method(method).uri(uri);
    // A form comes from a page of this server, which has been checked. What a page reads, however, is determined by whoever led
    // the browser there.
    for value in from.headers.get_all(SITE).iter().filter(|_| method == Method::GET) {
        request = request.header(SITE, value);
    }
    if method != Method::GET {
        request = request.header(SITE, "same-origin");
    }
    for name in KEPT.into_iter().chain([header::HeaderName::from_static(FORWARDED)]) {
        for value in from.headers.get_all(&name) {
            request = request.header(&name, value);
        }
    }
    let built = request
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, text.len())
        .body(Body::from(text));
    let failed = || {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        CallAnswer { status, headers: HeaderMap::new(), body: Value::Null, refusal: None }
    };
    let Ok(mut built) = built else { return failed() };
    built.extensions_mut().insert(Counted);
    if let Some(peer) = from.extensions.get::<Peer>() {
        built.extensions_mut().insert(*peer);
    }
    let answer = api.answer(hosted, built).await;
    let refusal = refusal_of(&answer).cloned();
    let (parts, body) = answer.into_parts();
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(is_json);
    let Ok(bytes) = Limited::new(body, ANSWER_BYTES_MAX).collect().await else { return failed() };
    let body = if is_json { serde_json::from_slice(&bytes.to_bytes()).unwrap_or_default() } else { Value::Null };
    CallAnswer { status: parts.status, headers: parts.headers, body, refusal }
}

fn is_json(value: &HeaderValue) -> bool {
    value
        .to_str()
        .is_ok_and(|media| media.starts_with("application/json") || media.starts_with("application/problem+json"))
}
