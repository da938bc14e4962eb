//! Reads a message of another account, in the form in which an `account.send` effect delivers it: `{"id", "message":
//! key, "generation", "from": account, "account", "timestamp", "payload": {…}}`.

use super::{Envelope, read_id, read_timestamp};
use crate::json::{Document, JsonKind};
use crate::reader::{LocatedObject, Reader};
use extension_contract::{Account, Actor, Delivery, JSON_BYTES_MAX, Payload};

/// Source and kind of a message event.
const SOURCE: &str = "message";
const KIND: &str = "account.send";

/// Reads a message. Sender and receiver are required.
pub(super) fn read(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let root = LocatedObject::root(document);
    let id = read_id(&mut reader, document);
    let time = read_timestamp(&mut reader, root);
    let key = reader.required_id(root, "message").unwrap_or_default();
    let sender = read_account(&mut reader, root, "from");
    let account = read_account(&mut reader, root, "account");
    let generation = match root.get("generation").filter(|value| value.kind() != JsonKind::Null) {
        None => Some(1),
        Some(value) => value.as_i64().and_then(|number| u32::try_from(number).ok()),
    };
    if generation.is_none() {
        reader.malformed(root, "generation");
    }
    let livemode = reader.flag(root, "livemode");
    let reply_to = reader.id(root, "reply_to");
    let payload = reader.object(root, "payload").map_or("{}", |payload| payload.raw());
    if payload.len() > JSON_BYTES_MAX {
        reader.malformed(root, "payload");
    }
    let delivery = Delivery {
        sender: sender.unwrap_or(Account::Platform),
        key,
        generation: generation.unwrap_or(1),
        payload: payload.to_owned(),
    };
    Envelope {
        id,
        source: SOURCE,
        kind: KIND.to_owned(),
        account,
        livemode,
        actor: Actor::system(),
        reply_to,
        payload: Payload::Message(delivery),
        time,
        refusal: reader.refusal(),
    }
}

fn read_account(reader: &mut Reader, root: LocatedObject<'_, '_>, name: &str) -> Option<Account> {
    let account = reader.id(root, name).and_then(|text| text.parse().ok());
    if account.is_none() {
        reader.malformed(root, name);
    }
    account
}
