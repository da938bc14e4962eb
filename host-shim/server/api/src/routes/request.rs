//! Reads the request to a route: the caller, the account that the request is about, and the values in it.

use super::{CALLER, bearer, caller_shown, scope_of};
use crate::access;
use crate::ask::read as read_store;
use crate::body::object;
use crate::problem::Problem;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use axum::http::Method;
use axum::http::request::Parts;
use extension_contract::Account;
use host_business::routes::{Absent, Given, PAGE_ROWS_MAX, Route, Scope, Who, read_body, read_texts};
use host_engine::read::holder;
use host_identity::access::Caller;
use serde_json::{Map, Value};

/// Name of the account in a query.
const ACCOUNT: &str = "account";

/// A request to a route, with its values.
pub(super) struct RouteRequest {
    pub(super) caller: Option<Caller>,
    /// None for a request without a caller.
    pub(super) account: Option<Account>,
    pub(super) scope: Scope,
    /// Number of rows on a page, and the last row of the previous page.
    pub(super) page: (usize, Option<String>),
}

/// Returns the caller, unless the route is public and needs none.
pub(super) async fn caller(
    app: &AppState,
    hosted: &HostedSite,
    route: &Route,
    parts: &Parts,
) -> Result<Option<Caller>, Problem> {
    let is_named = parts.headers.contains_key(axum::http::header::AUTHORIZATION);
    if route.who == Who::Public && !is_named {
        crate::extract::count(app, hosted, &parts.headers, &parts.extensions).await?;
        return Ok(None);
    }
    if route.who == Who::Token {
        let bearer = bearer::find(app, hosted, parts, access::bearer(&parts.headers)).await?;
        // The command explains why a token that it redeems gives nothing any longer.
        let caller = if route.redeems_token() { Ok(bearer.caller) } else { bearer.valid() };
        return caller.map(Some);
    }
    let caller = crate::extract::caller_of(app, hosted, parts, &effect_of(route)).await?;
    match route.who {
        Who::Admin if !caller.is_operator() => Err(Problem::forbidden("only an operator may do this")),
        Who::Service if !caller.is_service() => Err(Problem::forbidden("only a service may do this")),
        _ => Ok(Some(caller)),
    }
}

/// Returns the method as which a request is treated: a route with a command changes something, whatever its own method. So no
/// page of another server can send the command by leading a browser to the route.
fn effect_of(route: &Route) -> Method {
    match (&route.command, route.method) {
        (None, host_business::routes::Method::Get) => Method::GET,
        _ => Method::POST,
    }
}

impl RouteRequest {
    /// Reads the values of a request.
    pub(super) async fn read(
        app: &AppState,
        hosted: &HostedSite,
        route: &Route,
        caller: Option<Caller>,
        path: Vec<(String, String)>,
        parts: &Parts,
        body: &[u8],
    ) -> Result<RouteRequest, Problem> {
        let mut query = texts_of(parts)?;
        let named = match caller.is_some() && !route.query.iter().any(|field| field.name == ACCOUNT) {
            true => query.iter().position(|(name, _)| name == ACCOUNT).map(|at| query.remove(at).1),
            false => None,
        };
        let path = right(read_texts(&route.path, &path), "path")?;
        let query = right(read_texts(&route.query, &query), "query")?;
        let body = match route.method.has_body() {
            true => right(read_body(&route.body, &hosted.routes.types, object(body)?), "body")?,
            false => Map::new(),
        };
        let page = page(&query)?;
        let peer = parts.extensions.get::<Peer>().copied();
        let values = [("path", path), ("query", query), ("body", body)];
        let scope = scope_of(hosted, values);
        let Some(caller) = caller else { return Ok(RouteRequest { caller: None, account: None, scope, page }) };
        let mut shown = caller_shown(app, &caller, &parts.headers, peer);
        let scope = scope.with(CALLER, &shown);
        let account = account(hosted, route, &caller, named.as_deref(), &scope).await?;
        shown[ACCOUNT] = Value::from(account.as_ref().map(ToString::to_string));
        let scope = scope.with(CALLER, shown);
        Ok(RouteRequest { caller: Some(caller), account, scope, page })
    }
}

/// Returns the account of a request: that of the route, or the one it names, or the caller's own.
async fn account(
    hosted: &HostedSite,
    route: &Route,
    caller: &Caller,
    named: Option<&str>,
    scope: &Scope,
) -> Result<Option<Account>, Problem> {
    if let Some(form) = &route.holder {
        let claim = form.value(scope, Absent::LeftOut).map_err(|error| Problem::of_value(&error))?;
        let claim = claim.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let (partition, wanted) = (hosted.site.partition().clone(), claim.clone());
        let found = read_store(&hosted.site, move |store| holder(store, &partition, &wanted)).await?;
        let found = found.filter(|account| caller.reaches(account));
        return found.map(Some).ok_or_else(|| Problem::not_found(format!("no `{claim}`")));
    }
    let written = route.account.as_ref().map(|form| form.value(scope, Absent::LeftOut)).transpose();
    let written = written.map_err(|error| Problem::of_value(&error))?.flatten();
    let wanted = written.as_ref().and_then(Value::as_str).or(named);
    match (route.who, wanted) {
        (Who::Public, _) => Ok(None),
        // What an operator does without an account concerns the catalog.
        (Who::Admin, None) => Ok(Some(Account::Platform)),
        _ => access::account(caller, wanted).map(Some),
    }
}

/// Returns the values of a query.
fn texts_of(parts: &Parts) -> Result<Vec<(String, String)>, Problem> {
    match axum::extract::Query::try_from_uri(&parts.uri) {
        Ok(axum::extract::Query(texts)) => Ok(texts),
        Err(error) => Err(Problem::bad("query", error.body_text())),
    }
}

fn right(given: Given, part: &'static str) -> Result<Map<String, Value>, Problem> {
    given.map_err(|wrong| Problem::invalid(part, wrong))
}

/// Returns the page that the query requests.
fn page(query: &Map<String, Value>) -> Result<(usize, Option<String>), Problem> {
    let limit = query.get("limit").and_then(Value::as_i64).unwrap_or(PAGE_ROWS_MAX);
    let after = query.get("after").and_then(Value::as_str).map(str::to_owned);
    match usize::try_from(limit).ok().filter(|limit| (1..=PAGE_ROWS_MAX as usize).contains(limit)) {
        Some(limit) => Ok((limit, after)),
        None => {
            let message = format!("expected 1 to {PAGE_ROWS_MAX}");
            let code = extension_contract::FieldErrorCode::OutOfRange;
            Err(Problem::invalid_value("query", "/limit", code, message))
        }
    }
}
