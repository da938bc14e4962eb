//! Events that came in: `events` holds what never changes, `inbox` where each stands.

use super::text;
use crate::changes::InboxChange;
use crate::rows::{InboxRow, InboxState, NewInboxRow, Provenance};
use products_contract::{Account, Actor, Event, Payload, ProviderFacts, Timestamp};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The part of an event that nothing is looked up by.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    livemode: Option<bool>,
    attempt: u32,
    actor: Cow<'a, Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Cow<'a, ProviderFacts>>,
}

const PAYLOAD_PROVIDER: i64 = 0;
const PAYLOAD_COMMAND: i64 = 1;
const PAYLOAD_OTHER: i64 = 2;

const PENDING: i64 = 0;
const PARKED: i64 = 1;
const DEFERRED: i64 = 2;
const DONE: i64 = 3;
const DEAD: i64 = 4;

/// Number of a new row; none if the event is there already.
pub(super) fn insert(connection: &Connection, row: &NewInboxRow) -> Result<Option<u64>, Error> {
    let event = &row.event;
    let envelope = text::to_json(&Envelope {
        livemode: event.livemode,
        attempt: event.attempt,
        actor: Cow::Borrowed(&event.actor),
        reply_to: event.reply_to.as_deref().map(Cow::Borrowed),
        provider: event.provider.as_ref().map(Cow::Borrowed),
    })?;
    let encoded;
    let (payload_kind, payload): (i64, &[u8]) = match &event.payload {
        Payload::Provider(bytes) => (PAYLOAD_PROVIDER, bytes),
        Payload::Command(json) => (PAYLOAD_COMMAND, json.as_bytes()),
        other => {
            encoded = text::to_json(other)?;
            (PAYLOAD_OTHER, encoded.as_bytes())
        }
    };
    let raw = Some(row.raw.as_slice()).filter(|raw| *raw != payload);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO events (business, livemode, source, id, kind, received_at, envelope, payload_kind, payload, \
             raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            event.business,
            row.livemode,
            event.source,
            event.id,
            event.kind,
            event.received_at,
            envelope,
            payload_kind,
            ToSqlOutput::Borrowed(ValueRef::Blob(payload)),
            raw.map(|raw| ToSqlOutput::Borrowed(ValueRef::Blob(raw))),
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let seq = connection.last_insert_rowid();
    connection
        .prepare_cached("INSERT INTO inbox (seq, account, state, at, failures) VALUES (?1, ?2, ?3, ?4, 0)")?
        .execute(params![seq, event.account.as_ref().map(ToString::to_string), PENDING, event.received_at])?;
    Ok(Some(seq.unsigned_abs()))
}

/// Make a change; false if there is no such row.
pub(super) fn change(connection: &Connection, change: &InboxChange) -> Result<bool, Error> {
    let (state, at) = match change.state {
        InboxState::Pending { not_before } => (PENDING, not_before),
        InboxState::Parked => (PARKED, 0),
        InboxState::Deferred => (DEFERRED, 0),
        InboxState::Done => (DONE, 0),
        InboxState::Dead => (DEAD, 0),
    };
    let outcome = change.outcome.as_ref().map(text::to_json).transpose()?;
    let provenance = change.provenance.as_ref();
    let changed = connection
        .prepare_cached(
            "UPDATE inbox SET account = coalesce(?2, account), state = ?3, \
             at = CASE ?3 WHEN 1 THEN (SELECT received_at FROM events WHERE seq = ?1) ELSE ?4 END, \
             failures = ?5, error = ?6, outcome = ?7, catalog_hash = ?8, component_hash = ?9, claim_answers = ?10, \
             fuel = ?11, effects_hash = ?12 WHERE seq = ?1",
        )?
        .execute(params![
            change.seq,
            change.account.as_ref().map(ToString::to_string),
            state,
            at,
            change.failures,
            change.error,
            outcome,
            provenance.map(|provenance| text::hash_value(&provenance.catalog_hash)),
            provenance.map(|provenance| text::hash_value(&provenance.component_hash)),
            provenance.map(|provenance| &provenance.claim_answers),
            // Fuel is far below 2^63; a larger value would be a lie of the caller's.
            provenance.map(|provenance| i64::try_from(provenance.fuel).unwrap_or(i64::MAX)),
            provenance.map(|provenance| text::hash_value(&provenance.effects_hash)),
        ])?;
    if matches!(state, PARKED | DEFERRED) {
        let mut wait = connection.prepare_cached("INSERT OR IGNORE INTO waits (key, seq) VALUES (?1, ?2)")?;
        for key in &change.waits_for {
            wait.execute(params![key, change.seq])?;
        }
    }
    Ok(changed == 1)
}

macro_rules! select {
    ($conditions:expr) => {
        concat!(
            "SELECT e.seq, e.business, e.livemode, e.source, e.id, e.kind, e.received_at, e.envelope, ",
            "e.payload_kind, e.payload, e.raw, i.account, i.state, i.at, i.failures, i.error, i.outcome, ",
            "i.catalog_hash, i.component_hash, i.claim_answers, i.fuel, i.effects_hash ",
            "FROM events e JOIN inbox i ON i.seq = e.seq WHERE ",
            $conditions
        )
    };
}

fn read(row: &Row<'_>) -> Result<InboxRow, Error> {
    let envelope: Envelope<'_> = text::json(row, 7)?;
    let payload: Vec<u8> = row.get(9)?;
    let raw: Option<Vec<u8>> = row.get(10)?;
    let raw = raw.unwrap_or_else(|| payload.clone());
    let utf8 = |bytes| String::from_utf8(bytes).map_err(|error| text::damaged(9, error));
    let payload = match row.get(8)? {
        PAYLOAD_PROVIDER => Payload::Provider(payload),
        PAYLOAD_COMMAND => Payload::Command(utf8(payload)?),
        _ => serde_json::from_slice(&payload).map_err(|error| text::damaged(9, error))?,
    };
    let account: Option<Account> = text::account(row, 11)?;
    let provenance = match row.get_ref(17)? {
        ValueRef::Null => None,
        _ => Some(Provenance {
            catalog_hash: text::hash(row, 17)?,
            component_hash: text::hash(row, 18)?,
            claim_answers: row.get(19)?,
            fuel: row.get(20)?,
            effects_hash: text::hash(row, 21)?,
        }),
    };
    Ok(InboxRow {
        seq: row.get(0)?,
        event: Event {
            id: row.get(4)?,
            source: row.get(3)?,
            kind: row.get(5)?,
            business: row.get(1)?,
            account,
            livemode: envelope.livemode,
            received_at: row.get(6)?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            provider: envelope.provider.map(Cow::into_owned),
            payload,
        },
        livemode: row.get(2)?,
        raw,
        state: match row.get(12)? {
            PENDING => InboxState::Pending { not_before: row.get(13)? },
            PARKED => InboxState::Parked,
            DEFERRED => InboxState::Deferred,
            DONE => InboxState::Done,
            DEAD => InboxState::Dead,
            other => return Err(text::damaged(12, other)),
        },
        failures: row.get(14)?,
        error: row.get(15)?,
        outcome: match row.get_ref(16)? {
            ValueRef::Null => None,
            _ => Some(text::json(row, 16)?),
        },
        provenance,
    })
}

pub(super) fn row(connection: &Connection, seq: u64) -> Result<Option<InboxRow>, Error> {
    connection.prepare_cached(select!("e.seq = ?1"))?.query_row([number(seq)], read).optional()
}

/// The row of an event that is there already.
pub(super) fn known(connection: &Connection, row: &NewInboxRow) -> Result<InboxRow, Error> {
    let event = &row.event;
    connection
        .prepare_cached(select!("e.id = ?1 AND e.source = ?2 AND e.business = ?3 AND e.livemode = ?4"))?
        .query_row(params![event.id, event.source, event.business, row.livemode], read)
}

pub(super) fn after(connection: &Connection, after: u64, limit: usize) -> Result<Vec<InboxRow>, Error> {
    connection
        .prepare_cached(select!("e.seq > ?1 ORDER BY e.seq LIMIT ?2"))?
        .query_map([number(after), rows(limit)], read)?
        .collect()
}

fn seqs(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<u64>, Error> {
    connection.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
}

pub(super) fn due(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<u64>, Error> {
    let sql = "SELECT seq FROM inbox WHERE state < 2 AND state = 0 AND at <= ?1 ORDER BY seq LIMIT ?2";
    seqs(connection, sql, [now, rows(limit)])
}

pub(super) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    connection
        .prepare_cached("SELECT min(at) FROM inbox WHERE state < 2 AND state = 0 AND at > ?1")?
        .query_row([now], |row| row.get(0))
}

pub(super) fn woken_by(connection: &Connection, keys: &[String]) -> Result<Vec<u64>, Error> {
    let mut woken = BTreeSet::new();
    for key in keys {
        woken.extend(seqs(connection, "SELECT seq FROM waits WHERE key = ?1", [key])?);
    }
    Ok(woken.into_iter().collect())
}

pub(super) fn parked_before(connection: &Connection, before: Timestamp, limit: usize) -> Result<Vec<u64>, Error> {
    let sql = "SELECT seq FROM inbox WHERE state < 2 AND state = 1 AND at < ?1 ORDER BY seq LIMIT ?2";
    seqs(connection, sql, [before, rows(limit)])
}

pub(super) fn parked_count(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached("SELECT count(*) FROM inbox WHERE state < 2 AND state = 1")?
        .query_row([], |row| row.get(0))
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
