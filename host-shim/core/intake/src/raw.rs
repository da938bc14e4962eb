//! Reads unsigned events from a file: a Stripe event, a product event, a fact of the business, a command, measurements, or a message of
//! another account. An object always becomes an event if it has a string in `object`, `event`, `type` or `command`, strings in
//! `message` and `from`, or a list in `usage`. If other parts are missing, the event gets a refusal, so that a replay shows it. Any
//! other input is an error.

mod command;
mod message;
mod product;
mod usage;

use crate::body::{NotAnObject, parse_object};
use crate::envelope::{self, Decoded, SNAPSHOT_EVENT, THIN_EVENT, id_of_bytes};
use crate::json::{Document, JsonError, JsonKind};
use crate::reader::{LocatedObject, Reader};
use extension_contract::{Account, Actor, ActorKind, Event, Payload, Refusal, Timestamp};

/// The reason why a text is not an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The text is not JSON.
    #[error(transparent)]
    NotJson(#[from] JsonError),
    /// The text is JSON, but not an object.
    #[error("expected an object with an event, found {found}")]
    NotAnObject {
        /// Kind of the value.
        found: JsonKind,
    },
    /// The object has no member that identifies an event.
    #[error(
        "expected a Stripe event (`object` is `event`), a product event (`event` is `product.created`, `product.updated` or \
         `product.deleted`), a fact of the business (any other `event`), a command (`command` is its kind), a message \
         (`message` is its key) or measurements (`usage` is a list of them); none of `object`, \
         `event`, `type`, `command` and `message` is a text, and `usage` is not a list"
    )]
    NoEvent,
}

impl InputError {
    /// Returns the line of the error in `bytes`, from 1.
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

/// The kind of an input object.
enum InputKind {
    Stripe,
    Product,
    /// A product record without an envelope, as the old platform passes it to its hook.
    Record,
    Command,
    Fact,
    Usage,
    Message,
}

/// Reads one object. A caller that derives the event's `received_at` from the [`Decoded::time`] of all its input sets
/// it later.
///
/// # Errors
/// Fails with [`InputError`] if the bytes are not an event.
pub fn read(bytes: Vec<u8>, business: &str, received_at: Timestamp) -> Result<Decoded, InputError> {
    let document = parse_object(&bytes)?;
    let envelope = match input_kind(&document)? {
        InputKind::Stripe => {
            drop(document);
            // The root is an object, as checked above.
            return envelope::decode(bytes, business, None, received_at)
                .map_err(|quarantined| quarantined.cause.into());
        }
        InputKind::Product => product::read(&document),
        InputKind::Record => product::read_record(&document),
        InputKind::Command => command::read(&document),
        InputKind::Fact => command::read_fact(&document),
        InputKind::Usage => usage::read(&document),
        InputKind::Message => message::read(&document),
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
        payment: None,
        payload: envelope.payload,
    };
    Ok(Decoded { refusal: envelope.refusal, time: envelope.time, ..event.into() })
}

/// Returns the expected form of an event's member by its JSON Pointer, for a message about a malformed event; none for
/// an unknown member.
pub fn expected(pointer: &str) -> Option<&'static str> {
    Some(match pointer.rsplit('/').next()? {
        "at" | "timestamp" => "a time as RFC 3339, such as 2026-01-31T12:00:00Z, or whole seconds since 1970",
        "id" | "meter" | "command" | "event" | "reply_to" => "a text of 1 to 255 bytes without control characters",
        "quantity" => "a 64-bit whole number",
        "attributes" => "an object of texts, numbers and truth values, each of at most 255 bytes",
        "usage" => "a list of 1 to 256 measurements",
        "account" => "`user:ID`, `organization:ID` or `platform`",
        "livemode" => "true or false",
        "payload" | "data" => "an object",
        "actor" => "an object with `kind`, `subject` and `roles`",
        _ => return None,
    })
}

fn input_kind(document: &Document<'_>) -> Result<InputKind, InputError> {
    let root = document.root();
    let is_text = |name| root.get(name).is_some_and(|value| value.kind() == JsonKind::String);
    let object = root.get("object").and_then(|value| value.as_str());
    if matches!(object.as_deref(), Some(SNAPSHOT_EVENT | THIN_EVENT)) {
        return Ok(InputKind::Stripe);
    }
    if let Some(event) = root.get("event").and_then(|value| value.as_str()) {
        return Ok(if event.starts_with("product.") { InputKind::Product } else { InputKind::Fact });
    }
    if is_text("command") {
        return Ok(InputKind::Command);
    }
    if is_text("message") && is_text("from") && !is_text("object") && !is_text("type") {
        return Ok(InputKind::Message);
    }
    let is_record = object.is_none() && root.get("data").is_none();
    if is_record && is_text("type") && root.get("metadata").is_some_and(|value| value.kind() == JsonKind::Object) {
        return Ok(InputKind::Record);
    }
    let has_list = root.get("usage").is_some_and(|value| value.kind() == JsonKind::Array);
    if has_list && !is_text("type") && !is_text("object") {
        return Ok(InputKind::Usage);
    }
    if is_text("type") || is_text("object") { Ok(InputKind::Stripe) } else { Err(InputError::NoEvent) }
}

/// The parts of an event that the readers of this module return.
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

/// Reads the id; none if the document has two ids.
fn read_id(reader: &mut Reader, document: &Document<'_>) -> Option<String> {
    reader.required_id(LocatedObject::root(document), "id").filter(|_| document.duplicate() != Some("/id"))
}

/// Reads `timestamp`: RFC 3339, or seconds since the Unix epoch.
fn read_timestamp(reader: &mut Reader, root: LocatedObject<'_, '_>) -> Option<Timestamp> {
    match root.get("timestamp")?.kind() {
        JsonKind::String => reader.rfc3339(root, "timestamp"),
        _ => reader.seconds(root, "timestamp"),
    }
}

/// Reads `actor`: `{"kind", "id", "roles"}`. The default is the host itself.
fn read_actor(reader: &mut Reader, root: LocatedObject<'_, '_>) -> Actor {
    let Some(object) = reader.object(root, "actor") else { return Actor::system() };
    let actor = LocatedObject { pointer: "/actor", object };
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

fn read_roles(reader: &mut Reader, actor: LocatedObject<'_, '_>) -> Vec<String> {
    let Some(roles) = actor.get("roles") else { return Vec::new() };
    let texts = roles.as_strings();
    if texts.is_none() {
        reader.malformed(actor, "roles");
    }
    texts.unwrap_or_default()
}
