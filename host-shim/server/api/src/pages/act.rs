//! Carries out a form: calls the API and redirects the browser. The page to which it leads shows the errors, next to the input.

use super::account;
use super::call::{CallAnswer, call};
use super::carried;
use super::show::{Extra, PageRequest, SAID};
use super::words::{self, sentence};
use crate::api::Api;
use crate::identity::issuers::is_own_path;
use crate::problem::Problem;
use crate::redirect::see_other;
use crate::routes::of_pages::form_scope;
use crate::state::HostedSite;
use crate::{body, cookie};
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use extension_contract::Refusal;
use host_business::pages::PageSet;
use host_business::routes::limits::{FORM_BYTES_MAX, FORM_FIELDS_MAX};
use host_business::routes::{Absent, PageAction, Scope, address, read_form};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::form_urlencoded;

/// Media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// The field that contains the path of the page with the form.
const PAGE: &str = "_page";
/// The page of a form that does not name one.
const START: &str = "/";

/// Carries out the form with a given name.
pub(super) async fn act(
    api: &Api,
    hosted: &Arc<HostedSite>,
    set: &PageSet,
    name: &str,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let asked = PageRequest { api, hosted, set, parts: &parts };
    if !cookie::is_from_own_page(&parts.headers) {
        return asked.failure(StatusCode::FORBIDDEN, "The form was sent by a page of another server.").await;
    }
    let Some(action) = set.action(name) else {
        return asked.failure(StatusCode::NOT_FOUND, "There is no such form.").await;
    };
    let is_form =
        parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(FORM.as_bytes()));
    let bytes = match body::read(&parts.headers, body, api.app.limits.body, FORM_BYTES_MAX).await {
        Ok(bytes) if is_form || bytes.is_empty() => bytes,
        Ok(_) => return asked.failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Expected a form.").await,
        Err(problem) => return asked.failure(problem.status(), problem.detail()).await,
    };
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&bytes).into_owned().take(FORM_FIELDS_MAX + 1).collect();
    if pairs.len() > FORM_FIELDS_MAX {
        return asked.failure(StatusCode::PAYLOAD_TOO_LARGE, "The form has too many fields.").await;
    }
    let page = pairs.iter().find(|(name, _)| name == PAGE).map(|(_, page)| page.clone());
    let page = page.filter(|page| is_own_path(page)).unwrap_or_else(|| START.to_owned());
    let typed: Vec<(String, String)> = pairs.into_iter().filter(|(name, _)| !name.starts_with('_')).collect();
    let sent = SentForm { asked, action, page, typed };
    match sent.carry_out().await {
        Ok(response) => response,
        Err(problem) => sent.again(problem).await,
    }
}

/// True if the text of a field is shown to nobody.
fn is_secret(name: &str) -> bool {
    name.contains("password") || name.contains("secret")
}

/// A submitted form.
struct SentForm<'a> {
    asked: PageRequest<'a>,
    action: &'a PageAction,
    /// The page with the form, as path and query.
    page: String,
    typed: Vec<(String, String)>,
}

/// The API's objections to a form.
struct Wrong {
    status: StatusCode,
    body: Value,
    refusal: Option<Refusal>,
}

impl From<Problem> for Wrong {
    fn from(problem: Problem) -> Self {
        Wrong { status: problem.status(), body: problem.body(), refusal: problem.refusal().cloned() }
    }
}

impl SentForm<'_> {
    async fn carry_out(&self) -> Result<Response, Wrong> {
        let PageRequest { api, hosted, parts, .. } = self.asked;
        let values = read_form(&self.action.fields, &self.typed)
            .map_err(|wrong| Wrong::from(Problem::invalid("form", wrong)))?;
        let scope = form_scope(hosted, &self.page, &values);
        let internal = |error: host_business::routes::ValueError| {
            tracing::error!(%error, "a form of a page cannot be carried out");
            Wrong::from(Problem::internal())
        };
        let sent = match &self.action.send {
            Some(form) => form.value(&scope, Absent::LeftOut).map_err(internal)?.unwrap_or_else(|| json!({})),
            None => Value::Object(values),
        };
        let address = address(&self.action.path, &self.action.query, &scope).map_err(internal)?;
        let method = self.action.method.name();
        let address = account::called_for(hosted, method, address, self.account().as_deref());
        let body = Some(&sent).filter(|_| self.action.method.has_body());
        let called = call(api, hosted, parts, method, &address, body).await;
        if !called.status.is_success() {
            return Err(Wrong { status: called.status, body: called.body, refusal: called.refusal });
        }
        let scope = scope.with("reply", &called.body);
        let mut response = match self.action.shows_reply {
            true => self.shown(Extra { reply: called.body.clone(), ..Extra::default() }).await,
            false => {
                let mut response = see_other(&self.target(&scope, &called).map_err(internal)?);
                // What an earlier form has left must not be shown beside this one's success.
                if let Some(cookie) = carried::forgotten(hosted, &parts.headers) {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
                response
            }
        };
        for cookie in self.cookies(&called) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// Returns the path and the query of the page with the form.
    fn path_and_query(&self) -> (&str, &str) {
        self.page.split_once('?').unwrap_or((&self.page, ""))
    }

    /// Returns the account that the page with the form was about.
    fn account(&self) -> Option<String> {
        let (path, query) = self.path_and_query();
        let query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        account::named_in(self.asked.set.find(path).map(|(page, _)| page), &query)
    }

    /// Returns the address to which the browser is redirected.
    fn target(&self, scope: &Scope, called: &CallAnswer) -> Result<String, host_business::routes::ValueError> {
        let base = self.asked.base();
        let written = self.action.to.as_ref().map(|to| to.value(scope, Absent::LeftOut)).transpose()?.flatten();
        Ok(match written.as_ref().and_then(Value::as_str) {
            // A business may have left out the page to which a built-in form leads.
            Some(own) if is_own_path(own) => match self.asked.set.find(own.split('?').next().unwrap_or(own)) {
                Some(_) => {
                    let own = account::led_to(self.asked.set, own.to_owned(), self.account().as_deref());
                    format!("{base}{own}")
                }
                None => format!("{base}{START}"),
            },
            // Redirects to another server only if the API says so, such as to a checkout, and never because a form says
            // so.
            Some(other)
                if is_in(&called.body, other) && (other.starts_with("https://") || other.starts_with("http://")) =>
            {
                other.to_owned()
            }
            Some(_) => format!("{base}{START}"),
            None => {
                let separator = if self.page.contains('?') { '&' } else { '?' };
                match self.action.said {
                    Some(_) => format!("{base}{}{separator}{SAID}={}", self.page, self.action.name),
                    None => format!("{base}{}", self.page),
                }
            }
        })
    }

    /// Returns the cookies that begin or end a session.
    fn cookies(&self, called: &CallAnswer) -> Vec<HeaderValue> {
        if !self.action.sets_session {
            return Vec::new();
        }
        let hosted = self.asked.hosted;
        let expires = called.body["expires_at"].as_str().and_then(host_engine::time::parse);
        let begun = called.body["token"]
            .as_str()
            .zip(expires)
            .and_then(|(token, expires)| cookie::begin_session(hosted, token, expires));
        let passed = called.headers.get_all(header::SET_COOKIE).iter().cloned();
        begun.into_iter().chain(passed).collect()
    }

    /// Redirects to the page with the form, which shows the result once: loading it again does not send the form again. What is too long
    /// for the browser to keep is shown at once.
    async fn shown(&self, extra: Extra) -> Response {
        let PageRequest { hosted, parts, .. } = self.asked;
        match carried::redirect(hosted, &parts.headers, self.asked.base(), &self.page, &extra) {
            Some(response) => response,
            None => {
                let (path, query) = self.path_and_query();
                self.asked.show(path, Extra { query: Some(query.to_owned()), ..extra }).await
            }
        }
    }

    /// Leads to the page again, with the input and the errors.
    async fn again(&self, wrong: Wrong) -> Response {
        if wrong.status == StatusCode::UNAUTHORIZED && !self.action.sets_session {
            let back: String = form_urlencoded::byte_serialize(self.page.as_bytes()).collect();
            return see_other(&format!("{}/login?return_to={back}", self.asked.base()));
        }
        let shown = self.typed.iter().filter(|(name, _)| !is_secret(name));
        let mut form: Map<String, Value> =
            shown.map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect();
        // A page with several forms shows the errors at the right one.
        form.insert("_form".to_owned(), Value::from(self.action.name.as_str()));
        let mut errors = self.errors(&wrong.body);
        let told = words::told(wrong.refusal.as_ref(), &wrong.body, &self.asked.hosted.pages.business.catalog);
        if let Some((field, text)) = told.field
            && let Some(name) = self.field_named(&field)
        {
            errors.insert(name.to_owned(), Value::from(text));
        }
        let problem = if errors.is_empty() { told.problem } else { Value::Null };
        let status = Some(wrong.status);
        self.shown(Extra { status, form, errors, problem, ..Extra::default() }).await
    }

    /// Returns the name of the form's field for a field of the command: `metadata.subdomain` for `subdomain`.
    fn field_named(&self, wanted: &str) -> Option<&str> {
        let last = |name: &str| name.split(':').next().and_then(|name| name.rsplit('.').next()).map(str::to_owned);
        self.typed.iter().map(|(name, _)| name.as_str()).find(|name| last(name).as_deref() == Some(wanted))
    }

    /// Returns the errors by the names of the form's fields.
    fn errors(&self, body: &Value) -> Map<String, Value> {
        let of_pointer = |pointer: &str| pointer.trim_start_matches('/').replace('/', ".");
        let fields = self.action.fields.iter().map(|field| field.name.as_str());
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for name in self.typed.iter().map(|(name, _)| name.as_str()).chain(fields) {
            names.entry(name.split(':').next().unwrap_or(name)).or_insert(name);
        }
        let mut errors = Map::new();
        for error in body["errors"].as_array().into_iter().flatten() {
            let wanted = of_pointer(error["pointer"].as_str().unwrap_or_default());
            let Some(name) = names.get(wanted.as_str()) else { continue };
            let detail = sentence(error["detail"].as_str().unwrap_or("wrong"));
            errors.entry((*name).to_owned()).or_insert_with(|| Value::from(detail));
        }
        errors
    }
}

/// True if a value contains this string anywhere.
fn is_in(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(items) => items.iter().any(|item| is_in(item, text)),
        Value::Object(members) => members.values().any(|member| is_in(member, text)),
        _ => false,
    }
}
