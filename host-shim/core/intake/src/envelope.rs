//! Decodes an authentic Stripe body into an envelope.
//!
//! Reads only the members that the host needs. The payload is the whole body, so that unknown members are kept. A body
//! with missing or broken parts also becomes an event, with a refusal: it was delivered, so an operator must see it.

use crate::body::{self, Quarantined, sha256};
use crate::json::{Document, JsonKind, Value};
use crate::reader::{LocatedObject, Reader};
use crate::signature::{EndpointSecret, Mode};
use extension_contract::{Actor, Event, Payload, PaymentFacts, Refusal, Timestamp};

/// Value of `object` in a snapshot event, which contains a snapshot of its object.
pub const SNAPSHOT_EVENT: &str = "event";
/// Value of `object` in a thin event, which contains only the id and the type of its object.
pub const THIN_EVENT: &str = "v2.core.event";

/// Members of `data.object` with amounts or quantities. A number must be an integer of 64 bits; otherwise the event is
/// refused, so that no amount is rounded. (In some objects, such a member is an object or an array. The extension reads
/// it.)
const AMOUNTS: [&str; 26] = [
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

/// An event and, if it is invalid, its refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The event. The host stores it even if it has a refusal. Its account is set only if the body names an account.
    pub event: Event,
    /// The reason why the event must not be applied: its outcome is `rejected`, and the extension is not called.
    pub refusal: Option<Refusal>,
    /// Time in the body: `created`, or `timestamp` of a product event or command.
    pub time: Option<Timestamp>,
    /// Id of the customer named in the object of Stripe's body, or of the object itself if it is a customer. Events with the same
    /// subject may change the same account, so a host decides them one after the other.
    pub subject: Option<String>,
}

/// An event created by the host itself, in which nothing can be wrong.
impl From<Event> for Decoded {
    fn from(event: Event) -> Self {
        Decoded { event, refusal: None, time: None, subject: None }
    }
}

/// Returns the id of an event without a reliable id: `sha256:` and the SHA-256 of its bytes. It identifies the event in
/// the inbox and in reports, but not at Stripe.
pub(crate) fn id_of_bytes(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

/// Decodes a body. `matched` is the secret that signed the body; none for an unsigned file.
///
/// # Errors
/// Fails with [`Quarantined`] if the body is not a JSON object.
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
        payment: Some(facts.payment),
        payload: Payload::Payment(body),
    };
    let time = event.payment.as_ref().and_then(|facts| facts.time);
    Ok(Decoded { event, refusal: facts.refusal, time, subject: facts.subject })
}

/// The members read from a body.
struct Facts {
    id: Option<String>,
    /// Empty if the body has no type.
    kind: String,
    livemode: Option<bool>,
    payment: PaymentFacts,
    subject: Option<String>,
    refusal: Option<Refusal>,
}

impl Facts {
    fn read(document: &Document<'_>, matched: Option<&EndpointSecret>) -> Self {
        let mut reader = Reader::new(document);
        let root = LocatedObject::root(document);
        let object = root.get("object").and_then(|value| value.as_str());
        let thin = object.as_deref() == Some(THIN_EVENT);
        if !thin && object.as_deref() != Some(SNAPSHOT_EVENT) {
            reader.malformed(root, "object");
        }
        // If the body has two `id` members, neither of them is reliable.
        let id = reader.required_id(root, "id").filter(|_| document.duplicate() != Some("/id"));
        let kind = reader.required_id(root, "type").unwrap_or_default();
        let time = if thin { reader.rfc3339(root, "created") } else { reader.seconds(root, "created") };
        if time.is_none() {
            reader.malformed(root, "created");
        }
        let own_livemode = reader.flag(root, "livemode");
        let payment = PaymentFacts {
            source: "stripe".to_owned(),
            time,
            api_version: reader.id(root, "api_version"),
            matched_secret: matched.map(|secret| secret.name().to_owned()),
            connected_account: connected_account(&mut reader, root, thin),
            request_key: request_key(&mut reader, root, thin),
            snapshot_event: if thin { reader.id(root, "snapshot_event") } else { None },
        };
        let subject = match thin {
            true => {
                read_related(&mut reader, root);
                None
            }
            false => read_data(&mut reader, root),
        };
        if let Some(secret) = matched {
            check_secret(&mut reader, secret, own_livemode, payment.connected_account.as_deref());
        }
        // An event without a mode gets the mode of its secret, unless the endpoint receives events of both modes.
        let account = payment.connected_account.as_deref();
        let single_mode = matched.filter(|secret| !receives_both_modes(secret, account));
        let livemode = own_livemode.or(single_mode.map(|secret| secret.mode().livemode()));
        Facts { id, kind, livemode, payment, subject, refusal: reader.refusal() }
    }
}

/// Reads the connected account of the event; none for our own account. The account is in `account`, or in `user_id` before 2017. In a
/// thin event, it is the last account in `context`.
fn connected_account(reader: &mut Reader, root: LocatedObject<'_, '_>, thin: bool) -> Option<String> {
    let account = account_id(reader, root, "account");
    if account.is_some() {
        return account;
    }
    if !thin {
        return account_id(reader, root, "user_id");
    }
    let context = named(reader, root, "context")?;
    let named = context.rsplit('/').find(|part| part.starts_with("acct_") && is_account_id(part)).map(str::to_owned);
    if named.is_none() {
        // Without this refusal, the event would count as an event of our own account, and its metadata would determine
        // the placement.
        reader.malformed(root, "context");
    }
    named
}

/// Reads a member that is null or contains an account. An empty string is not an account, and must not be taken for our own account.
fn named(reader: &mut Reader, root: LocatedObject<'_, '_>, name: &str) -> Option<String> {
    if root.get(name).and_then(|value| value.as_str()).is_some_and(|text| text.is_empty()) {
        reader.malformed(root, name);
    }
    reader.id(root, name)
}

/// Reads an account id. The id becomes a part of claim keys, so it must not contain their separators.
fn account_id(reader: &mut Reader, root: LocatedObject<'_, '_>, name: &str) -> Option<String> {
    let id = named(reader, root, name)?;
    if is_account_id(&id) {
        return Some(id);
    }
    reader.malformed(root, name);
    None
}

fn is_account_id(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
}

/// Reads the idempotency key of the request that caused the event: from `request`, which before 2017-05-25 contained only the
/// request's id; in a thin event from `reason.request`.
fn request_key(reader: &mut Reader, root: LocatedObject<'_, '_>, thin: bool) -> Option<String> {
    let (outer, pointer) = if thin {
        (LocatedObject { pointer: "/reason", object: reader.object(root, "reason")? }, "/reason/request")
    } else {
        (root, "/request")
    };
    if outer.get("request").is_some_and(|request| request.kind() == JsonKind::String) {
        return None;
    }
    let object = reader.object(outer, "request")?;
    reader.id(LocatedObject { pointer, object }, "idempotency_key")
}

fn read_related(reader: &mut Reader, root: LocatedObject<'_, '_>) {
    reader.object(root, "data");
    if let Some(object) = reader.object(root, "related_object") {
        let related = LocatedObject { pointer: "/related_object", object };
        reader.id(related, "id");
        reader.id(related, "type");
    }
}

fn read_data(reader: &mut Reader, root: LocatedObject<'_, '_>) -> Option<String> {
    let Some(data) = root.get("data") else {
        reader.refuse(Refusal::Malformed("/data/object".to_owned()));
        return None;
    };
    if data.kind() != JsonKind::Object {
        reader.malformed(root, "data");
        return None;
    }
    let data = LocatedObject { pointer: "/data", object: data };
    reader.object(data, "previous_attributes");
    let Some(object) = reader.object(data, "object") else {
        reader.malformed(data, "object");
        return None;
    };
    let object = LocatedObject { pointer: "/data/object", object };
    let id = reader.id(object, "id");
    reader.id(object, "object");
    reader.seconds(object, "created");
    for (name, value) in object.object.members() {
        if AMOUNTS.contains(&name.name) && !is_valid_amount(value) {
            reader.malformed(object, name.name);
        }
    }
    // A customer is either an id or the customer object itself.
    let customer = object.get("customer").and_then(|customer| match customer.kind() {
        JsonKind::Object => customer.get("id"),
        _ => Some(customer),
    });
    customer.and_then(|customer| Some(customer.as_str()?.into_owned())).or(id)
}

fn is_valid_amount(value: Value<'_>) -> bool {
    match value.kind() {
        JsonKind::Number => value.as_i64().is_some(),
        JsonKind::String | JsonKind::Bool => false,
        JsonKind::Null | JsonKind::Object | JsonKind::Array => true,
    }
}

/// Returns true if the endpoint receives events of both modes from this account. Only a live Connect endpoint does, for its connected
/// accounts.
fn receives_both_modes(secret: &EndpointSecret, account: Option<&str>) -> bool {
    secret.mode() == Mode::Live && secret.connect() != Some(false) && account.is_some()
}

/// Checks that the mode and the account of the event fit the endpoint of its secret.
fn check_secret(reader: &mut Reader, secret: &EndpointSecret, livemode: Option<bool>, account: Option<&str>) {
    let other_mode = livemode.is_some_and(|livemode| Mode::of(livemode) != secret.mode());
    if other_mode && !receives_both_modes(secret, account) {
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
