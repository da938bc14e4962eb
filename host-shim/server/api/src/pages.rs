//! The pages of a site, which browsers show, with forms that call the API.
//!
//! A page can do nothing that its reader could not do over HTTP: each call in its head is made as another request of the same
//! browser ([`call`]). [`show`] shows a page, [`act`] carries out a form, and [`words`] explains to a person why it was refused.

mod account;
mod act;
pub(crate) mod away;
mod call;
mod carried;
mod country;
mod show;
pub(crate) mod site;
mod words;

use crate::api::Api;
use crate::extract::count;
use crate::extract::without_body;
use crate::problem::Problem;
use crate::redirect::see_other;
use crate::state::HostedSite;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use host_business::pages::PageSet;
use std::sync::Arc;

/// Prefix of the paths of forms.
const ACTIONS: &str = "/do/";
/// Prefix of the paths of files that pages load.
const ASSETS: &str = "/assets/";
/// What a page may load: nothing from elsewhere, and no inline script. Forms may lead to a checkout at another address.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
/// How long browsers keep the files of the pages.
const ASSETS_KEPT: &str = "public, max-age=300";

/// Answers a request for a page, a form or a file of the pages; returns any other request.
pub(crate) async fn answer(
    api: &Api,
    hosted: &Arc<HostedSite>,
    request: Request<Body>,
) -> Result<Response, Request<Body>> {
    let path = request.uri().path().to_owned();
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let set = hosted.pages.current();
    if let Some(name) = path.strip_prefix(ASSETS).filter(|_| is_get) {
        return Ok(asset(&set, name));
    }
    let is_of_pages = path.starts_with(ACTIONS) || is_get && set.find(&path).is_some();
    if is_of_pages && let Err(problem) = count(&api.app, hosted, request.headers(), request.extensions()).await {
        return Ok(problem.into_response());
    }
    if let Some(name) = path.strip_prefix(ACTIONS).filter(|_| *request.method() == Method::POST) {
        return Ok(act::act(api, hosted, &set, name, request).await);
    }
    if path.starts_with(ACTIONS) && is_get {
        // Somebody opens the address of a form.
        let (parts, _) = request.into_parts();
        let asked = show::PageRequest { api, hosted, set: &set, parts: &parts };
        return Ok(see_other(&format!("{}/", asked.base())));
    }
    if !is_of_pages || !is_get {
        return Err(request);
    }
    let (parts, _) = request.into_parts();
    let asked = show::PageRequest { api, hosted, set: &set, parts: &parts };
    let here = parts.uri.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let left = Some(&parts.headers).filter(|_| parts.method == Method::GET);
    let left = left.and_then(|headers| carried::read(hosted, headers, &here));
    let is_shown_once = left.is_some();
    let mut response = asked.show(&path, left.unwrap_or_default()).await;
    if is_shown_once && let Some(cookie) = carried::forgotten(hosted, &parts.headers) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Returns the request without its body if a person at a browser asks for a path that is not for programs.
pub(crate) fn is_wanted(request: &Request<Body>) -> Option<Parts> {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_person = request.method() == Method::GET && accepts.is_some_and(|accepts| accepts.contains("text/html"));
    (is_person && !request.uri().path().starts_with("/api/")).then(|| without_body(request))
}

/// Answers a person at a browser with a page that explains a failure, in place of an answer for programs.
pub(crate) async fn failure(
    api: &Api,
    hosted: &Arc<HostedSite>,
    parts: &Parts,
    status: StatusCode,
    detail: &str,
) -> Response {
    let set = hosted.pages.current();
    let asked = show::PageRequest { api, hosted, set: &set, parts };
    asked.failure(status, detail).await
}

fn asset(set: &PageSet, name: &str) -> Response {
    match set.asset(name) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.media),
                (header::CACHE_CONTROL, ASSETS_KEPT),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                // A logo that is opened on its own must not run a script.
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
            ];
            (headers, asset.bytes.clone()).into_response()
        }
        None => Problem::not_found("no such file").into_response(),
    }
}

/// Returns an answer with a page.
fn html(status: StatusCode, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text).into_response()
}
