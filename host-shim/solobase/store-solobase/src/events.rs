//! The events with their progress.

use crate::group::Group;
use crate::query::Query;
use crate::record::Record;
use crate::tables::{EVENTS, WAITS};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use extension_contract::Event;
use host_store::implementation::json::{
    DEFERRED, Envelope, PARKED, RunJson, damaged, from_json, payload_columns, payload_of, state_columns, state_of,
    to_json,
};
use host_store::{InboxMove, InboxProgress, InboxRow, InboxState, NewInbox, Partition, Run, StoreError, Stored};
use std::borrow::Cow;

/// Returns bytes as a text: `t` and the text, or `b` and base64.
pub(crate) fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("t{text}"),
        Err(_) => format!("b{}", STANDARD.encode(bytes)),
    }
}

/// Returns the bytes of a text.
pub(crate) fn text_bytes(text: &str) -> Stored<Vec<u8>> {
    match text.split_at_checked(1) {
        Some(("t", text)) => Ok(text.as_bytes().to_vec()),
        Some(("b", text)) => STANDARD.decode(text).map_err(damaged),
        _ => Err(damaged("bytes without a form")),
    }
}

pub(crate) fn event_id(partition: &Partition, source: &str, id: &str) -> String {
    format!("{}|{source}|{id}", partition.name())
}

/// Reads an event.
pub(crate) fn read(row: &Record) -> Stored<InboxRow> {
    let envelope: Envelope<'_> = from_json(row.text("envelope")?)?;
    let payload = text_bytes(row.text("payload")?)?;
    let raw = match row.maybe_text("raw")? {
        Some(raw) => text_bytes(raw)?,
        None => payload.clone(),
    };
    let provenance = runs(row)?.pop().and_then(|run| run.provenance);
    Ok(InboxRow {
        seq: row.number("seq")?,
        event: Event {
            id: row.text("event_id")?.to_owned(),
            source: row.text("source")?.to_owned(),
            kind: row.text("kind")?.to_owned(),
            business: row.text("business")?.to_owned(),
            account: row.maybe_text("account")?.map(|text| text.parse().map_err(damaged)).transpose()?,
            livemode: envelope.livemode,
            received_at: row.int("received_at")?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            payment: envelope.payment.map(Cow::into_owned),
            payload: payload_of(row.number("payload_kind")?, payload)?,
        },
        livemode: row.truth("livemode")?,
        raw,
        state: state(row)?,
        failures: row.number("failures")?,
        error: row.maybe_text("error")?.map(str::to_owned),
        outcome: row.maybe_text("outcome")?.map(from_json).transpose()?,
        provenance,
        erased: row.truth("erased")?,
    })
}

/// Reads the state of an event.
pub(crate) fn state(row: &Record) -> Stored<InboxState> {
    state_of(row.number("state")?, row.int("at")?, row.maybe_int("waits_since")?)
}

/// Reads the runs of an event.
pub(crate) fn runs(row: &Record) -> Stored<Vec<Run>> {
    let runs: Vec<RunJson<'_>> = from_json(row.text("runs")?)?;
    Ok(runs.into_iter().map(RunJson::into_run).collect())
}

fn runs_text(runs: &[Run]) -> Stored<String> {
    to_json(&runs.iter().map(RunJson::of).collect::<Vec<_>>())
}

/// Reads the keys that an event waits for.
pub(crate) fn waits(row: &Record) -> Stored<Vec<String>> {
    row.maybe_text("waits_for")?.map_or(Ok(Vec::new()), from_json)
}

/// Sets the columns of an event's progress.
fn with_progress(row: Record, progress: &InboxProgress, runs: &[Run]) -> Stored<Record> {
    let (state, at, waits_since) = state_columns(&progress.state);
    let waits = &progress.waits_for;
    let waits = (is_waiting(state) && !waits.is_empty()).then(|| to_json(waits)).transpose()?;
    let row = match &progress.account {
        Some(account) => row.with("account", account.to_string()),
        None => row,
    };
    Ok(row
        .with("state", i64::from(state))
        .with("at", at)
        .with("waits_since", waits_since)
        .with("failures", i64::from(progress.failures))
        .with("error", progress.error.as_deref())
        .with("outcome", progress.outcome.as_ref().map(to_json).transpose()?)
        .with("waits_for", waits)
        .with("runs", runs_text(runs)?))
}

fn is_waiting(state: i16) -> bool {
    state == PARKED || state == DEFERRED
}

fn new_row(seq: u64, new: &NewInbox) -> Stored<Record> {
    let NewInbox { event, livemode, raw, .. } = new;
    let partition = Partition { business: event.business.clone(), livemode: *livemode };
    let (kind, payload) = payload_columns(&event.payload)?;
    let raw = Some(raw.as_slice()).filter(|raw| *raw != &*payload).map(bytes_text);
    Ok(Record::new(event_id(&partition, &event.source, &event.id))
        .with("seq", seq)
        .with("space", partition.name())
        .with("business", event.business.as_str())
        .with("livemode", *livemode)
        .with("source", event.source.as_str())
        .with("event_id", event.id.as_str())
        .with("kind", event.kind.as_str())
        .with("received_at", event.received_at)
        .with("envelope", to_json(&Envelope::of(event))?)
        .with("payload_kind", i64::from(kind))
        .with("payload", bytes_text(&payload))
        .with("raw", raw)
        .with("account", event.account.as_ref().map(ToString::to_string))
        .with("erased", false))
}

impl Group {
    /// Inserts an event that the inbox does not have; returns its number.
    pub(crate) fn insert_event(&mut self, new: &NewInbox) -> Stored<u64> {
        self.head.events += 1;
        let seq = self.head.events.unsigned_abs();
        let runs: Vec<Run> = new.progress.run.iter().cloned().collect();
        let row = with_progress(new_row(seq, new)?, &new.progress, &runs)?;
        self.replace_waits(None, &row)?;
        self.set(&EVENTS, row)?;
        Ok(seq)
    }

    /// Inserts an event of another store under its number.
    pub(crate) fn insert_whole(&mut self, row: &InboxRow, runs: &[Run], waits_for: &[String]) -> Stored<()> {
        self.head.events = self.head.events.max(i64::try_from(row.seq).map_err(damaged)?);
        let new = NewInbox::copied(row, waits_for);
        let record = with_progress(new_row(row.seq, &new)?, &new.progress, runs)?.with("erased", row.erased);
        self.replace_waits(None, &record)?;
        self.set(&EVENTS, record)
    }

    /// Changes the progress of an event.
    pub(crate) fn move_event(&self, change: &InboxMove) -> Stored<()> {
        let InboxMove { seq, progress } = change;
        let old = self.event_row(*seq)?.ok_or_else(|| StoreError::Misuse(format!("no inbox row {seq}")))?;
        let mut runs = runs(&old)?;
        runs.extend(progress.run.clone());
        let new = with_progress(old.clone(), progress, &runs)?;
        self.replace_waits(Some(&old), &new)?;
        self.set(&EVENTS, new)
    }

    /// Returns an event by its number.
    pub(crate) fn event_row(&self, seq: u64) -> Stored<Option<Record>> {
        self.first(Query::of(&EVENTS).eq("seq", seq))
    }

    fn replace_waits(&self, old: Option<&Record>, new: &Record) -> Stored<()> {
        let seq = new.int("seq")?;
        let id = |key: &str| format!("{key}|{seq}");
        for key in old.map_or(Ok(Vec::new()), waits)? {
            self.put(&WAITS, &id(&key), None)?;
        }
        for key in waits(new)? {
            let row = Record::new(id(&key)).with("wait_key", key).with("seq", seq);
            self.set(&WAITS, row)?;
        }
        Ok(())
    }
}
