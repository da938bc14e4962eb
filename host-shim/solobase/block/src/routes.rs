//! The routes below the block's path: who may call them, and what they do.

mod commands;
mod events;
mod health;
mod moving;
mod outbox;
mod products;
mod queries;
mod webhooks;

pub(crate) use webhooks::{own_key, own_secrets, secrets};

use crate::app::{AppError, SERVICE_KEY, is_key, key};
use crate::http::{BODY_BYTES_MAX, Request, Response};
use crate::platform::Platform;
use extension_contract::{Account, Actor, ActorKind, Refusal, Reply};
use host_engine::outbox::OutboxError;
use host_engine::processor::AskError;
use host_engine::show::{refusal_members, refusal_status, too_many_open};
use host_store::StoreError;
use host_wasm_runner::runner::RunError;
use serde_json::{Value, json};

/// Maximum number of attempts of a request in competition with other calls. Each is decided on a new state.
const ATTEMPTS_MAX: usize = 8;
/// The header with the key of a service.
const KEY_HEADER: &str = "x-service-key";

/// The reason why a request has no answer.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Another call committed first; the same request can be carried out again.
    Outrun,
    /// The answer to the request.
    Answer(Box<Response>),
}

impl From<Response> for Failed {
    fn from(response: Response) -> Self {
        Failed::Answer(Box::new(response))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked(_) => Failed::Outrun,
            StoreError::Misuse(text) => Response::error(400, "malformed", text).into(),
            StoreError::Taken(_) | StoreError::Unavailable(_) => Response::unavailable("the store failed").into(),
        }
    }
}

impl From<AppError> for Failed {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Store(error) => error.into(),
            error @ (AppError::NotPrepared | AppError::Importing | AppError::Damaged(_)) => {
                Response::unavailable(error.to_string()).into()
            }
        }
    }
}

impl From<OutboxError> for Failed {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Store(error) => error.into(),
            error => Response::error(500, "internal", error.to_string()).into(),
        }
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Problem(extension_contract::Problem::Refused(refusal)) => refused(&refusal).into(),
            AskError::Run(RunError::Failure(extension_contract::Failure::Store(
                extension_contract::ImportError::Unavailable(_),
            ))) => Response::unavailable("the store failed").into(),
            error => Response::error(500, "internal", error.to_string()).into(),
        }
    }
}

type Answered = Result<Response, Failed>;

/// Returns the answer to a refused request.
fn refused(refusal: &Refusal) -> Response {
    if let Some(detail) = too_many_open(refusal) {
        return Response::error(429, "too-many-requests", detail);
    }
    Response::error(refusal_status(refusal), refusal.code(), refusal.detail()).with(refusal_members(refusal))
}

/// Returns the answer for a reply.
fn replied(reply: &Reply) -> Response {
    match reply {
        Reply::Answer(text) => Response::ok(serde_json::from_str(text).unwrap_or(Value::Null)),
        Reply::Refused(refusal) => refused(refusal),
    }
}

fn not_found(what: impl Into<String>) -> Response {
    Response::error(404, "not-found", what)
}

/// The caller of a route.
struct Caller {
    actor: Actor,
    /// The caller's own account; none for a service.
    own: Option<Account>,
}

impl Caller {
    fn is_operator(&self) -> bool {
        matches!(self.actor.kind, ActorKind::Admin | ActorKind::Service)
    }

    /// Returns the account that a request is about: the one it names, if the caller can access it, or else the caller's
    /// own.
    fn account(&self, request: &Request) -> Result<Account, Failed> {
        let named = match request.query("account") {
            None => None,
            Some(text) => {
                let wrong = |_| Response::error(400, "query", format!("`account` is `{text}`, expected user:ID"));
                Some(text.parse::<Account>().map_err(wrong)?)
            }
        };
        match (named, &self.own) {
            (None, Some(own)) => Ok(own.clone()),
            (Some(named), Some(own)) if named == *own => Ok(named),
            (Some(named), _) if self.is_operator() => Ok(named),
            (Some(_), _) => Err(Response::error(403, "forbidden", "this account is not the caller's").into()),
            (None, None) => Err(Response::error(400, "query", "expected `account` in the query").into()),
        }
    }
}

/// Returns the caller: a service, identified by its key, or the user that the platform has authenticated.
fn caller(platform: &Platform<'_>, request: &Request) -> Result<Caller, Failed> {
    if let Some(given) = request.header(KEY_HEADER) {
        let right = (platform.config)(&key(SERVICE_KEY));
        let right = right.map_err(|_| Response::unavailable("the configuration cannot be read"))?;
        return match is_key(given, &right) {
            true => {
                let actor = Actor { kind: ActorKind::Service, subject: "solobase".to_owned(), roles: Vec::new() };
                Ok(Caller { actor, own: None })
            }
            false => Err(Response::error(401, "unauthorized", format!("`{KEY_HEADER}` is not valid")).into()),
        };
    }
    let (actor, own) =
        request.user().ok_or_else(|| Response::error(401, "unauthorized", "expected a user of the platform"))?;
    Ok(Caller { actor, own: Some(own) })
}

/// Returns a service, or fails.
fn service(platform: &Platform<'_>, request: &Request) -> Result<Caller, Failed> {
    match caller(platform, request)? {
        caller if caller.actor.kind == ActorKind::Service => Ok(caller),
        _ => Err(Response::error(403, "forbidden", format!("expected the header `{KEY_HEADER}`")).into()),
    }
}

/// Parses the body of a request.
fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Failed> {
    serde_json::from_slice(&request.body).map_err(|error| Response::error(400, "malformed", error.to_string()).into())
}

/// Answers a request.
pub fn handle(platform: &Platform<'_>, request: Request) -> Response {
    if request.body.len() > BODY_BYTES_MAX {
        return Response::error(413, "too-large", format!("the body has more than {BODY_BYTES_MAX} bytes"));
    }
    for _ in 0..ATTEMPTS_MAX {
        match route(platform, &request) {
            Ok(response) => return response,
            Err(Failed::Answer(response)) => return *response,
            Err(Failed::Outrun) => {}
        }
    }
    Response::unavailable("other requests changed the tables all the time")
}

fn route(platform: &Platform<'_>, request: &Request) -> Answered {
    let path = request.path().trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    match (request.method(), parts.as_slice()) {
        ("GET" | "HEAD", ["" | "health"]) => health::get(platform, request),
        (_, ["webhooks", name]) => webhooks::take(platform, request, name),
        ("POST", ["commands", kind]) => commands::send(platform, request, kind),
        ("GET", ["commands", id]) => commands::get(platform, request, id),
        ("GET", ["queries", name]) => queries::get(platform, request, name),
        ("GET", ["entitlements"]) => queries::get(platform, request, "entitlements"),
        ("POST", ["events"]) => events::take(platform, request),
        ("GET", ["events"]) => events::list(platform, request),
        ("POST", ["events", seq, "redrive"]) => events::redrive(platform, request, seq),
        ("POST", ["outbox", "lease"]) => outbox::lease(platform, request),
        ("POST", ["outbox", "answers"]) => outbox::answers(platform, request),
        ("POST", ["tick"]) => outbox::tick(platform, request),
        ("GET", ["export"]) => moving::export(platform, request),
        ("POST", ["import"]) => moving::import(platform, request),
        (_, ["catalog" | "products" | "purchases" | "subscription", ..]) => products::answer(platform, request, &parts),
        _ => Err(not_found(format!("no route {} /{path}", request.method())).into()),
    }
}

/// Answers an event according to its outcome.
fn outcome(reports: &[host_engine::processor::Report]) -> Response {
    let Some(report) = reports.first() else { return Response::unavailable("the event was not reported") };
    Response::ok(json!({"id": report.event_id, "outcome": report.result.name(), "reason": report.result.reason()}))
}
