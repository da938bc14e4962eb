//! A command: `{"id", "command": kind, "account", "timestamp", "actor", "payload": {…}}`.

use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::Document;
use crate::reader::{Place, Reader};
use products_contract::{Account, Actor, ActorKind, JSON_BYTES_MAX, Payload};

pub(super) fn read(document: &Document<'_>) -> Envelope {
    let mut reader = Reader::new(document);
    let root = Place::root(document);
    let id = read_id(&mut reader, document);
    let kind = reader.required_id(root, "command").unwrap_or_default();
    let time = read_timestamp(&mut reader, root);
    let actor = read_actor(&mut reader, root);
    let account = read_account(&mut reader, root, &actor);
    let livemode = reader.flag(root, "livemode");
    let reply_to = reader.id(root, "reply_to");
    let payload = reader.object(root, "payload").map_or("{}", |payload| payload.raw());
    if payload.len() > JSON_BYTES_MAX {
        reader.malformed(root, "payload");
    }
    Envelope {
        id,
        source: "api",
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

/// `account`: `user:ID`, `organization:ID` or `platform`; without one, a user speaks for themselves.
pub(super) fn read_account(reader: &mut Reader, root: Place<'_, '_>, actor: &Actor) -> Option<Account> {
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
