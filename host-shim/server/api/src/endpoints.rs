//! `/api/endpoints/…`: the webhook endpoints of an account or of the whole business, and the log of their deliveries.

use crate::access;
use crate::ask::limit;
use crate::body::members;
use crate::command::{self, Answered};
use crate::description::Shape;
use crate::extract::{KnownCaller, PathPart, QueryOf};
use crate::makers::{maker, manages};
use crate::openapi::EVENTS;
use crate::problem::Problem;
use crate::proof::needs_proof;
use crate::sent_webhooks::SiteWebhooks;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use crate::webhooks::{
    Added, Attempt, Changes, Delivery, DeliveryState, ENDPOINTS_MAX, ENDPOINTS_OF_ACCOUNT_MAX,
    ENDPOINTS_OF_CUSTOMERS_MAX, ENDPOINTS_OF_MAKER_MAX, Endpoint, EndpointStatus, OLD_SECRETS_MAX, Reason, Rotation,
    check_url,
};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use extension_contract::{Account, FieldError, FieldErrorCode};
use host_business::routes::WrongValues;
use host_business::routes::limits::ENDPOINT_BYTES_MAX;
use host_engine::time;
use host_identity::access::Caller;
use host_identity::random;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Maximum length of a description in characters.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Maximum number of rows on a page of the log.
const ROWS_MAX: usize = 100;
/// How long the request that creates the first endpoint waits until the state of all accounts has been recorded.
const BASELINE: Duration = Duration::from_secs(10);
/// Interval between checks whether it has been recorded.
const LOOK: Duration = Duration::from_millis(20);

/// The query of a list and of a new endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAccount {
    account: Option<String>,
}

/// The query of the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfLog {
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

const ENDPOINT: Shape = Shape::new(
    "ServerEndpoint",
    &[
        "id: string",
        "account: string?",
        "url: string",
        "types: string[]",
        "description: string",
        "status: enabled | disabled",
        "maker: string?",
        "disabled_at: time?",
        "disabled_reason: person | gone | failing | waiting | maker?",
        "failing_since: time?",
        "created_at: time",
    ],
);
const NEW_ENDPOINT: Shape =
    Shape::new("ServerNewEndpoint", &["...ServerEndpoint", "secret: string"]).with(&[&ENDPOINT]);
const ENDPOINTS: Shape = Shape::new("ServerEndpoints", &["endpoints: ServerEndpoint[]"]).with(&[&ENDPOINT]);
const ATTEMPT: Shape =
    Shape::new("ServerAttempt", &["at: time", "took_ms: integer", "status: integer?", "error: string?"]);
const DELIVERY: Shape = Shape::new(
    "ServerDelivery",
    &[
        "message: string",
        "type: string",
        "account: string",
        "at: time",
        "state: pending | delivered | failed",
        "next_at: time?",
        "attempts: ServerAttempt[]",
    ],
)
.with(&[&ATTEMPT]);
const DELIVERIES: Shape =
    Shape::new("ServerDeliveries", &["deliveries: ServerDelivery[]", "next: string?"]).with(&[&DELIVERY]);
const MESSAGE: Shape = Shape::new("ServerMessage", &["message: string"]);
const COUNT: Shape = Shape::new("ServerCount", &["count: integer"]);
const MAKE: &[&str] = &["url: string", "types: string[]?", "description: string?"];
const CHANGE: &[&str] = &["url: string?", "types: string[]?", "description: string?", "status: enabled | disabled?"];
const RESEND: &[&str] = &["since: time?"];

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::get("/api/endpoints", "listEndpoints", list)
            .about("The webhook endpoints of an account.")
            .query(&["account: string?"])
            .gives(&ENDPOINTS),
        ServerRoute::post("/api/endpoints", "makeEndpoint", make)
            .about("Makes a webhook endpoint, and shows its secret once.")
            .detail("Without `types`, it gets all of them.")
            .query(&["account: string?"])
            .body(MAKE)
            .status("201")
            .gives(&NEW_ENDPOINT),
        ServerRoute::get("/api/endpoints/{id}", "getEndpoint", get).about("A webhook endpoint.").gives(&ENDPOINT),
        ServerRoute::of("PATCH", "/api/endpoints/{id}", "changeEndpoint", change)
            .about("Changes, disables or enables a webhook endpoint.")
            .body(CHANGE)
            .gives(&ENDPOINT),
        ServerRoute::delete("/api/endpoints/{id}", "deleteEndpoint", delete)
            .about("Deletes a webhook endpoint with its log."),
        ServerRoute::post("/api/endpoints/{id}/rotate", "rotateSecret", rotate)
            .about("Makes a new secret. Each earlier one signs as well for a day.")
            .detail("With the same `Idempotency-Key` again, it is the same rotation. 409 `too-many-secrets` if four earlier ones sign.")
            .gives(&NEW_ENDPOINT),
        ServerRoute::post("/api/endpoints/{id}/test", "testEndpoint", test)
            .about("Sends a message `endpoint.test`.")
            .status("202")
            .gives(&MESSAGE),
        ServerRoute::get("/api/endpoints/{id}/deliveries", "listDeliveries", log)
            .about("The log of an endpoint, the newest message first, with all attempts.")
            .query(&["state: pending | delivered | failed?", "after: string?", "limit: integer?"])
            .gives(&DELIVERIES),
        ServerRoute::post("/api/endpoints/{id}/deliveries/{message}/resend", "resendMessage", resend)
            .about("Sends a message again.")
            .status("202")
            .gives(&MESSAGE),
        ServerRoute::post("/api/endpoints/{id}/resend", "resendFailed", resend_failed)
            .about("Sends all failed messages since a time again.")
            .body(RESEND)
            .status("202")
            .gives(&COUNT),
    ]
}

impl HostedSite {
    fn webhooks(&self) -> Result<&SiteWebhooks, Problem> {
        self.webhooks.as_ref().ok_or_else(|| Problem::not_found("the server sends no webhooks"))
    }
}

/// Returns the account of a request. None means all accounts: the default for operators and services.
fn account_of(caller: &Caller, named: Option<&str>) -> Result<Option<Account>, Problem> {
    let account = match named {
        None if caller.is_service() && caller.own_account().is_none() => None,
        named => Some(access::account(caller, named)?),
    };
    match manages(caller, account.as_ref()) {
        true => Ok(account),
        false => Err(Problem::forbidden("only an owner of the organization may do this")),
    }
}

/// Returns an endpoint that the caller manages and may change, which a user with an unverified address may not.
fn own_endpoint(called: &KnownCaller, id: &str) -> Result<Endpoint, Problem> {
    let endpoint = endpoint(called, id)?;
    needs_proof(&called.hosted, &called.caller)?;
    Ok(endpoint)
}

/// Returns an endpoint that the caller manages. Other callers' endpoints look like unknown ones.
fn endpoint(called: &KnownCaller, id: &str) -> Result<Endpoint, Problem> {
    let found = called.hosted.webhooks()?.webhooks.endpoint(id)?;
    let found = found.filter(|endpoint| manages(&called.caller, endpoint.account.as_ref()));
    found.ok_or_else(|| Problem::not_found("no endpoint with this id"))
}

/// Counts a message that a person causes to be sent to an endpoint, since each one is stored for a month or sent to another server.
fn count_message(app: &AppState, called: &KnownCaller, endpoint: &Endpoint) -> Result<(), Problem> {
    let account = endpoint.account.as_ref().map(ToString::to_string);
    app.rates.endpoint_message(&called.hosted.site.partition().name(), account.as_deref())
}

fn shown(endpoint: &Endpoint) -> Value {
    json!({
        "id": endpoint.id,
        "account": endpoint.account.as_ref().map(ToString::to_string),
        "url": endpoint.url,
        "types": endpoint.types,
        "description": endpoint.description,
        "status": match endpoint.status() {
            EndpointStatus::Enabled => "enabled",
            EndpointStatus::Disabled => "disabled",
        },
        "maker": endpoint.maker.as_ref().map(|maker| &maker.id),
        "disabled_at": endpoint.disabled_at.map(time::text),
        "disabled_reason": endpoint.disabled_reason.map(Reason::name),
        "failing_since": endpoint.failing_since.map(time::text),
        "created_at": time::text(endpoint.created_at),
    })
}

fn delivery_shown(delivery: &Delivery) -> Value {
    let attempt = |attempt: &Attempt| json!({"at": time::text(attempt.at), "took_ms": attempt.took_ms, "status": attempt.status, "error": attempt.error});
    let is_pending = delivery.state == DeliveryState::Pending;
    json!({
        "message": delivery.message,
        "type": delivery.event_type,
        "account": delivery.account,
        "at": time::text(delivery.at),
        "state": delivery.state.name(),
        "next_at": is_pending.then(|| time::text(delivery.next_at)),
        "attempts": delivery.attempts.iter().map(attempt).collect::<Vec<_>>(),
    })
}

/// Checks those of address, types and description that are given.
fn changes(given: &Map<String, Value>, is_local: bool) -> Result<Changes, Problem> {
    let mut errors = WrongValues::default();
    let mut wrong = |path: String, found: String| {
        errors.add(|| FieldError::new(path, FieldErrorCode::NotAllowed, found));
    };
    let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
    let (url, description) = (text("url"), text("description"));
    if let Some(Err(error)) = url.as_deref().map(|url| check_url(url, is_local)) {
        wrong("/url".to_owned(), error.to_string());
    }
    let fits = |text: &String| text.chars().count() <= DESCRIPTION_CHARS_MAX && !text.contains('\0');
    if description.as_ref().is_some_and(|text| !fits(text)) {
        wrong(
            "/description".to_owned(),
            format!("expected at most {DESCRIPTION_CHARS_MAX} characters, none of them zero"),
        );
    }
    let types = given
        .get("types")
        .and_then(Value::as_array)
        .map(|types| types.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect::<Vec<String>>());
    let is_unknown = |name: &String| EVENTS.iter().all(|event| event.name != name);
    let unknown = types.iter().flatten().enumerate().filter(|(_, name)| is_unknown(name));
    for (at, (index, _)) in unknown.enumerate() {
        let known = || EVENTS.iter().map(|event| event.name).collect::<Vec<_>>().join(", ");
        let message = if at == 0 { format!("expected one of {}", known()) } else { "not a type either".to_owned() };
        wrong(format!("/types/{index}"), message);
    }
    if types.as_ref().is_some_and(|types| types.len() > EVENTS.len()) {
        wrong("/types".to_owned(), format!("expected at most {} types", EVENTS.len()));
    }
    match errors.is_empty() {
        true => Ok(Changes { url, types, description }),
        false => Err(Problem::invalid("body", errors)),
    }
}

/// Carries out `POST /api/endpoints`: creates an endpoint, and shows its secret once.
async fn make(
    State(app): State<AppState>,
    called: KnownCaller,
    QueryOf(query): QueryOf<OfAccount>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let (hosted, own) = (&called.hosted, called.hosted.webhooks()?);
    let account = account_of(&called.caller, query.account.as_deref())?;
    needs_proof(hosted, &called.caller)?;
    let changes = changes(&members(&app, &headers, body, ENDPOINT_BYTES_MAX, MAKE).await?, own.is_local)?;
    let maker = maker(hosted, &called.caller)?;
    let (secret, reference) = own.secret(hosted.site.partition())?;
    let endpoint = Endpoint {
        id: random("ep_")?,
        account,
        url: changes.url.unwrap_or_default(),
        types: changes.types.unwrap_or_default(),
        description: changes.description.unwrap_or_default(),
        secret: reference,
        old_secrets: Vec::new(),
        maker: Some(maker),
        disabled_at: None,
        disabled_reason: None,
        failing_since: None,
        created_at: hosted.site.clock().now(),
    };
    let added = own.webhooks.add_endpoint(&endpoint);
    if !matches!(added, Ok(Added::Done)) {
        own.forget(hosted.site.partition(), &endpoint.secret);
    }
    let too_many = match added? {
        Added::Done => None,
        Added::TooMany => Some(format!("expected at most {ENDPOINTS_MAX} endpoints of operators and services")),
        Added::TooManyOfMaker => Some(format!("expected at most {ENDPOINTS_OF_MAKER_MAX} endpoints of one maker")),
        Added::TooManyOfCustomers => {
            Some(format!("expected at most {ENDPOINTS_OF_CUSTOMERS_MAX} endpoints of all customers"))
        }
        Added::TooManyOfAccount => Some(format!("expected at most {ENDPOINTS_OF_ACCOUNT_MAX} endpoints of an account")),
    };
    if let Some(detail) = too_many {
        return Err(Problem::new(StatusCode::CONFLICT, "too-many-endpoints", detail));
    }
    // The endpoint gets every change after this answer, so the server first records the state of all accounts.
    let until = Instant::now() + BASELINE;
    while !own.webhooks.has_baseline()? && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
    let mut shown = shown(&endpoint);
    shown["secret"] = json!(secret);
    Ok(Answered::of(201, shown))
}

/// Carries out `GET /api/endpoints`.
async fn list(called: KnownCaller, QueryOf(query): QueryOf<OfAccount>) -> Result<Answered, Problem> {
    let account = account_of(&called.caller, query.account.as_deref())?;
    let all = called.hosted.webhooks()?.webhooks.endpoints(account.as_ref())?;
    Ok(Answered::ok(json!({"endpoints": all.iter().map(shown).collect::<Vec<_>>()})))
}

/// Carries out `GET /api/endpoints/ID`.
async fn get(called: KnownCaller, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    Ok(Answered::ok(shown(&endpoint(&called, &id)?)))
}

/// Carries out `PATCH /api/endpoints/ID`: changes address, types and description; `status` disables or enables it.
async fn change(
    State(app): State<AppState>,
    called: KnownCaller,
    PathPart(id): PathPart<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let endpoint_before = own_endpoint(&called, &id)?;
    let own = called.hosted.webhooks()?;
    let given = members(&app, &headers, body, ENDPOINT_BYTES_MAX, CHANGE).await?;
    own.webhooks.change_endpoint(&id, &changes(&given, own.is_local)?)?;
    let now = called.hosted.site.clock().now();
    match given.get("status").and_then(Value::as_str) {
        Some("enabled") if endpoint_before.status() == EndpointStatus::Disabled => {
            count_message(&app, &called, &endpoint_before)?;
            let by = maker(&called.hosted, &called.caller)?;
            own.webhooks.enable(&endpoint_before, &by, &random("msg_")?, now)?;
        }
        Some("disabled") => _ = own.webhooks.disable(&id, Reason::Person, now)?,
        _ => {}
    }
    Ok(Answered::ok(shown(&endpoint(&called, &id)?)))
}

/// Carries out `DELETE /api/endpoints/ID`.
async fn delete(called: KnownCaller, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    let (endpoint, own) = (endpoint(&called, &id)?, called.hosted.webhooks()?);
    own.webhooks.delete_endpoint(&id)?;
    own.forget_secrets(called.hosted.site.partition(), endpoint);
    Ok(Answered::ok(json!({})))
}

/// Carries out `POST /api/endpoints/ID/rotate`: creates a new secret and shows it. Each earlier secret also signs for another day.
/// Repeating the request with the same `Idempotency-Key` shows the secret created by the first one.
async fn rotate(
    State(app): State<AppState>,
    called: KnownCaller,
    PathPart(id): PathPart<String>,
    headers: HeaderMap,
) -> Result<Answered, Problem> {
    let (endpoint, own) = (own_endpoint(&called, &id)?, called.hosted.webhooks()?);
    let (request, now) = (command::id(&app, &called.caller, &endpoint.id, &headers)?, called.hosted.site.clock().now());
    let (secret, reference) = own.secret(called.hosted.site.partition())?;
    let rotated = own.webhooks.rotate(&endpoint.id, &reference, &request, now);
    if !matches!(rotated, Ok(Rotation::Done(_))) {
        own.forget(called.hosted.site.partition(), &reference);
    }
    let secret = match rotated? {
        Rotation::Done(ended) => {
            ended.iter().for_each(|reference| own.forget(called.hosted.site.partition(), reference));
            secret
        }
        Rotation::Repeated(made) => own.resolve(called.hosted.site.partition(), &made)?,
        Rotation::TooMany(until) => {
            let detail =
                format!("{OLD_SECRETS_MAX} earlier secrets still sign, the oldest until {}", time::text(until));
            return Err(Problem::new(StatusCode::CONFLICT, "too-many-secrets", detail));
        }
        Rotation::Unknown => return Err(Problem::not_found("no endpoint with this id")),
    };
    let mut shown = shown(&endpoint);
    shown["secret"] = json!(secret);
    Ok(Answered::ok(shown))
}

/// Carries out `POST /api/endpoints/ID/test`: sends a message of the type `endpoint.test`.
async fn test(
    State(app): State<AppState>,
    called: KnownCaller,
    PathPart(id): PathPart<String>,
) -> Result<Answered, Problem> {
    let (endpoint, message) = (endpoint(&called, &id)?, random("msg_")?);
    count_message(&app, &called, &endpoint)?;
    called.hosted.webhooks()?.webhooks.test(&endpoint, &message, called.hosted.site.clock().now())?;
    Ok(Answered::of(202, json!({"message": message})))
}

/// Carries out `GET /api/endpoints/ID/deliveries`: the log, the newest message first.
async fn log(
    called: KnownCaller,
    PathPart(id): PathPart<String>,
    QueryOf(query): QueryOf<OfLog>,
) -> Result<Answered, Problem> {
    let endpoint = endpoint(&called, &id)?;
    let state = query.state.as_deref().map(|name| {
        let names = DeliveryState::ALL.map(DeliveryState::name).join(", ");
        DeliveryState::parse(name).ok_or_else(|| Problem::bad("query", format!("`state` is {name}, expected {names}")))
    });
    let before = query
        .after
        .as_deref()
        .map(|after| after.parse().map_err(|_| Problem::bad("query", "`after` is not the `next` of a page")));
    let most = limit(query.limit.unwrap_or(ROWS_MAX), ROWS_MAX)?;
    let rows = called.hosted.webhooks()?.webhooks.log(&endpoint.id, state.transpose()?, before.transpose()?, most)?;
    let next = rows.last().filter(|_| rows.len() == most).map(|row| row.seq.to_string());
    Ok(Answered::ok(json!({"deliveries": rows.iter().map(delivery_shown).collect::<Vec<_>>(), "next": next})))
}

/// Carries out `POST /api/endpoints/ID/deliveries/MESSAGE/resend`.
async fn resend(
    State(app): State<AppState>,
    called: KnownCaller,
    PathPart((id, message)): PathPart<(String, String)>,
) -> Result<Answered, Problem> {
    let endpoint = endpoint(&called, &id)?;
    count_message(&app, &called, &endpoint)?;
    let now = called.hosted.site.clock().now();
    match called.hosted.webhooks()?.webhooks.resend(&endpoint.id, &message, now)? {
        true => Ok(Answered::of(202, json!({"message": message}))),
        false => Err(Problem::not_found("no message with this id")),
    }
}

/// Carries out `POST /api/endpoints/ID/resend`: resends all messages that have failed since a given time.
async fn resend_failed(
    State(app): State<AppState>,
    called: KnownCaller,
    PathPart(id): PathPart<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    let endpoint = endpoint(&called, &id)?;
    let given = members(&app, &headers, body, ENDPOINT_BYTES_MAX, RESEND).await?;
    count_message(&app, &called, &endpoint)?;
    let since = given.get("since").and_then(Value::as_str).and_then(time::parse).unwrap_or(0);
    let now = called.hosted.site.clock().now();
    let count = called.hosted.webhooks()?.webhooks.resend_failed(&endpoint.id, since, now)?;
    Ok(Answered::of(202, json!({"count": count})))
}
