//! What a file or a line of one holds, unsigned: a Stripe event, a product event, a fact of the business's own, a command,
//! measurements, or a message of another account.
//!
//! A JSON object that claims to be one of them, by a text in `object`, `event`, `type`, `command` or `message` or a list in `usage`, becomes
//! an event in any case, refused if parts are missing, so that a replay shows it. Anything else is an error of who gave the input.

mod command;
mod message;
mod product;
mod usage;

use crate::body::{NotAnObject, parse_object};
use crate::envelope::{self, Decoded, SNAPSHOT_EVENT, THIN_EVENT, id_of_bytes};
use crate::json::{Document, JsonError, JsonKind};
use crate::reader::{Place, Reader};
use extension_contract::{Account, Actor, ActorKind, Event, Payload, Refusal, Timestamp};

/// Why a text is no event at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// It is not JSON.
    #[error(transparent)]
    NotJson(#[from] JsonError),
    /// It is JSON, but no object.
    #[error("expected an object with an event, found {found}")]
    NotAnObject {
        /// What it is.
        found: JsonKind,
    },
    /// It is an object, but nothing says that it is an event.
    #[error(
        "expected a Stripe event (`object` is `event`), a product event (`event` is `product.created`, `product.updated` or \
         `product.deleted`), a fact of the business's own (any other `event`), a command (`command` is its kind), a message (`message` is its key) or measurements (`usage` is a list of them); none of `object`, \
         `event`, `type`, `command` and `message` is a text, and `usage` is no list"
    )]
    NoEvent,
}

impl InputError {
    /// The line in `bytes` that the error is in, from 1.
    pub fn line(&self, bytes: &[u8]) -> usize {
        match self {
            InputError::NotJson(error) => error.line(bytes),
            InputError::NotAnObject { .. } | InputError::NoEvent => 1,
        }
    }
}

impl From<NotAnObject> for InputError {
    fn from(error: NotAnObject) -> Self {
        match error {
            NotAnObject::Json(error) => InputError::NotJson(error),
            NotAnObject::Other(found) => InputError::NotAnObject { found },
        }
    }
}

/// What an object claims to be.
enum Claim {
    Stripe,
    Product,
    /// A product record as the old platform hands it to its hook: without an envelope.
    Record,
    Command,
    Fact,
    Usage,
    Message,
}

/// Read one object. The caller sets the time of receipt in the event once it has seen [`Decoded::time`] of all its input.
///
/// # Errors
/// [`InputError`] if it claims to be no event.
pub fn read(bytes: Vec<u8>, business: &str, received_at: Timestamp) -> Result<Decoded, InputError> {
    let document = parse_object(&bytes)?;
    let envelope = match claim(&document)? {
        Claim::Stripe => {
            drop(document);
            // The root is an object, as has just been seen.
            return envelope::decode(bytes, business, None, received_at)
                .map_err(|quarantined| quarantined.cause.into());
        }
        Claim::Product => product::read(&document),
        Claim::Record => product::read_record(&document),
        Claim::Command => command::read(&document),
        Claim::Fact => command::read_fact(&document),
        Claim::Usage => usage::read(&document),
        Claim::Message => message::read(&document),
    };
    let event = Event {
        id: envelope.id.unwrap_or_else(|| id_of_bytes(&bytes)),
        source: envelope.source.to_owned(),
        kind: envelope.kind,
        business: business.to_owned(),
        account: envelope.account,
        livemode: envelope.livemode,
        received_at,
        attempt: 1,
        actor: envelope.actor,
        reply_to: envelope.reply_to,
        provider: None,
        payload: envelope.payload,
    };
    Ok(Decoded { event, refusal: envelope.refusal, time: envelope.time })
}

fn claim(document: &Document<'_>) -> Result<Claim, InputError> {
    let root = document.root();
    let is_text = |name| root.get(name).is_some_and(|value| value.kind() == JsonKind::String);
    let object = root.get("object").and_then(|value| value.as_str());
    if matches!(object.as_deref(), Some(SNAPSHOT_EVENT | THIN_EVENT)) {
        return Ok(Claim::Stripe);
    }
    if let Some(event) = root.get("event").and_then(|value| value.as_str()) {
        return Ok(if event.starts_with("product.") { Claim::Product } else { Claim::Fact });
    }
    if is_text("command") {
        return Ok(Claim::Command);
    }
    if is_text("message") && is_text("from") && !is_text("object") && !is_text("type") {
        return Ok(Claim::Message);
    }
    let is_record = object.is_none() && root.get("data").is_none();
    if is_record && is_text("type") && root.get("metadata").is_some_and(|value| value.kind() == JsonKind::Object) {
        return Ok(Claim::Record);
    }
    let has_list = root.get("usage").is_some_and(|value| value.kind() == JsonKind::Array);
    if has_list && !is_text("type") && !is_text("object") {
        return Ok(Claim::Usage);
    }
    if is_text("type") || is_text("object") { Ok(Claim::Stripe) } else { Err(InputError::NoEvent) }
}

/// The parts of an envelope that a product event, a command or measurements fill.
struct Envelope {
    id: Option<String>,
    source: &'static str,
    kind: String,
    account: Option<Account>,
    livemode: Option<bool>,
    actor: Actor,
    reply_to: Option<String>,
    payload: Payload,
    time: Option<Timestamp>,
    refusal: Option<Refusal>,
}

/// The id, unless the document has two.
fn read_id(reader: &mut Reader, document: &Document<'_>) -> Option<String> {
    reader.required_id(Place::root(document), "id").filter(|_| document.duplicate() != Some("/id"))
}

/// `timestamp`: RFC 3339, or seconds since the Unix epoch.
fn read_timestamp(reader: &mut Reader, root: Place<'_, '_>) -> Option<Timestamp> {
    match root.get("timestamp")?.kind() {
        JsonKind::String => reader.rfc3339(root, "timestamp"),
        _ => reader.seconds(root, "timestamp"),
    }
}

/// `actor`: `{"kind", "id", "roles"}`; the host itself if there is none.
fn read_actor(reader: &mut Reader, root: Place<'_, '_>) -> Actor {
    let Some(object) = reader.object(root, "actor") else { return Actor::system() };
    let actor = Place { pointer: "/actor", object };
    let kind = match reader.id(actor, "kind").as_deref() {
        Some("user") => ActorKind::User,
        Some("admin") => ActorKind::Admin,
        Some("service") => ActorKind::Service,
        Some("extension") => ActorKind::Extension,
        Some("system") => ActorKind::System,
        _ => {
            reader.malformed(actor, "kind");
            ActorKind::System
        }
    };
    let subject = reader.id(actor, "id");
    if subject.is_none() && kind != ActorKind::System {
        reader.malformed(actor, "id");
    }
    Actor { kind, subject: subject.unwrap_or_default(), roles: read_roles(reader, actor) }
}

fn read_roles(reader: &mut Reader, actor: Place<'_, '_>) -> Vec<String> {
    let Some(roles) = actor.get("roles") else { return Vec::new() };
    let texts = roles.as_strings();
    if texts.is_none() {
        reader.malformed(actor, "roles");
    }
    texts.unwrap_or_default()
}
