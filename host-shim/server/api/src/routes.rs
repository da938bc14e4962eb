//! Carries out the routes that a business declares in its `routes.yml`. A route is data; the steps of a request are here, the same for each
//! route.
//!
//! [`of_pages`] provides the values for pages, [`request`] reads the values and finds the account, [`reads`] runs the queries of the route,
//! and its command follows the same path as every other command.

pub(crate) mod bearer;
pub(crate) mod of_pages;
pub(crate) mod own;
mod reads;
mod request;

use crate::access;
use crate::ask::ask;
use crate::body;
use crate::command::{self, Answered};
use crate::description::{Access, Answer};
use crate::extract::Open;
use crate::problem::Problem;
use crate::server_route::ServerRoute;
use crate::shares::Peer;
use crate::state::{AppState, HostedSite};
use crate::trace::RoutePattern;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::Account;
use host_business::routes::limits::COMMAND_BYTES_MAX;
use host_business::routes::{Absent, Form, Matched, Method, Route, Scope, ValueError, check_answer};
use host_identity::access::Caller;
use host_provider_api::{SecretError, Secrets};
use request::RouteRequest;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Returns the routes that every server has for serving those of a business.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/openapi.json", "", document)
            .about("The OpenAPI document of the business's routes and of these.")
            .by(Access::All)
            .answers(Answer::Json),
    ]
}

/// Carries out `GET /openapi.json`.
async fn document(State(app): State<AppState>, Open(hosted): Open) -> Response {
    let document = app.documents.get(hosted.site.partition()).cloned().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

/// Returns the methods of a path, for the `Allow` header.
fn allow(methods: &[Method]) -> String {
    let names = methods.iter().map(|method| if *method == Method::Get { "GET, HEAD" } else { method.name() });
    names.collect::<Vec<_>>().join(", ")
}

/// Answers a request with the route of the business that matches it. If none does, returns the request, with the problem to answer if
/// nothing else handles it: 405 for a path that has routes with other methods, otherwise 404.
pub(crate) async fn answer(
    app: &AppState,
    hosted: &Arc<HostedSite>,
    request: Request<Body>,
) -> Result<Response, (Request<Body>, Problem)> {
    let method =
        if request.method() == axum::http::Method::HEAD { Method::Get.name() } else { request.method().as_str() };
    match hosted.routes.find(method, request.uri().path()) {
        Matched::Route(route, parts) => Ok(answer_by(app, hosted, route, parts, request).await),
        Matched::OtherMethods(methods) => Err((request, Problem::method(&allow(&methods)))),
        Matched::Nothing => Err((request, Problem::not_found("no such path"))),
    }
}

async fn answer_by(
    app: &AppState,
    hosted: &Arc<HostedSite>,
    route: &Route,
    path: Vec<(String, String)>,
    request: Request<Body>,
) -> Response {
    let sends_by_get = route.method == Method::Get && route.command.is_some();
    if sends_by_get && request.method() == axum::http::Method::HEAD {
        // Whoever asks only for the headers of an answer does not expect a command.
        let mut response = Problem::method(Method::Get.name()).into_response();
        response.extensions_mut().insert(RoutePattern(route.pattern.to_string()));
        return response;
    }
    let mut response = match carry_out(app, hosted, route, path, request).await {
        Ok(answered) => answered.into_response(),
        Err(problem) => Problem::answered(problem.into_response(), &route.errors),
    };
    if sends_by_get {
        // A command creates something, for example a link that works once, so no cache may answer in its place.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response.extensions_mut().insert(RoutePattern(route.pattern.to_string()));
    response
}

async fn carry_out(
    app: &AppState,
    hosted: &Arc<HostedSite>,
    route: &Route,
    path: Vec<(String, String)>,
    request: Request<Body>,
) -> Result<Answered, Problem> {
    let (parts, body) = request.into_parts();
    let caller = request::caller(app, hosted, route, &parts).await?;
    let body = body::read(&parts.headers, body, app.limits.body, COMMAND_BYTES_MAX).await?;
    let asked = RouteRequest::read(app, hosted, route, caller, path, &parts, &body).await?;
    let RouteRequest { caller, account, scope, page } = asked;
    let reader = reads::Reader { hosted, account: account.clone(), caller: caller.clone(), page };
    let scope = reader.read(&route.reads, scope).await?;
    let Some(kind) = &route.command else {
        return filled(hosted, route, scope).await.map(|body| Answered::of(route.status, body));
    };
    // The checker allows no command on a route without a caller.
    let (Some(caller), Some(account)) = (caller, account) else {
        return Err(access::unauthorized("expected `Authorization: Bearer KEY`"));
    };
    let id = command::id(app, &caller, &account.to_string(), &parts.headers)?;
    let keeper = Keeper { secrets: hosted.routes.secrets.as_deref(), hosted, account: &account };
    let with_secrets = keeper.keep(route, &id, &scope)?;
    let payload = route.payload.value(&with_secrets, Absent::LeftOut).map_err(|error| Problem::of_value(&error))?;
    let payload = payload.unwrap_or_else(|| json!({})).to_string();
    if payload.len() > COMMAND_BYTES_MAX {
        return Err(Problem::too_large(COMMAND_BYTES_MAX));
    }
    let answered = command::run_with_id(app, hosted, caller, account.clone(), kind, payload, id).await?;
    if answered.is_pending() {
        return Ok(answered);
    }
    let mut reply = answered.reply().clone();
    let revealed = match &route.reveal {
        Some(member) => keeper.reveal(member, &mut reply)?,
        None => None,
    };
    let scope = reader.read(&route.then, scope.with("reply", &reply)).await?;
    let body = if route.give.is_some() { filled(hosted, route, scope).await? } else { reply };
    // The secret is used up only by an answer that is ready.
    if let Some(reference) = revealed {
        keeper.forget(&reference)?;
    }
    Ok(Answered::of(route.status, body))
}

/// Returns the answer of a route. The data that it has read may be long, and is then filled in where it holds up no other request.
async fn filled(hosted: &Arc<HostedSite>, route: &Route, scope: Scope) -> Result<Value, Problem> {
    if route.reads.is_empty() && route.then.is_empty() {
        return given(hosted, route, &scope);
    }
    let (of, route) = (hosted.clone(), route.clone());
    ask(&hosted.site, move |_| given(&of, &route, &scope)).await?
}

/// Returns the answer of a route, which has the type that the route declares.
fn given(hosted: &HostedSite, route: &Route, scope: &Scope) -> Result<Value, Problem> {
    let given = route.give.as_ref().map(|give| give.value(scope, Absent::Null)).transpose();
    let answer = given.map_err(|error| Problem::of_value(&error))?.flatten().unwrap_or_else(|| json!({}));
    check_answer(&route.answer, &answer, &hosted.routes.types).map_err(|error| {
        tracing::error!(route = route.name, %error, "an answer of routes.yml does not have its type");
        Problem::internal()
    })?;
    Ok(answer)
}

impl Problem {
    /// A form of the business does not fit the values; the business has to fix its `routes.yml`.
    fn of_value(error: &ValueError) -> Problem {
        tracing::error!(%error, "an answer of routes.yml has no value");
        Problem::internal()
    }
}

/// Puts the secrets of a request into the vault, and reveals those of a reply.
struct Keeper<'r> {
    secrets: Option<&'r dyn Secrets>,
    hosted: &'r HostedSite,
    account: &'r Account,
}

impl Keeper<'_> {
    fn scope(&self) -> String {
        self.hosted.site.partition().scope(self.account.clone()).name()
    }

    fn vault(&self) -> Result<&dyn Secrets, Problem> {
        self.secrets.ok_or_else(|| Problem::unavailable("the server has no vault"))
    }

    /// Puts the secrets of a request into the vault, and returns the names with their references. Repeating the request gives the same
    /// references.
    fn keep(&self, route: &Route, id: &str, scope: &Scope) -> Result<Scope, Problem> {
        let mut references = Map::new();
        for (name, form) in &route.secrets {
            let Some(Value::String(plain)) = value_of(form, scope)? else { continue };
            let kept = self.vault()?.put(&self.scope(), &format!("{}:{name}:{id}", route.name), &plain);
            let reference = kept.map_err(|error| {
                tracing::error!(%error, "a secret of a request was not kept");
                Problem::unavailable("the secret cannot be kept")
            })?;
            references.insert(name.clone(), Value::from(reference.reference));
        }
        Ok(scope.with("secrets", references))
    }

    /// Replaces the reference in a member of a reply with its secret. Returns the reference.
    fn reveal(&self, member: &str, reply: &mut Value) -> Result<Option<String>, Problem> {
        let Some(reference) = reply.get(member).and_then(Value::as_str).map(str::to_owned) else { return Ok(None) };
        let secret = self.vault()?.resolve(&self.scope(), &reference).map_err(not_shown)?;
        reply[member] = Value::from(secret.expose());
        Ok(Some(reference))
    }

    /// Deletes a secret that has been shown, since it is shown only once.
    fn forget(&self, reference: &str) -> Result<(), Problem> {
        self.vault()?.forget(&self.scope(), reference).map_err(not_shown)
    }
}

fn not_shown(error: SecretError) -> Problem {
    match error {
        SecretError::Unknown(_) => {
            let detail = "the secret was shown in the answer to an earlier request with this Idempotency-Key";
            Problem::new(StatusCode::CONFLICT, "already_shown", detail)
        }
        SecretError::Unavailable { .. } | SecretError::NoReference => {
            tracing::error!(%error, "a secret of a reply was not shown");
            Problem::unavailable("the secret cannot be read")
        }
    }
}

fn value_of(form: &Form, scope: &Scope) -> Result<Option<Value>, Problem> {
    form.value(scope, Absent::LeftOut).map_err(|error| Problem::of_value(&error))
}

/// Name of the caller in expressions.
const CALLER: &str = "caller";

/// Returns the values of a request, the configuration and the time for the expressions of a route.
fn scope_of(hosted: &HostedSite, values: [(&str, Map<String, Value>); 3]) -> Scope {
    let now = host_engine::time::text(hosted.site.clock().now());
    let today = now.split('T').next().unwrap_or_default().to_owned();
    let scope = hosted.routes.config.with("now", now).with("today", today);
    values.into_iter().fold(scope, |scope, (name, values)| scope.with(name, values))
}

/// Returns the caller for the expressions of a route, without the account.
fn caller_shown(app: &AppState, caller: &Caller, headers: &HeaderMap, peer: Option<Peer>) -> Value {
    json!({
        "id": caller.actor.subject,
        "kind": caller.actor.kind,
        "ip": app.rates.client(peer, headers).map(|address| address.to_string()),
        "token": bearer::shown(headers),
    })
}
