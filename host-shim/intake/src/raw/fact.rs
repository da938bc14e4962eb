//! A fact of the business's own: `{"id", "event": "user.registered", "account", "timestamp", "actor", "data": {…}}`.

use super::command::read_account;
use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::Document;
use crate::reader::{Place, Reader};
use products_contract::{FACT_SOURCE, JSON_BYTES_MAX, Payload};

pub(super) fn read(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let root = Place::root(document);
    let id = read_id(&mut reader, document);
    let kind = reader.required_id(root, "event").unwrap_or_default();
    let time = read_timestamp(&mut reader, root);
    let actor = read_actor(&mut reader, root);
    let account = read_account(&mut reader, root, &actor);
    let livemode = reader.flag(root, "livemode");
    let reply_to = reader.id(root, "reply_to");
    let data = reader.object(root, "data").map_or("{}", |data| data.raw());
    if data.len() > JSON_BYTES_MAX {
        reader.malformed(root, "data");
    }
    let payload = Payload::Command(data.to_owned());
    let refusal = reader.refusal();
    Envelope { id, source: FACT_SOURCE, kind, account, livemode, actor, reply_to, payload, time, refusal }
}
