//! Shows a page: identifies the reader, makes the calls in the head of the page, and fills in the template.

use super::account::{self, ACCOUNT, FOR_ACCOUNT, SWITCH};
use super::call::call;
use super::country::country;
use super::html;
use crate::api::Api;
use crate::problem::Problem;
use crate::redirect::see_other;
use crate::routes::of_pages::{PageValues, page_values};
use crate::state::HostedSite;
use crate::{access, cookie};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use extension_contract::Account;
use host_business::pages::{AWAY_PAGE, ERROR_PAGE, Locale, NavEntry, Page, PageSet};
use host_business::routes::{PageGet, Scope, Who, address};
use host_identity::access::Caller;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use url::form_urlencoded;

/// The login page.
const LOGIN: &str = "/login";
/// The operators' page.
const ADMIN: &str = "/admin";
/// The query parameter with the name of a form that was carried out.
pub(super) const SAID: &str = "said";

/// A request for a page.
#[derive(Clone, Copy)]
pub(super) struct PageRequest<'a> {
    pub(super) api: &'a Api,
    pub(super) hosted: &'a Arc<HostedSite>,
    pub(super) set: &'a PageSet,
    pub(super) parts: &'a Parts,
}

/// What a page shows in addition after a form was submitted.
#[derive(Default)]
pub(super) struct Extra {
    /// Status of the answer; none for 200.
    pub(super) status: Option<StatusCode>,
    /// The input.
    pub(super) form: Map<String, Value>,
    /// The errors, by field.
    pub(super) errors: Map<String, Value>,
    /// The problem.
    pub(super) problem: Value,
    /// The reply, if it is to be shown once.
    pub(super) reply: Value,
    /// The query of the page, which replaces that of the request.
    pub(super) query: Option<String>,
}

/// The reason why a page is not shown.
enum NotShown {
    /// The user has to log in.
    Anonymous,
    /// The browser is redirected to another page.
    Elsewhere(&'static str),
    /// The page does not exist, or its data cannot be read.
    Failed(StatusCode, String),
}

impl From<Problem> for NotShown {
    fn from(problem: Problem) -> Self {
        match problem.is_unauthorized() {
            true => NotShown::Anonymous,
            false => NotShown::Failed(problem.status(), problem.detail().to_owned()),
        }
    }
}

impl PageRequest<'_> {
    /// Returns the prefix of the paths of the pages: `/my-shop` on a server with several businesses.
    pub(super) fn base(&self) -> &str {
        let after_scheme = self.hosted.url.split_once("://").map_or("", |(_, rest)| rest);
        after_scheme.find('/').map_or("", |at| &after_scheme[at..])
    }

    /// Returns the caller of the browser, or none if nobody has logged in.
    pub(super) async fn caller(&self) -> Result<Option<Caller>, Problem> {
        let (method, headers) = (axum::http::Method::GET, &self.parts.headers);
        if access::token(self.hosted, &method, headers)?.is_none() {
            return Ok(None);
        }
        match access::caller(&*self.api.app.authenticator, self.hosted, &method, headers).await {
            Ok(caller) => Ok(Some(caller)),
            Err(problem) if problem.is_unauthorized() => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// Answers with the page of a path.
    pub(super) async fn show(&self, path: &str, extra: Extra) -> Response {
        let Some((page, values)) = self.set.find(path) else {
            return self.failure(StatusCode::NOT_FOUND, "There is no such page.").await;
        };
        match self.try_show(page, path, values, extra).await {
            Ok(response) => response,
            Err(NotShown::Anonymous) => {
                let back = self.parts.uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
                let back: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
                let mut response = see_other(&format!("{}{LOGIN}?return_to={back}", self.base()));
                // A session that has ended is not sent again.
                for ended in cookie::end_session(self.hosted, &self.parts.headers) {
                    response.headers_mut().append(header::SET_COOKIE, ended);
                }
                response
            }
            Err(NotShown::Elsewhere(page)) => see_other(&format!("{}{page}", self.base())),
            Err(NotShown::Failed(status, detail)) => self.failure(status, &detail).await,
        }
    }

    async fn try_show(
        &self,
        page: &Page,
        path: &str,
        path_values: Vec<(String, String)>,
        extra: Extra,
    ) -> Result<Response, NotShown> {
        let caller = self.caller().await?;
        match (page.head.who, &caller) {
            (Who::Public, _) => {}
            (_, None) => return Err(NotShown::Anonymous),
            (Who::Admin, Some(caller)) if !caller.is_operator() => {
                let detail = "This page is for the operators of the business.".to_owned();
                return Err(NotShown::Failed(StatusCode::FORBIDDEN, detail));
            }
            (Who::User, Some(caller)) if caller.own_account().is_none() && self.set.find(ADMIN).is_some() => {
                return Err(NotShown::Elsewhere(ADMIN));
            }
            _ => {}
        }
        let query_text = extra.query.as_deref().or(self.parts.uri.query()).unwrap_or_default();
        let query: Vec<(String, String)> = form_urlencoded::parse(query_text.as_bytes()).into_owned().collect();
        // Links carry parameters that a page does not know, and a wrong value in one is no reason to show nothing.
        let known = |name: &String| page.head.query.iter().any(|field| field.name == *name);
        let given: Vec<_> = query.iter().filter(|(name, text)| known(name) && !text.is_empty()).cloned().collect();
        let given = host_business::routes::read_texts(&page.head.query, &given).unwrap_or_default();
        let named = account::named_in(Some(page), &query);
        let remembers = account::named_in(Some(page), &[(ACCOUNT.to_owned(), "any".to_owned())]).is_some();
        let switched_to = |caller: &Caller| account::remembered(self.hosted, &self.parts.headers, caller);
        let about = named.clone().or_else(|| caller.as_ref().filter(|_| remembers).and_then(switched_to));
        let path_object: Map<String, Value> =
            path_values.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let asked = PageValues { path: path_object.clone(), query: given.clone(), account: about.clone() };
        // Read first: whatever is committed while the page is being rendered comes with the stream.
        let newest = crate::ask::read(&self.hosted.site, |store| store.inbox_newest()).await?;
        let is_public = page.head.who == Who::Public;
        // A public page shows the catalog to everybody, and to an account what it can still get.
        let is_read_for = |caller: &Caller| !is_public || access::account(caller, asked.account.as_deref()).is_ok();
        let reader = caller.clone().filter(is_read_for);
        let scope = page_values(&self.api.app, self.hosted, self.parts, reader, &page.head.parts.reads, asked).await?;
        let mut values = self.common(page, path, caller.as_ref(), &given)?;
        if let Some(about) = &about {
            values["page"][ACCOUNT] = Value::from(about.as_str());
            values["page"][FOR_ACCOUNT] = Value::from(account::with_account("", about));
        }
        // A form returns to the page in its current state, without the messages, and acts for the account that it shows.
        let kept = query.iter().filter(|(name, _)| name != SAID && name != SWITCH);
        let mut kept: Vec<_> = kept.cloned().collect();
        if let (None, Some(about)) = (&named, &about) {
            kept.push((ACCOUNT.to_owned(), about.clone()));
        }
        let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        values["page"]["parts"] = Value::Object(path_object);
        values["page"]["newest"] = Value::from(newest);
        values["page"]["here"] = Value::from(if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") });
        for read in &page.head.parts.reads {
            values.insert(read.name.clone(), scope.get(&read.name).unwrap_or_default());
        }
        for get in &page.head.parts.gets {
            values.insert(get.name.clone(), self.get(get, &scope, about.as_deref()).await?);
        }
        let said = query.iter().find(|(name, _)| name == SAID).and_then(|(_, name)| self.set.action(name));
        values.insert(SAID.to_owned(), said.map_or(Value::Null, |action| Value::from(action.said.clone())));
        values.insert("form".to_owned(), Value::Object(extra.form));
        values.insert("errors".to_owned(), Value::Object(extra.errors));
        values.insert("problem".to_owned(), extra.problem);
        values.insert("reply".to_owned(), extra.reply);
        let mut response = self.filled(page, &values, extra.status.unwrap_or(StatusCode::OK))?;
        let switches = account::is_switched(&self.parts.headers, &query);
        if let Some(cookie) = account::remember(self.hosted, caller.as_ref(), named.as_deref().filter(|_| switches)) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    fn filled(&self, page: &Page, values: &Map<String, Value>, status: StatusCode) -> Result<Response, NotShown> {
        match self.set.show(page, values) {
            Ok(text) => Ok(html(status, text)),
            Err(error) => {
                tracing::error!(%error, "a page cannot be shown");
                Err(NotShown::Failed(StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.".to_owned()))
            }
        }
    }

    /// Asks the API for the data of a page.
    async fn get(&self, get: &PageGet, scope: &Scope, about: Option<&str>) -> Result<Value, NotShown> {
        let address = address(&get.path, &get.query, scope).map_err(|error| {
            tracing::error!(%error, "a page cannot ask the API");
            NotShown::Failed(StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.".to_owned())
        })?;
        let address = account::called_for(self.hosted, "GET", address, about);
        let called = call(self.api, self.hosted, self.parts, "GET", &address, None).await;
        match called.status {
            status if status.is_success() => Ok(called.body),
            StatusCode::UNAUTHORIZED if !get.is_optional => Err(NotShown::Anonymous),
            _ if get.is_optional => Ok(Value::Null),
            status => Err(NotShown::Failed(status, called.body["detail"].as_str().unwrap_or_default().to_owned())),
        }
    }

    /// Returns the values that every page has.
    fn common(
        &self,
        page: &Page,
        path: &str,
        caller: Option<&Caller>,
        query: &Map<String, Value>,
    ) -> Result<Map<String, Value>, NotShown> {
        let words = self.set.words();
        let accepted = self.parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let locale = accepted.map_or_else(Locale::usual, Locale::accepted);
        let sees = |who: Who| match who {
            Who::Public => true,
            Who::Admin => caller.is_some_and(Caller::is_operator),
            _ => caller.is_some_and(|caller| caller.own_account().is_some()),
        };
        let is_above =
            |entry: &str| path == entry || path.strip_prefix(entry).is_some_and(|rest| rest.starts_with('/'));
        let entries: Vec<NavEntry> = self.set.nav().into_iter().filter(|entry| sees(entry.who)).collect();
        // `/admin` is an ancestor of `/admin/events`, which is closer to the page.
        let above = entries.iter().map(|entry| entry.path.as_str()).filter(|path| is_above(path));
        let current = above.max_by_key(|path| path.len());
        let shown = |entry: &NavEntry| json!({"label": entry.label, "path": entry.path, "is_current": current == Some(&entry.path)});
        let nav: Vec<Value> = entries.iter().map(shown).collect();
        let values = json!({
            "site": {
                "title": words.title, "about": words.about, "support": words.support, "url": self.hosted.url,
                "base": self.base(), "language": "en", "locale": locale.tag,
                "has_theme": self.set.asset("theme.css").is_some(), "is_test": !self.hosted.site.partition().livemode,
                "is_local": self.hosted.local_clock.is_some(),
            },
            "page": {
                "title": page.head.title, "path": path, "name": page.name, "query": query, ACCOUNT: null, FOR_ACCOUNT: "",
                "country": country(&self.parts.headers, self.api.app.country_header.as_ref()),
            },
            "caller": caller.map(|caller| self.caller_shown(caller)).transpose()?,
            "nav": nav,
            "now": host_engine::time::text(self.hosted.site.clock().now()),
        });
        match values {
            Value::Object(values) => Ok(values),
            _ => Ok(Map::new()),
        }
    }

    /// Returns who reads the page, with the address and the name if it is a user of the server.
    fn caller_shown(&self, caller: &Caller) -> Result<Value, NotShown> {
        let livemode = self.hosted.site.partition().livemode;
        let users = self.hosted.users.as_ref().map(|users| users.identity().users());
        let user = users.map(|users| users.by_id(livemode, &caller.actor.subject)).transpose();
        let user = user.map_err(Problem::from)?.flatten().map(|(user, _)| user);
        Ok(json!({
            "id": caller.actor.subject,
            "email": user.as_ref().map(|user| &user.email),
            "name": user.as_ref().and_then(|user| user.name.as_ref()),
            "is_confirmed": user.as_ref().is_none_or(|user| user.confirmed_at.is_some()),
            "is_operator": caller.is_operator(),
            "account": caller.own_account().map(Account::to_string),
            "organizations": account::organizations(self.hosted, caller)?,
        }))
    }

    /// Returns the page of an instance that is not running, for a visitor at the instance's own address. Its links lead to the
    /// site.
    pub(super) fn elsewhere(&self, away: Value) -> String {
        let shown = self.set.named(AWAY_PAGE).and_then(|page| {
            let mut values = self.common(page, "/away", None, &Map::new()).ok()?;
            values["site"]["base"] = Value::from(self.hosted.url.as_str());
            values.insert("away".to_owned(), away);
            self.set.show(page, &values).inspect_err(|error| tracing::error!(%error, "a page cannot be shown")).ok()
        });
        shown.unwrap_or_else(|| "<!doctype html><title>Not here</title><p>This instance does not run.".to_owned())
    }

    /// Answers with the page that explains a failure.
    pub(super) async fn failure(&self, status: StatusCode, detail: &str) -> Response {
        let caller = self.caller().await.ok().flatten();
        let title = status.canonical_reason().unwrap_or("Failed");
        let shown = self.set.named(ERROR_PAGE).and_then(|page| {
            let mut values = self.common(page, "/error", caller.as_ref(), &Map::new()).ok()?;
            values.insert("problem".to_owned(), json!({"title": title, "detail": super::words::sentence(detail)}));
            self.set.show(page, &values).ok()
        });
        html(status, shown.unwrap_or_else(|| format!("<!doctype html><title>{title}</title><p>{title}")))
    }
}
