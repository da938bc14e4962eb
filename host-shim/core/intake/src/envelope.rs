//! From an authentic Stripe body to the envelope.
//!
//! Only what the host needs is read; the payload is the body itself, so fields that nobody here knows are kept. A body whose
//! decisive parts are missing or broken still becomes an event, with the refusal to record beside it: it was delivered, so
//! an operator must see it.

use crate::body::{self, Quarantined, sha256};
use crate::json::{Document, JsonKind, Value};
use crate::reader::{Place, Reader};
use crate::signature::{EndpointSecret, Mode};
use extension_contract::{Actor, Event, Payload, ProviderFacts, Refusal, Timestamp};

/// `object` of a classic event, which holds a snapshot of what it is about.
pub const SNAPSHOT_EVENT: &str = "event";
/// `object` of a thin event, which names what it is about.
pub const THIN_EVENT: &str = "v2.core.event";

/// Members of `data.object` that count money or pieces. They are whole numbers that fit 64 bits, or the event is refused:
/// never rounded. (Some objects have an object or a list under such a name; those are the extension's to read.)
const COUNTED: [&str; 26] = [
    "amount",
    "amount_capturable",
    "amount_captured",
    "amount_discount",
    "amount_due",
    "amount_off",
    "amount_overpaid",
    "amount_paid",
    "amount_received",
    "amount_refunded",
    "amount_remaining",
    "amount_requested",
    "amount_reversed",
    "amount_shipping",
    "amount_subtotal",
    "amount_tax",
    "amount_total",
    "application_fee_amount",
    "balance",
    "ending_balance",
    "quantity",
    "starting_balance",
    "subtotal",
    "tax",
    "total",
    "unit_amount",
];

/// An envelope and what is already known against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The event, to be stored in any case. Its account is set only where the body itself tells it.
    pub event: Event,
    /// Why it must not be applied: the outcome is then `rejected` with this, and the extension is not called.
    pub refusal: Option<Refusal>,
    /// The body's own time: `created`, or a product event's or command's `timestamp`.
    pub time: Option<Timestamp>,
}

/// The id of an event that has none, or none that can be relied on: `sha256:` and the SHA-256 of its bytes. It names the
/// event in the inbox and in reports. Stripe knows nothing of it, so it says nothing about which of Stripe's events this is.
pub(crate) fn id_of_bytes(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

/// Decode a body. `matched` is the secret that signed it, none where nothing was signed (a file).
///
/// # Errors
/// [`Quarantined`] if it is no JSON object.
pub fn decode(
    body: Vec<u8>,
    business: &str,
    matched: Option<&EndpointSecret>,
    received_at: Timestamp,
) -> Result<Decoded, Quarantined> {
    let facts = match body::parse_object(&body) {
        Ok(document) => Facts::read(&document, matched),
        Err(cause) => return Err(Quarantined::new(body, cause)),
    };
    let event = Event {
        id: facts.id.unwrap_or_else(|| id_of_bytes(&body)),
        source: "stripe".to_owned(),
        kind: facts.kind,
        business: business.to_owned(),
        account: None,
        livemode: facts.livemode,
        received_at,
        attempt: 1,
        actor: Actor::system(),
        reply_to: None,
        provider: Some(facts.provider),
        payload: Payload::Provider(body),
    };
    let time = event.provider.as_ref().and_then(|provider| provider.time);
    Ok(Decoded { event, refusal: facts.refusal, time })
}

/// What is read of a body.
struct Facts {
    id: Option<String>,
    /// Empty if the body has no type.
    kind: String,
    livemode: Option<bool>,
    provider: ProviderFacts,
    refusal: Option<Refusal>,
}

impl Facts {
    fn read(document: &Document<'_>, matched: Option<&EndpointSecret>) -> Self {
        let mut reader = Reader::new(document);
        let root = Place::root(document);
        let object = root.get("object").and_then(|value| value.as_str());
        let thin = object.as_deref() == Some(THIN_EVENT);
        if !thin && object.as_deref() != Some(SNAPSHOT_EVENT) {
            reader.malformed(root, "object");
        }
        // Of two ids neither can be relied on.
        let id = reader.required_id(root, "id").filter(|_| document.duplicate() != Some("/id"));
        let kind = reader.required_id(root, "type").unwrap_or_default();
        let time = if thin { reader.rfc3339(root, "created") } else { reader.seconds(root, "created") };
        if time.is_none() {
            reader.malformed(root, "created");
        }
        let said_livemode = reader.flag(root, "livemode");
        let provider = ProviderFacts {
            provider: "stripe".to_owned(),
            time,
            api_version: reader.id(root, "api_version"),
            matched_secret: matched.map(|secret| secret.name().to_owned()),
            connected_account: connected_account(&mut reader, root, thin),
            request_key: request_key(&mut reader, root, thin),
            snapshot_event: if thin { reader.id(root, "snapshot_event") } else { None },
        };
        if thin {
            read_related(&mut reader, root);
        } else {
            read_data(&mut reader, root);
        }
        if let Some(secret) = matched {
            hold_against(&mut reader, secret, said_livemode, provider.connected_account.as_deref());
        }
        // Where the event does not tell its mode, a secret that stands for one mode does.
        let account = provider.connected_account.as_deref();
        let telling = matched.filter(|secret| !may_get_both_modes(secret, account));
        let livemode = said_livemode.or(telling.map(|secret| secret.mode().livemode()));
        Facts { id, kind, livemode, provider, refusal: reader.refusal() }
    }
}

/// The account that the event is about, none for our own: `account`, before 2017 `user_id`; in a thin event the last part of
/// `context` that names an account.
fn connected_account(reader: &mut Reader, root: Place<'_, '_>, thin: bool) -> Option<String> {
    let account = account_id(reader, root, "account");
    if account.is_some() {
        return account;
    }
    if !thin {
        return account_id(reader, root, "user_id");
    }
    let context = reader.id(root, "context")?;
    let named = context.rsplit('/').find(|part| part.starts_with("acct_") && is_account_id(part)).map(str::to_owned);
    if named.is_none() {
        // Taking it for an event of our own account would let metadata place it.
        reader.malformed(root, "context");
    }
    named
}

/// It becomes part of claim keys, so it must not hold their separators.
fn account_id(reader: &mut Reader, root: Place<'_, '_>, name: &str) -> Option<String> {
    let id = reader.id(root, name)?;
    if is_account_id(&id) {
        return Some(id);
    }
    reader.malformed(root, name);
    None
}

fn is_account_id(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
}

/// The idempotency key of the request that caused the event: in `request`, which before 2017-05-25 was the request's id alone;
/// in a thin event in `reason.request`.
fn request_key(reader: &mut Reader, root: Place<'_, '_>, thin: bool) -> Option<String> {
    let (outer, pointer) = if thin {
        (Place { pointer: "/reason", object: reader.object(root, "reason")? }, "/reason/request")
    } else {
        (root, "/request")
    };
    if outer.get("request").is_some_and(|request| request.kind() == JsonKind::String) {
        return None;
    }
    let object = reader.object(outer, "request")?;
    reader.id(Place { pointer, object }, "idempotency_key")
}

fn read_related(reader: &mut Reader, root: Place<'_, '_>) {
    reader.object(root, "data");
    if let Some(object) = reader.object(root, "related_object") {
        let related = Place { pointer: "/related_object", object };
        reader.id(related, "id");
        reader.id(related, "type");
    }
}

fn read_data(reader: &mut Reader, root: Place<'_, '_>) {
    let Some(data) = root.get("data") else {
        return reader.refuse(Refusal::Malformed("/data/object".to_owned()));
    };
    if data.kind() != JsonKind::Object {
        return reader.malformed(root, "data");
    }
    let data = Place { pointer: "/data", object: data };
    reader.object(data, "previous_attributes");
    let Some(object) = reader.object(data, "object") else {
        return reader.malformed(data, "object");
    };
    let object = Place { pointer: "/data/object", object };
    reader.id(object, "id");
    reader.id(object, "object");
    reader.seconds(object, "created");
    for (name, value) in object.object.members() {
        if COUNTED.contains(&name.name) && !may_count(value) {
            reader.malformed(object, name.name);
        }
    }
}

fn may_count(value: Value<'_>) -> bool {
    match value.kind() {
        JsonKind::Number => value.as_i64().is_some(),
        JsonKind::String | JsonKind::Bool => false,
        JsonKind::Null | JsonKind::Object | JsonKind::Array => true,
    }
}

/// A live Connect endpoint gets events of both modes from connected accounts; no other does.
fn may_get_both_modes(secret: &EndpointSecret, account: Option<&str>) -> bool {
    secret.mode() == Mode::Live && secret.connect() != Some(false) && account.is_some()
}

/// A secret belongs to one endpoint and mode: what the event says must fit.
fn hold_against(reader: &mut Reader, secret: &EndpointSecret, livemode: Option<bool>, account: Option<&str>) {
    let other_mode = livemode.is_some_and(|livemode| Mode::of(livemode) != secret.mode());
    if other_mode && !may_get_both_modes(secret, account) {
        reader.refuse(Refusal::ModeMismatch);
    }
    match (secret.connect(), account) {
        (Some(false), Some(account)) => {
            reader.refuse(Refusal::Inconsistent(format!("{}: account {account}", secret.name())));
        }
        (Some(true), None) => reader.refuse(Refusal::Inconsistent(format!("{}: no account", secret.name()))),
        _ => {}
    }
}
