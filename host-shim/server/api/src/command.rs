//! `POST /api/commands/KIND`: sends a command and answers with its reply. If the reply needs the result of an effect, the request
//! waits for it; a reply that does not come in time can be fetched from `GET /api/commands/ID`.

use crate::accept::accept;
use crate::access;
use crate::body;
use crate::closing::{self, CLOSE};
use crate::compact::compact;
use crate::description::{Answer, Given};
use crate::extract::{KnownCaller, PathPart, QueryOf};
use crate::problem::Problem;
use crate::proof;
use crate::rate::Storing;
use crate::server_route::ServerRoute;
use crate::state::{AppState, HostedSite};
use crate::turn;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use extension_contract::{
    Account, Actor, Event, Expected, FieldError, FieldErrorCode, JSON_BYTES_MAX, Outcome, Payload, Refusal, Reply,
};
use host_business::routes::limits::COMMAND_BYTES_MAX;
use host_business::routes::pointer_to;
use host_engine::processor::{Disposition, Report, is_same_command};
use host_engine::view::parsed;
use host_identity::access::{Caller, Reach};
use host_intake::Decoded;
use host_intake::body::parse_object;
use host_provider_api::url::encoded;
use host_store::{InboxRow, InboxState};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Source of a command.
const SOURCE: &str = "api";
/// The header that lets a caller send a request twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Maximum length of that header; the same as Stripe's.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The contract has no larger JSON.
const _: () = assert!(COMMAND_BYTES_MAX == JSON_BYTES_MAX);

/// The query of a command.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandQuery {
    account: Option<String>,
}

/// The answer to a command or an event.
#[derive(Debug)]
pub(crate) struct Answered {
    status: StatusCode,
    location: Option<String>,
    body: Value,
}

impl Answered {
    pub(crate) fn ok(body: Value) -> Self {
        Answered { status: StatusCode::OK, location: None, body }
    }

    /// Returns an answer with a successful status.
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Answered { status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK), ..Answered::ok(body) }
    }

    /// Returns true if the answer does not contain a reply yet.
    pub(crate) fn is_pending(&self) -> bool {
        self.status == StatusCode::ACCEPTED
    }

    /// Replaces the status and body of an answer that contains a reply; an answer without a reply is unchanged.
    pub(crate) fn map(self, status: StatusCode, change: impl FnOnce(Value) -> Value) -> Self {
        match self.status {
            StatusCode::OK => Answered { status, body: change(self.body), ..self },
            _ => self,
        }
    }

    /// Returns the reply, or null if there is none yet.
    pub(crate) fn reply(&self) -> &Value {
        if self.status == StatusCode::OK { &self.body } else { &Value::Null }
    }

    /// The event is stored, and its reply will be available at a path.
    fn later(id: &str) -> Self {
        let location = format!("/api/commands/{}", encoded(id, b":"));
        let body = json!({"id": id, "status": "pending", "location": location});
        Answered { status: StatusCode::ACCEPTED, location: Some(location), body }
    }

    /// Answers an event that has no caller, according to its outcome.
    pub(crate) fn of_report(report: Option<&Report>) -> Result<Self, Problem> {
        let Some(report) = report else { return Err(Problem::unavailable("the event was not reported")) };
        if let Disposition::Outcome(Outcome::Rejected(refusal)) = &report.result {
            return Err(Problem::of_refusal(refusal));
        }
        Ok(Answered::ok(
            json!({"id": report.event_id, "outcome": report.result.name(), "reason": report.result.reason()}),
        ))
    }
}

impl IntoResponse for Answered {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], self.body.to_string()).into_response();
        let location = self.location.and_then(|location| HeaderValue::try_from(location).ok());
        if let Some(location) = location {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// Returns the routes.
pub(crate) fn routes() -> Vec<ServerRoute> {
    vec![
        ServerRoute::post("/api/commands/{name}", "giveCommand", post)
            .about("Gives a command. Its kinds, payloads and replies are in the manifest.")
            .detail("The body is its payload, the answer is its reply.")
            .query(&["account: string?"])
            .given(Given::Object)
            .answers(Answer::Json)
            .command(),
        ServerRoute::get("/api/commands/{name}", "getReply", get)
            .about("The reply to a command that was answered with 202, by its id.")
            .answers(Answer::Json)
            .may_pend(),
    ]
}

/// Carries out `POST /api/commands/KIND`.
async fn post(
    State(app): State<AppState>,
    KnownCaller { hosted, caller }: KnownCaller,
    PathPart(kind): PathPart<String>,
    QueryOf(query): QueryOf<CommandQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answered, Problem> {
    if !hosted.site.commands().iter().any(|command| command.kind == kind) {
        let kinds: Vec<&str> = hosted.site.commands().iter().map(|command| command.kind.as_str()).collect();
        return Err(Problem::not_found(format!("no command `{kind}`")).with("commands", json!(kinds)));
    }
    let account = access::account(&caller, query.account.as_deref())?;
    let bytes = body::read(&headers, body, app.limits.body, COMMAND_BYTES_MAX).await?;
    let payload = body::apart(bytes.len(), move || payload(&bytes)).await??;
    run(&app, &hosted, caller, account, &kind, payload, &headers).await
}

/// Sends a command of a caller in an account that the caller can access.
pub(crate) async fn run(
    app: &AppState,
    hosted: &HostedSite,
    caller: Caller,
    account: Account,
    kind: &str,
    payload: String,
    headers: &HeaderMap,
) -> Result<Answered, Problem> {
    let id = id(app, &caller, &account.to_string(), headers)?;
    run_with_id(app, hosted, caller, account, kind, payload, id).await
}

/// Sends a command with an id that the caller got from [`id`].
pub(crate) async fn run_with_id(
    app: &AppState,
    hosted: &HostedSite,
    caller: Caller,
    account: Account,
    kind: &str,
    payload: String,
    id: String,
) -> Result<Answered, Problem> {
    check_members(hosted, kind, &payload)?;
    proof::may_give(hosted, &caller, kind, &payload)?;
    // Operators and services are trusted not to fill the disk. The bearer of a token is not, although it acts as a service.
    let is_limited = matches!(caller.reach, Reach::Accounts(_));
    let whose = turn::name_of(&caller);
    let is_unproved = is_limited && proof::is_unproved(hosted, &caller)?;
    let storing = Storing { whose: &whose, is_unproved, address: turn::address() };
    if is_limited {
        check_values(&payload)?;
        app.rates.command(storing, &payload)?;
    }
    let event = event(hosted, id.clone(), caller.actor_in(&account), account.clone(), kind, payload.clone());
    let event = Event { reply_to: Some(id), ..event };
    let answered = send(app, hosted, Decoded::from(event), Vec::new()).await;
    match &answered {
        Ok(answer) if is_limited => app.rates.reply(storing, &answer.reply().to_string()),
        Err(problem) if is_limited && problem.refusal().is_some() => app.rates.refused_command(storing, &payload),
        _ => {}
    }
    if kind == CLOSE && answered.is_ok() {
        closing::forget(hosted, &account);
    }
    answered
}

/// Maximum number of values in the payload of a user's command. More would use up the fuel of a decision.
const VALUES_MAX: usize = 2_000;

/// Refuses a payload with too many values.
fn check_values(payload: &str) -> Result<(), Problem> {
    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(count).sum(),
            Value::Object(members) => members.values().map(count).sum(),
            _ => 0,
        }
    }
    let values = count(&parsed(payload));
    match values <= VALUES_MAX {
        true => Ok(()),
        false => {
            Err(Problem::bad("too-complex", format!("the payload has {values} values, expected at most {VALUES_MAX}")))
        }
    }
}

/// Refuses a payload with a member that its command never has, before it is stored and with the extension's wording.
fn check_members(hosted: &HostedSite, kind: &str, payload: &str) -> Result<(), Problem> {
    let declared = hosted.site.commands().iter().find(|command| command.kind == kind);
    let Some(schema) = declared.map(|command| parsed(&command.schema)) else { return Ok(()) };
    let Some(known) = schema["properties"].as_object().filter(|_| schema["additionalProperties"] == false) else {
        return Ok(());
    };
    let given: BTreeMap<String, IgnoredAny> = serde_json::from_str(payload).unwrap_or_default();
    let Some((name, _)) = given.into_iter().find(|(name, _)| !known.contains_key(name)) else { return Ok(()) };
    let error = FieldError::new(pointer_to(&name), FieldErrorCode::UnknownField, "");
    let error = error.expecting(Expected::names(known.keys())).suggesting(&name);
    Err(Problem::of_refusal(&Refusal::Invalid(vec![error])))
}

/// Returns the event of a command whose reply nobody waits for.
pub(crate) fn event(
    hosted: &HostedSite,
    id: String,
    actor: Actor,
    account: Account,
    kind: &str,
    payload: String,
) -> Event {
    let partition = hosted.site.partition();
    Event {
        id,
        source: SOURCE.to_owned(),
        kind: kind.to_owned(),
        business: partition.business.clone(),
        account: Some(account),
        livemode: Some(partition.livemode),
        received_at: hosted.site.clock().now(),
        attempt: 1,
        actor,
        reply_to: None,
        payment: None,
        payload: Payload::Command(payload),
    }
}

/// Returns the payload: the body, a JSON object, without whitespace between tokens, or `{}` for an empty body.
pub(crate) fn payload(bytes: &[u8]) -> Result<String, Problem> {
    if bytes.is_empty() {
        return Ok("{}".to_owned());
    }
    let document = parse_object(bytes).map_err(|error| Problem::bad("malformed", error.to_string()))?;
    if let Some(pointer) = document.duplicate() {
        return Err(Problem::bad("malformed", format!("the member {pointer} occurs twice")));
    }
    // The parser has checked that the bytes are UTF-8.
    std::str::from_utf8(bytes).map(compact).map_err(|error| Problem::bad("malformed", error.to_string()))
}

/// Returns the id of a command about something, such as an account: derived from the caller's idempotency key, or a new one. Neither
/// two API keys nor two accounts share an id.
pub(crate) fn id(app: &AppState, caller: &Caller, about: &str, headers: &HeaderMap) -> Result<String, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (given.next(), given.next()) {
        (None, _) => app.ids.command().ok_or_else(|| Problem::unavailable("no random bytes")),
        (Some(key), None) if !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_BYTES_MAX => {
            let mut hash = Sha256::new();
            hash.update(caller.key.as_bytes());
            hash.update([0]);
            hash.update(about.as_bytes());
            hash.update([0]);
            hash.update(key.as_bytes());
            Ok(format!("cmd_{}", hex::encode(&hash.finalize()[..16])))
        }
        _ => {
            let detail = format!("expected one header with 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
            Err(Problem::bad("idempotency-key", detail))
        }
    }
}

/// Removes the waiting caller when the request ends.
struct Waiting<'s> {
    hosted: &'s HostedSite,
    caller: String,
    ticket: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.hosted.site.replies().forget(&self.caller, self.ticket);
    }
}

/// Sends an event whose caller waits, and answers with the reply.
pub(crate) async fn send(
    app: &AppState,
    hosted: &HostedSite,
    decoded: Decoded,
    raw: Vec<u8>,
) -> Result<Answered, Problem> {
    let sent = decoded.event.clone();
    let id = sent.id.clone();
    let caller = decoded.event.reply_to.clone().unwrap_or_else(|| id.clone());
    let (sender, reply) = oneshot::channel();
    let waits_until = tokio::time::Instant::now() + app.limits.reply;
    let answer = Box::new(move |reply| drop(sender.send(reply)));
    let ticket = hosted.site.replies().wait(&caller, sent.account.as_ref(), answer);
    let _waiting = Waiting { hosted, caller, ticket };
    let reports = accept(&hosted.site, decoded, raw).await?;
    let Some(first) = reports.first() else { return Err(Problem::unavailable("the command was not reported")) };
    if let Some(reply) = &first.reply {
        return of_reply(reply);
    }
    refuse_reused(hosted, first, &sent).await?;
    match tokio::time::timeout_at(waits_until, reply).await {
        Ok(Ok(reply)) => of_reply(&reply),
        _ => Ok(Answered::later(&id)),
    }
}

/// Refuses an event whose id was used for a different event, and repeats the refusal of an event that was refused before.
pub(crate) async fn refuse_reused(hosted: &HostedSite, report: &Report, sent: &Event) -> Result<(), Problem> {
    if !matches!(report.result, Disposition::Outcome(Outcome::Duplicate(_))) {
        return Ok(());
    }
    let (partition, source, wanted) = (hosted.site.partition().clone(), sent.source.clone(), sent.id.clone());
    let known = crate::ask::read(&hosted.site, move |store| store.event(&partition, &source, &wanted)).await?;
    match known.filter(|known| !known.erased) {
        Some(known) if !is_same_command(&known.event, sent) => {
            let detail = "this id or Idempotency-Key was used for another request";
            Err(Problem::new(StatusCode::CONFLICT, "reused-key", detail))
        }
        Some(InboxRow { outcome: Some(Outcome::Rejected(refusal)), .. }) => Err(Problem::of_refusal(&refusal)),
        _ => Ok(()),
    }
}

fn of_reply(reply: &Reply) -> Result<Answered, Problem> {
    match reply {
        Reply::Answer(text) => Ok(Answered::ok(serde_json::from_str(text).unwrap_or(Value::Null))),
        Reply::Refused(refusal) => Err(Problem::of_refusal(refusal)),
    }
}

/// Carries out `GET /api/commands/ID`: returns the reply to an earlier command to whoever sent it. The reply may contain an address
/// that gives its reader access to the account's payments, so other members of the organization do not get it.
async fn get(KnownCaller { hosted, caller }: KnownCaller, PathPart(id): PathPart<String>) -> Result<Answered, Problem> {
    let partition = hosted.site.partition().clone();
    let wanted = id.clone();
    let found = crate::ask::read(&hosted.site, move |store| {
        let Some(row) = store.event(&partition, SOURCE, &wanted)? else { return Ok(None) };
        let reply = match (&row.event.account, &row.event.reply_to) {
            (Some(account), Some(caller)) => store.reply(&partition.scope(account.clone()), caller)?,
            _ => None,
        };
        Ok(Some((row, reply)))
    })
    .await?;
    let own = found.filter(|(row, _)| {
        let is_reached = row.event.account.as_ref().is_some_and(|account| caller.reaches(account));
        is_reached && (matches!(caller.reach, Reach::All) || row.event.actor.subject == caller.actor.subject)
    });
    let Some((row, reply)) = own else { return Err(Problem::not_found(format!("no command `{id}`"))) };
    match (&reply, &row.outcome, &row.state) {
        (Some(reply), ..) => of_reply(reply),
        (None, Some(Outcome::Rejected(refusal)), _) => Err(Problem::of_refusal(refusal)),
        (None, _, InboxState::Dead) => {
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", "the command failed; an operator must act"))
        }
        _ => Ok(Answered::later(&id)),
    }
}
