//! The columns of events and their runs.

use crate::decode::{damaged, get, json, maybe_account, number, small};
use extension_contract::{Actor, Event, Outcome, Payload, ProviderFacts, Timestamp};
use host_store::{InboxRow, InboxState, Provenance, Run, Stored};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use tokio_postgres::Row;

pub(crate) const PENDING: i16 = 0;
pub(crate) const PARKED: i16 = 1;
pub(crate) const DEFERRED: i16 = 2;
const DONE: i16 = 3;
pub(crate) const DEAD: i16 = 4;

/// The kinds of payloads.
pub(crate) const PROVIDER: i16 = 0;
pub(crate) const COMMAND: i16 = 1;
pub(crate) const OTHER: i16 = 2;

/// The members of an event that no condition of a query needs.
#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    livemode: Option<bool>,
    attempt: u32,
    actor: Cow<'a, Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Cow<'a, ProviderFacts>>,
}

impl<'a> Envelope<'a> {
    pub(crate) fn of(event: &'a Event) -> Envelope<'a> {
        Envelope {
            livemode: event.livemode,
            attempt: event.attempt,
            actor: Cow::Borrowed(&event.actor),
            reply_to: event.reply_to.as_deref().map(Cow::Borrowed),
            provider: event.provider.as_ref().map(Cow::Borrowed),
        }
    }
}

/// A run.
#[derive(Serialize, Deserialize)]
pub(crate) struct RunJson<'a> {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Cow<'a, Outcome>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog_hash: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component_hash: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_answers: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effects_hash: Option<Cow<'a, str>>,
}

impl<'a> RunJson<'a> {
    pub(crate) fn of(run: &'a Run) -> RunJson<'a> {
        let provenance = run.provenance.as_ref();
        RunJson {
            at: run.at,
            outcome: run.outcome.as_ref().map(Cow::Borrowed),
            error: run.error.as_deref().map(Cow::Borrowed),
            catalog_hash: provenance.map(|it| Cow::Borrowed(&*it.catalog_hash)),
            component_hash: provenance.map(|it| Cow::Borrowed(&*it.component_hash)),
            claim_answers: provenance.map(|it| Cow::Borrowed(&*it.claim_answers)),
            fuel: provenance.map(|it| it.fuel),
            effects_hash: provenance.map(|it| Cow::Borrowed(&*it.effects_hash)),
        }
    }

    pub(crate) fn into_run(self) -> Run {
        let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).unwrap_or_default();
        Run {
            at: self.at,
            outcome: self.outcome.map(Cow::into_owned),
            error: self.error.map(Cow::into_owned),
            provenance: self.catalog_hash.map(|catalog_hash| Provenance {
                catalog_hash: catalog_hash.into_owned(),
                component_hash: text(self.component_hash),
                claim_answers: text(self.claim_answers),
                fuel: self.fuel.unwrap_or_default(),
                effects_hash: text(self.effects_hash),
            }),
        }
    }
}

/// Returns a state, its time, and the start of an interrupted wait as columns.
pub(crate) fn state_columns(state: &InboxState) -> (i16, Timestamp, Option<Timestamp>) {
    match state {
        InboxState::Pending { not_before, waits_since } => (PENDING, *not_before, *waits_since),
        InboxState::Parked { since } => (PARKED, *since, None),
        InboxState::Deferred { since } => (DEFERRED, *since, None),
        InboxState::Done => (DONE, 0, None),
        InboxState::Dead => (DEAD, 0, None),
    }
}

/// The `SELECT` of every query for events, with its conditions.
macro_rules! select_events {
    ($conditions:literal) => {
        concat!(
            "SELECT e.seq, q.business, q.livemode, e.source, e.id, e.kind, e.received_at, e.envelope::text, ",
            "e.payload_kind, e.payload, e.raw, e.account, e.state, e.at, e.waits_since, e.failures, e.error, ",
            "e.outcome::text, e.run::text, e.erased FROM events e JOIN partitions q ON q.id = e.partition WHERE ",
            $conditions
        )
    };
}
pub(crate) use select_events;

/// Reads an event.
pub(crate) fn read(row: &Row) -> Stored<InboxRow> {
    let envelope: Envelope<'_> = json(get(row, 7)?)?;
    let payload: Vec<u8> = get(row, 9)?;
    let raw: Option<Vec<u8>> = get(row, 10)?;
    let raw = raw.unwrap_or_else(|| payload.clone());
    let payload = match get::<i16>(row, 8)? {
        PROVIDER => Payload::Provider(payload),
        COMMAND => Payload::Command(String::from_utf8(payload).map_err(damaged)?),
        _ => serde_json::from_slice(&payload).map_err(damaged)?,
    };
    let at = get(row, 13)?;
    let run = get::<Option<&str>>(row, 18)?.map(json::<RunJson<'_>>).transpose()?;
    Ok(InboxRow {
        seq: number(row, 0)?,
        event: Event {
            id: get(row, 4)?,
            source: get(row, 3)?,
            kind: get(row, 5)?,
            business: get(row, 1)?,
            account: maybe_account(row, 11)?,
            livemode: envelope.livemode,
            received_at: get(row, 6)?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            provider: envelope.provider.map(Cow::into_owned),
            payload,
        },
        livemode: get(row, 2)?,
        raw,
        state: match get::<i16>(row, 12)? {
            PENDING => InboxState::Pending { not_before: at, waits_since: get(row, 14)? },
            PARKED => InboxState::Parked { since: at },
            DEFERRED => InboxState::Deferred { since: at },
            DONE => InboxState::Done,
            DEAD => InboxState::Dead,
            other => return Err(damaged(other)),
        },
        failures: small(row, 15)?,
        error: get(row, 16)?,
        outcome: get::<Option<&str>>(row, 17)?.map(json).transpose()?,
        provenance: run.and_then(|run| run.into_run().provenance),
        erased: get(row, 19)?,
    })
}
