//! Reads a command: `{"id", "command": kind, "account", "timestamp", "actor", "payload": {…}}`; or a fact of the
//! business: `{"id", "event": "user.registered", "account", "timestamp", "actor", "data": {…}}`.

use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::Document;
use crate::reader::{LocatedObject, Reader};
use extension_contract::{Account, Actor, ActorKind, FACT_SOURCE, JSON_BYTES_MAX, Payload};

/// Reads a command.
pub(super) fn read(document: &Document<'_>) -> Envelope {
    read_with(document, "api", "command", "payload")
}

/// Reads a fact.
pub(super) fn read_fact(document: &Document<'_>) -> Envelope {
    read_with(document, FACT_SOURCE, "event", "data")
}

/// Reads an envelope. `kind` and `contents` are the names of the members that contain the kind and the payload.
fn read_with(document: &Document<'_>, source: &'static str, kind: &'static str, contents: &'static str) -> Envelope {
    let mut reader = Reader::new(document);
    let root = LocatedObject::root(document);
    let id = read_id(&mut reader, document);
    let kind = reader.required_id(root, kind).unwrap_or_default();
    let time = read_timestamp(&mut reader, root);
    let actor = read_actor(&mut reader, root);
    let account = read_account(&mut reader, root, &actor);
    let livemode = reader.flag(root, "livemode");
    let reply_to = reader.id(root, "reply_to");
    let payload = reader.object(root, contents).map_or("{}", |payload| payload.raw());
    if payload.len() > JSON_BYTES_MAX {
        reader.malformed(root, contents);
    }
    Envelope {
        id,
        source,
        kind,
        account,
        livemode,
        actor,
        reply_to,
        payload: Payload::Command(payload.to_owned()),
        time,
        refusal: reader.refusal(),
    }
}

/// Reads `account`: `user:ID`, `organization:ID` or `platform`. The default for a user is their own account.
pub(super) fn read_account(reader: &mut Reader, root: LocatedObject<'_, '_>, actor: &Actor) -> Option<Account> {
    let account = match reader.id(root, "account") {
        Some(text) => text.parse().ok(),
        None if actor.kind == ActorKind::User && !actor.subject.is_empty() => {
            Some(Account::User(actor.subject.clone()))
        }
        None => None,
    };
    if account.is_none() {
        reader.malformed(root, "account");
    }
    account
}
