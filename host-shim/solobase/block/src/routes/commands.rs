//! Commands, and the replies to them.

use super::{Answered, Caller, Failed, caller, not_found, refused, replied};
use crate::app::App;
use crate::http::{Request, Response};
use crate::platform::Platform;
use extension_contract::{Account, Event, Extension, Outcome, Payload};
use host_engine::processor::{Disposition, is_same_command};
use host_store::InboxState;
use instance_provisioner::Provisioner;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Source of a command.
const SOURCE: &str = "api";
/// The header that lets a caller send a request twice.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Maximum length of that header; the same as Stripe's.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Returns the id of a command. With a key, a repetition gets the same id; without one, the id is made from the time and
/// the content.
fn id(platform: &Platform<'_>, request: &Request, caller: &Caller, account: &Account) -> Result<String, Failed> {
    let mut hash = Sha256::new();
    hash.update(caller.actor.subject.as_bytes());
    match request.header(IDEMPOTENCY_KEY) {
        Some(key) if !key.is_empty() && key.len() <= IDEMPOTENCY_KEY_BYTES_MAX => {
            hash.update([0]);
            hash.update(key.as_bytes());
        }
        Some(_) => {
            let detail = format!("expected a header with 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
            return Err(Response::error(400, "idempotency-key", detail).into());
        }
        None => {
            hash.update([1]);
            hash.update(platform.now.to_be_bytes());
            hash.update(account.to_string().as_bytes());
            hash.update([0]);
            hash.update(request.kind.as_bytes());
            hash.update([0]);
            hash.update(&request.body);
        }
    }
    Ok(format!("cmd_{}", hex::encode(&hash.finalize()[..16])))
}

/// Sends the command of a request.
pub(super) fn send(platform: &Platform<'_>, request: &Request, kind: &str) -> Answered {
    let caller = caller(platform, request)?;
    if !Provisioner.declare().commands.iter().any(|command| command.kind == kind) {
        return Err(not_found(format!("no command `{kind}`")).into());
    }
    let account = caller.account(request)?;
    let payload = if request.body.is_empty() { "{}".to_owned() } else { text(request)? };
    run(platform, request, &caller, account, kind, payload)
}

fn text(request: &Request) -> Result<String, Failed> {
    let malformed = |detail: String| Response::error(400, "malformed", detail);
    let document = host_intake::body::parse_object(&request.body).map_err(|error| malformed(error.to_string()))?;
    if let Some(pointer) = document.duplicate() {
        return Err(malformed(format!("the member {pointer} occurs twice")).into());
    }
    String::from_utf8(request.body.clone()).map_err(|error| malformed(error.to_string()).into())
}

/// Sends a command.
pub(super) fn run(
    platform: &Platform<'_>,
    request: &Request,
    caller: &Caller,
    account: Account,
    kind: &str,
    payload: String,
) -> Answered {
    let mut app = App::open(platform)?;
    let id = id(platform, request, caller, &account)?;
    let event = Event {
        id: id.clone(),
        source: SOURCE.to_owned(),
        kind: kind.to_owned(),
        business: app.bundle.name.clone(),
        account: Some(account),
        livemode: Some(app.bundle.livemode),
        received_at: platform.now,
        attempt: 1,
        actor: caller.actor.clone(),
        reply_to: Some(id.clone()),
        payment: None,
        payload: Payload::Command(payload),
    };
    let reports = app.processor().accept(event.clone(), Vec::new())?;
    let Some(first) = reports.first() else { return Ok(Response::unavailable("the command was not reported")) };
    if let Some(reply) = &first.reply {
        return Ok(replied(reply));
    }
    if matches!(first.result, Disposition::Outcome(Outcome::Duplicate(_))) {
        let partition = app.processor().partition().clone();
        let known = app.store().event(&partition, SOURCE, &id)?;
        if known.is_some_and(|known| !known.erased && !is_same_command(&known.event, &event)) {
            return Ok(Response::error(409, "reused-key", "this Idempotency-Key was used for another request"));
        }
    }
    Ok(later(&id))
}

/// The command is stored, and its reply needs the result of an effect.
fn later(id: &str) -> Response {
    Response::of(202, json!({"id": id, "status": "pending", "location": format!("commands/{id}")}))
}

/// Returns the reply to an earlier command.
pub(super) fn get(platform: &Platform<'_>, request: &Request, id: &str) -> Answered {
    let caller = caller(platform, request)?;
    let mut app = App::open(platform)?;
    let partition = app.processor().partition().clone();
    let row = app.store().event(&partition, SOURCE, id)?;
    let is_own = |account: &Account| caller.is_operator() || caller.own.as_ref() == Some(account);
    let Some(row) = row.filter(|row| row.event.account.as_ref().is_some_and(is_own)) else {
        return Err(not_found(format!("no command `{id}`")).into());
    };
    if let Some(reply) = app.processor().reply_of(&row)? {
        return Ok(replied(&reply));
    }
    Ok(match (&row.outcome, &row.state) {
        (Some(Outcome::Rejected(refusal)), _) => refused(refusal),
        (_, InboxState::Dead) => Response::error(500, "failed", "the command failed; an operator must act"),
        _ => later(id),
    })
}
