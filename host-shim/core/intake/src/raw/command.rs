//! A command: `{"id", "command": kind, "account", "timestamp", "actor", "payload": {…}}`; and a fact of the business's own:
//! `{"id", "event": "user.registered", "account", "timestamp", "actor", "data": {…}}`.

use super::{Envelope, read_actor, read_id, read_timestamp};
use crate::json::Document;
use crate::reader::{Place, Reader};
use extension_contract::{Account, Actor, ActorKind, FACT_SOURCE, JSON_BYTES_MAX, Payload};

/// Read a command.
pub(super) fn read(document: &Document<'_>) -> Envelope {
    told(document, "api", "command", "payload")
}

/// Read a fact.
pub(super) fn read_fact(document: &Document<'_>) -> Envelope {
    told(document, FACT_SOURCE, "event", "data")
}

/// What somebody tells of an account: its kind and its contents, under these names.
fn told(document: &Document<'_>, source: &'static str, kind: &'static str, contents: &'static str) -> Envelope {
    let mut reader = Reader::new(document);
    let root = Place::root(document);
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
