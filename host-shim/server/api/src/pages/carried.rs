//! What a form carries to the page to which its redirect leads: the input with its errors, or a reply that is shown once.
//!
//! The browser keeps it in a cookie for a minute. The cookie is encrypted, is bound to the session and the page, and is deleted when the
//! page has shown it, so nobody else can put a text on a page, and the server stores nothing.

use super::show::Extra;
use crate::cookie;
use crate::redirect::see_other;
use crate::state::HostedSite;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long a browser has time to follow the redirect, in seconds.
const KEPT_S: i64 = 60;
/// Maximum length of the cookie's value: browsers keep 4096 bytes with the name and the attributes.
const SEALED_BYTES_MAX: usize = 3_840;

/// The content of the cookie.
#[derive(Serialize, Deserialize)]
struct Carried {
    /// Until when it is shown, in milliseconds since the epoch.
    until: i64,
    /// The page that shows it, as path and query.
    page: String,
    /// The status with which the page is answered.
    status: Option<u16>,
    form: Map<String, Value>,
    errors: Map<String, Value>,
    problem: Value,
    reply: Value,
}

/// Returns the redirect to a page that shows what the form has resulted in; none if it is too long for a cookie, or if the site has no
/// users and hence no key.
pub(super) fn redirect(
    hosted: &HostedSite,
    headers: &HeaderMap,
    base: &str,
    page: &str,
    extra: &Extra,
) -> Option<Response> {
    let carried = Carried {
        until: hosted.site.clock().now().saturating_add(KEPT_S * 1_000),
        page: page.to_owned(),
        status: extra.status.map(|status| status.as_u16()),
        form: extra.form.clone(),
        errors: extra.errors.clone(),
        problem: extra.problem.clone(),
        reply: extra.reply.clone(),
    };
    let text = serde_json::to_vec(&carried).ok()?;
    let sealed = hosted.users.as_ref()?.identity().seal(session(hosted, headers), &text)?;
    let cookie = cookie::set(hosted, cookie::FORM, &sealed, KEPT_S).filter(|_| sealed.len() <= SEALED_BYTES_MAX)?;
    let mut response = see_other(&format!("{base}{page}"));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Some(response)
}

/// Returns what a form has left for this page, given as path and query.
pub(super) fn read(hosted: &HostedSite, headers: &HeaderMap, page: &str) -> Option<Extra> {
    let sealed = cookie::read(hosted, headers, cookie::FORM)?;
    let text = hosted.users.as_ref()?.identity().open(session(hosted, headers), sealed)?;
    let carried: Carried = serde_json::from_slice(&text).ok()?;
    let is_for_now = carried.page == page && carried.until > hosted.site.clock().now();
    is_for_now.then(|| Extra {
        status: carried.status.and_then(|status| StatusCode::from_u16(status).ok()),
        form: carried.form,
        errors: carried.errors,
        problem: carried.problem,
        reply: carried.reply,
        query: None,
    })
}

/// Returns the header that deletes what a form has left, if the browser has it.
pub(super) fn forgotten(hosted: &HostedSite, headers: &HeaderMap) -> Option<HeaderValue> {
    cookie::read(hosted, headers, cookie::FORM).and_then(|_| cookie::set(hosted, cookie::FORM, "", 0))
}

/// Returns the session of the browser, or an empty text without one.
fn session<'h>(hosted: &HostedSite, headers: &'h HeaderMap) -> &'h str {
    cookie::read(hosted, headers, cookie::SESSION).unwrap_or_default()
}
