//! Reads measurements: `{"id", "usage": [{"id", "meter", "quantity", "at", "attributes"}…], "account", "timestamp",
//! "actor"}`.

use super::command::read_account;
use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::{Document, JsonKind, Value};
use crate::reader::{LocatedObject, Reader};
use extension_contract::{BULK_MAX, ID_BYTES_MAX, Payload, Timestamp, Usage};

/// Reads one measurement. `at` defaults to the event's time. Returns none, and records a refusal, if a part is missing.
const KIND: &str = "usage";

pub(super) fn read(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let root = LocatedObject::root(document);
    let id = read_id(&mut reader, document);
    let time = read_timestamp(&mut reader, root);
    let actor = read_actor(&mut reader, root);
    let account = read_account(&mut reader, root, &actor);
    let livemode = reader.flag(root, "livemode");
    let reply_to = reader.id(root, "reply_to");
    let items = root.get("usage").and_then(|list| list.as_objects()).unwrap_or_default();
    if items.is_empty() || items.len() > BULK_MAX {
        reader.malformed(root, "usage");
    }
    let batch = items.iter().enumerate().filter_map(|(index, item)| {
        let pointer = format!("/usage/{index}");
        measurement(&mut reader, LocatedObject { pointer: &pointer, object: item.root() }, time)
    });
    let payload = Payload::Usage(batch.collect());
    let refusal = reader.refusal();
    Envelope { id, source: "api", kind: KIND.to_owned(), account, livemode, actor, reply_to, payload, time, refusal }
}

/// Reads one measurement. The default of `at` is the event's time. Returns none, and records a refusal, if a part is
/// missing.
fn measurement(reader: &mut Reader, item: LocatedObject<'_, '_>, time: Option<Timestamp>) -> Option<Usage> {
    let id = reader.required_id(item, "id");
    let meter = reader.required_id(item, "meter");
    let quantity = item.get("quantity").and_then(|quantity| quantity.as_i64());
    if quantity.is_none() {
        reader.malformed(item, "quantity");
    }
    let at = match item.get("at").map(|at| at.kind()) {
        None => time,
        Some(JsonKind::String) => reader.rfc3339(item, "at"),
        Some(_) => reader.seconds(item, "at"),
    };
    if at.is_none() {
        reader.malformed(item, "at");
    }
    let mut attributes = Vec::new();
    for (name, value) in reader.object(item, "attributes").into_iter().flat_map(|object| object.members()) {
        match attribute(value) {
            Some(text) if name.name.len() <= ID_BYTES_MAX => attributes.push((name.name.to_owned(), text)),
            _ => reader.malformed(item, "attributes"),
        }
    }
    Some(Usage { id: id?, meter: meter?, quantity: quantity?, at: at?, attributes })
}

/// Returns an attribute as a string. Numbers and booleans keep their JSON text.
fn attribute(value: Value<'_>) -> Option<String> {
    let text = match value.kind() {
        JsonKind::String => value.as_str()?.into_owned(),
        JsonKind::Number | JsonKind::Bool => value.raw().to_owned(),
        JsonKind::Null | JsonKind::Object | JsonKind::Array => return None,
    };
    (text.len() <= ID_BYTES_MAX).then_some(text)
}
