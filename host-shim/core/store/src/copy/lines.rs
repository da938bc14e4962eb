//! The parts of a store as lines of JSON, for a file or a request: each line is one part.

use super::{Part, WholeRow};
use crate::changes::RowWrite;
use crate::error::{StoreError, Stored};
use crate::json::{
    Content, Envelope, RunJson, damaged, effect_state, from_json, payload_columns, payload_of, row_of, state_columns,
    state_number, state_of, to_json,
};
use crate::parse::{reference, row_key};
use crate::rows::{ClaimRow, EffectRow, InboxRow, Lease};
use crate::scope::Scope;
use extension_contract::{Effect, Event, Outcome, Reply, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

#[derive(Serialize, Deserialize)]
struct ScopeLine {
    business: String,
    livemode: bool,
    account: String,
}

impl ScopeLine {
    fn of(scope: &Scope) -> ScopeLine {
        ScopeLine { business: scope.business.clone(), livemode: scope.livemode, account: scope.account.to_string() }
    }

    fn into_scope(self) -> Stored<Scope> {
        let account = self.account.parse().map_err(damaged)?;
        Ok(Scope { business: self.business, livemode: self.livemode, account })
    }
}

/// Bytes: a string if they are valid UTF-8, otherwise a list.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    List(Vec<u8>),
}

impl Bytes {
    fn of(bytes: &[u8]) -> Bytes {
        std::str::from_utf8(bytes).map_or_else(|_| Bytes::List(bytes.to_vec()), |text| Bytes::Text(text.to_owned()))
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::List(bytes) => bytes,
        }
    }
}

/// A part.
#[derive(Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
enum Line {
    Scope {
        scope: ScopeLine,
        revision: u64,
        data_version: Option<u32>,
    },
    Row {
        scope: ScopeLine,
        key: String,
        body: Value,
        value: String,
        data_version: u32,
        live: bool,
        references: Vec<String>,
        fingerprint: Option<String>,
        written: u64,
        created_at: Option<Timestamp>,
        updated_at: Option<Timestamp>,
    },
    Fact {
        scope: ScopeLine,
        fact: String,
        event_id: String,
    },
    Reply {
        scope: ScopeLine,
        caller: String,
        reply: Reply,
    },
    Claim {
        key: String,
        holder: Option<String>,
        until: Option<Timestamp>,
        blocked_until: Option<Timestamp>,
    },
    Event(Box<EventLine>),
    Effect(Box<EffectLine>),
}

#[derive(Serialize, Deserialize)]
struct EventLine {
    seq: u64,
    id: String,
    source: String,
    kind: String,
    business: String,
    livemode: bool,
    account: Option<String>,
    received_at: Timestamp,
    envelope: Envelope<'static>,
    payload_kind: i16,
    payload: Bytes,
    raw: Option<Bytes>,
    state: i16,
    at: Timestamp,
    waits_since: Option<Timestamp>,
    failures: u32,
    error: Option<String>,
    outcome: Option<Outcome>,
    erased: bool,
    runs: Vec<RunJson<'static>>,
    waits_for: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct EffectLine {
    seq: u64,
    scope: ScopeLine,
    effect: Effect,
    state: i16,
    attempts: u32,
    due_at: Timestamp,
    created_at: Timestamp,
    caused_by: String,
    lease: u64,
    lease_until: Option<Timestamp>,
    token: Option<String>,
    lease_owner: Option<String>,
    erased: bool,
}

/// Returns a part as a line, without the line ending.
///
/// # Errors
/// Fails with `StoreError::Misuse` if a part has no JSON form.
pub fn line_of(part: &Part) -> Stored<String> {
    let line = match part {
        Part::Scope { scope, revision, data_version } => {
            Line::Scope { scope: ScopeLine::of(scope), revision: *revision, data_version: *data_version }
        }
        Part::Row(scope, WholeRow { write, written, created_at, updated_at }) => {
            let row = write.row.as_ref().ok_or_else(|| StoreError::Misuse(format!("no content: {}", write.key)))?;
            let Content { body, value } = Content::of(row)?;
            Line::Row {
                scope: ScopeLine::of(scope),
                key: write.key.to_string(),
                body: from_json(&body)?,
                value: value.to_owned(),
                data_version: write.data_version,
                live: write.live,
                references: write.references.iter().map(ToString::to_string).collect(),
                fingerprint: write.fingerprint.clone(),
                written: *written,
                created_at: *created_at,
                updated_at: *updated_at,
            }
        }
        Part::Fact { scope, fact, event_id } => {
            Line::Fact { scope: ScopeLine::of(scope), fact: fact.clone(), event_id: event_id.clone() }
        }
        Part::Reply { scope, caller, reply } => {
            Line::Reply { scope: ScopeLine::of(scope), caller: caller.clone(), reply: reply.clone() }
        }
        Part::Claim(key, ClaimRow { holder, until, blocked_until }) => Line::Claim {
            key: key.clone(),
            holder: holder.as_ref().map(ToString::to_string),
            until: *until,
            blocked_until: *blocked_until,
        },
        Part::Event { row, runs, waits_for } => {
            let (payload_kind, payload) = payload_columns(&row.event.payload)?;
            let (state, at, waits_since) = state_columns(&row.state);
            let event = &row.event;
            let envelope = Envelope {
                livemode: event.livemode,
                attempt: event.attempt,
                actor: Cow::Owned(event.actor.clone()),
                reply_to: event.reply_to.clone().map(Cow::Owned),
                payment: event.payment.clone().map(Cow::Owned),
            };
            Line::Event(Box::new(EventLine {
                seq: row.seq,
                id: event.id.clone(),
                source: event.source.clone(),
                kind: event.kind.clone(),
                business: event.business.clone(),
                livemode: row.livemode,
                account: event.account.as_ref().map(ToString::to_string),
                received_at: event.received_at,
                envelope,
                payload_kind,
                raw: Some(row.raw.as_slice()).filter(|raw| *raw != &*payload).map(Bytes::of),
                payload: Bytes::of(&payload),
                state,
                at,
                waits_since,
                failures: row.failures,
                error: row.error.clone(),
                outcome: row.outcome.clone(),
                erased: row.erased,
                runs: from_json::<Value>(&to_json(&runs.iter().map(RunJson::of).collect::<Vec<_>>())?)
                    .and_then(|runs| serde_json::from_value(runs).map_err(damaged))?,
                waits_for: waits_for.clone(),
            }))
        }
        Part::Effect(row) => Line::Effect(Box::new(EffectLine {
            seq: row.seq,
            scope: ScopeLine::of(&row.scope),
            effect: row.effect.clone(),
            state: state_number(row.state),
            attempts: row.attempts,
            due_at: row.due_at,
            created_at: row.created_at,
            caused_by: row.caused_by.clone(),
            lease: row.lease.number,
            lease_until: row.lease.until,
            token: row.lease.token.clone(),
            lease_owner: row.lease.owner.clone(),
            erased: row.erased,
        })),
    };
    to_json(&line)
}

/// Parses a part from its line.
///
/// # Errors
/// Fails with `StoreError::Unavailable` if the text is not a part.
pub fn part_of(line: &str) -> Stored<Part> {
    Ok(match from_json::<Line>(line)? {
        Line::Scope { scope, revision, data_version } => {
            Part::Scope { scope: scope.into_scope()?, revision, data_version }
        }
        Line::Row {
            scope,
            key,
            body,
            value,
            data_version,
            live,
            references,
            fingerprint,
            written,
            created_at,
            updated_at,
        } => {
            let references = references.iter().map(|text| reference(text).ok_or_else(|| damaged(text)));
            let write = RowWrite {
                row: Some(row_of(&key, &body.to_string(), value)?),
                key: row_key(&key).ok_or_else(|| damaged(&key))?,
                data_version,
                live,
                references: references.collect::<Stored<_>>()?,
                fingerprint,
            };
            Part::Row(scope.into_scope()?, WholeRow { write, written, created_at, updated_at })
        }
        Line::Fact { scope, fact, event_id } => Part::Fact { scope: scope.into_scope()?, fact, event_id },
        Line::Reply { scope, caller, reply } => Part::Reply { scope: scope.into_scope()?, caller, reply },
        Line::Claim { key, holder, until, blocked_until } => {
            let holder = holder.map(|text| text.parse().map_err(damaged)).transpose()?;
            Part::Claim(key, ClaimRow { holder, until, blocked_until })
        }
        Line::Event(line) => event_part(*line)?,
        Line::Effect(line) => Part::Effect(EffectRow {
            seq: line.seq,
            scope: line.scope.into_scope()?,
            effect: line.effect,
            state: effect_state(line.state)?,
            attempts: line.attempts,
            due_at: line.due_at,
            created_at: line.created_at,
            caused_by: line.caused_by,
            lease: Lease { number: line.lease, until: line.lease_until, token: line.token, owner: line.lease_owner },
            erased: line.erased,
        }),
    })
}

fn event_part(line: EventLine) -> Stored<Part> {
    let payload = line.payload.into_bytes();
    let raw = line.raw.map_or_else(|| payload.clone(), Bytes::into_bytes);
    let runs: Vec<_> = line.runs.into_iter().map(RunJson::into_run).collect();
    Ok(Part::Event {
        row: InboxRow {
            seq: line.seq,
            event: Event {
                id: line.id,
                source: line.source,
                kind: line.kind,
                business: line.business,
                account: line.account.map(|text| text.parse().map_err(damaged)).transpose()?,
                livemode: line.envelope.livemode,
                received_at: line.received_at,
                attempt: line.envelope.attempt,
                actor: line.envelope.actor.into_owned(),
                reply_to: line.envelope.reply_to.map(Cow::into_owned),
                payment: line.envelope.payment.map(Cow::into_owned),
                payload: payload_of(line.payload_kind, payload)?,
            },
            livemode: line.livemode,
            raw,
            state: state_of(line.state, line.at, line.waits_since)?,
            failures: line.failures,
            error: line.error,
            outcome: line.outcome,
            provenance: runs.last().and_then(|run| run.provenance.clone()),
            erased: line.erased,
        },
        runs,
        waits_for: line.waits_for,
    })
}
