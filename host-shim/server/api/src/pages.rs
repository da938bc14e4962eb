//! The pages of a site: shown to browsers, with forms that call the API.
//!
//! A page may read and do nothing that its reader could not over HTTP: what its head names is called as another request of the same
//! browser ([`call`]). [`show`] shows a page, [`act`] carries out a form,
//! and [`words`] tells a person why it was refused.

mod act;
pub(crate) mod away;
mod call;
mod show;
mod words;

use crate::away::InstanceHosts;
use crate::extract::count;
use crate::front::{Front, HostedSite, without_body};
use crate::problem::Problem;
use crate::redirect::see_other;
use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use host_business::folder::BusinessFolder;
use host_business::pages::{PageSet, files_below};
use host_business::yaml::bad_input::Mistakes;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Beginning of the paths of forms.
const ACTIONS: &str = "/do/";
/// Beginning of the paths of files that pages load.
const ASSETS: &str = "/assets/";
/// What a page may load: nothing from elsewhere, and no script of its own text. Forms may lead to a checkout at another address.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-src 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
/// Time for which browsers keep a file of the pages.
const ASSETS_KEPT: &str = "public, max-age=300";

/// The files of pages, each with the time of its change.
type Changes = Vec<(Option<SystemTime>, PathBuf)>;

/// The pages of a site.
pub struct SitePages {
    business: BusinessFolder,
    current: Mutex<(Changes, Arc<PageSet>)>,
    instance_hosts: InstanceHosts,
    /// True if changed files are read again, in local mode.
    is_reloaded: bool,
}

impl SitePages {
    /// Reads the pages of a business. With `is_reloaded`, a page shows what has changed in its files.
    ///
    /// # Errors
    /// Fails with the mistakes of the pages.
    pub fn new(business: &BusinessFolder, is_reloaded: bool) -> Result<SitePages, Mistakes> {
        let set = Arc::new(business.pages()?);
        let current = Mutex::new((changes(business), set));
        let instance_hosts = InstanceHosts::of(&business.catalog);
        Ok(SitePages { business: business.clone(), current, instance_hosts, is_reloaded })
    }

    /// Returns the host names that instances have by the catalog.
    pub(crate) fn instance_hosts(&self) -> &InstanceHosts {
        &self.instance_hosts
    }

    /// Returns the pages as they are now. A file that is wrong leaves them as they were.
    fn current(&self) -> Arc<PageSet> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_reloaded {
            let changes = changes(&self.business);
            if changes != current.0 {
                match self.business.pages() {
                    Ok(set) => current.1 = Arc::new(set),
                    Err(mistakes) => tracing::error!(%mistakes, "the changed pages are not shown"),
                }
                current.0 = changes;
            }
        }
        current.1.clone()
    }
}

/// Returns the files of pages with the times of their changes.
fn changes(business: &BusinessFolder) -> Changes {
    let found = business.page_folders().into_iter().filter_map(|folder| files_below(&folder).ok());
    found.flatten().map(|file| (file.metadata().and_then(|found| found.modified()).ok(), file)).collect()
}

/// Answers a request for a page, a form or a file of the pages; gives the request back if it is none.
pub(crate) async fn answer(
    front: &Front,
    hosted: &Arc<HostedSite>,
    path: &str,
    request: Request<Body>,
) -> Result<Response, Request<Body>> {
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let set = hosted.pages.current();
    if let Some(name) = path.strip_prefix(ASSETS).filter(|_| is_get) {
        return Ok(asset(&set, name));
    }
    let is_of_pages = path.starts_with(ACTIONS) || is_get && set.find(path).is_some();
    if is_of_pages && let Err(problem) = count(front.state(), hosted, request.headers(), request.extensions()).await {
        return Ok(problem.into_response());
    }
    if let Some(name) = path.strip_prefix(ACTIONS).filter(|_| *request.method() == Method::POST) {
        return Ok(act::act(front, hosted, &set, name, request).await);
    }
    if path.starts_with(ACTIONS) && is_get {
        // Somebody loads the page again that a refused form has shown.
        let (parts, _) = request.into_parts();
        let asked = show::PageRequest { front, hosted, set: &set, parts: &parts };
        return Ok(see_other(&format!("{}/", asked.base())));
    }
    if !is_of_pages || !is_get {
        return Err(request);
    }
    let (parts, _) = request.into_parts();
    let asked = show::PageRequest { front, hosted, set: &set, parts: &parts };
    Ok(asked.show(path, show::Extra::default()).await)
}

/// Returns the request without its body if a person at a browser asks for a path of no program.
pub(crate) fn is_wanted(path: &str, request: &Request<Body>) -> Option<Parts> {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_person = request.method() == Method::GET && accepts.is_some_and(|accepts| accepts.contains("text/html"));
    (is_person && !path.starts_with("/api/")).then(|| without_body(request))
}

/// Answers with a page that tells a failure to a person at a browser, in place of an answer for programs.
pub(crate) async fn failure(
    front: &Front,
    hosted: &Arc<HostedSite>,
    parts: &Parts,
    status: StatusCode,
    detail: &str,
) -> Response {
    let set = hosted.pages.current();
    let asked = show::PageRequest { front, hosted, set: &set, parts };
    asked.failure(status, detail).await
}

fn asset(set: &PageSet, name: &str) -> Response {
    match set.asset(name) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.media),
                (header::CACHE_CONTROL, ASSETS_KEPT),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                // A logo that is opened by itself must not run a script.
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
