//! The tables of events: `events` has their immutable parts, `inbox` their progress, `runs` their runs.

use super::text;
use crate::changes::{InboxMove, InboxProgress, NewInbox};
use crate::json::{self, Envelope};
use crate::rows::{InboxRow, InboxState, Provenance, Run};
use crate::scope::Partition;
use extension_contract::{Event, Outcome, Timestamp};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};
use std::borrow::Cow;
use std::collections::BTreeSet;

pub(super) const PENDING: i64 = json::PENDING as i64;
pub(super) const PARKED: i64 = json::PARKED as i64;
pub(super) const DEFERRED: i64 = json::DEFERRED as i64;
pub(super) const DEAD: i64 = json::DEAD as i64;

/// Inserts an event; returns its number, or none if the event exists.
pub(super) fn insert(connection: &Connection, partition: i64, new: &NewInbox) -> Result<Option<u64>, Error> {
    let NewInbox { event, livemode, raw, progress } = new;
    let envelope = text::to_json(&Envelope::of(event))?;
    let (payload_kind, payload) = json::payload_columns(&event.payload).map_err(text::not_written)?;
    let raw = Some(raw.as_slice()).filter(|raw| *raw != &*payload);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO events (business, livemode, source, id, kind, received_at, envelope, payload_kind, payload, \
             raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            event.business,
            livemode,
            event.source,
            event.id,
            event.kind,
            event.received_at,
            envelope,
            payload_kind,
            ToSqlOutput::Borrowed(ValueRef::Blob(&payload)),
            raw.map(|raw| ToSqlOutput::Borrowed(ValueRef::Blob(raw))),
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let seq = connection.last_insert_rowid();
    let (state, at, waits_since) = state_columns(&progress.state);
    connection
        .prepare_cached(
            "INSERT INTO inbox (seq, partition, account, state, at, failures, error, outcome, runs, waits_since) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            seq,
            partition,
            progress.account.as_ref().or(event.account.as_ref()).map(ToString::to_string),
            state,
            at,
            progress.failures,
            progress.error,
            progress.outcome.as_ref().map(text::to_json).transpose()?,
            progress.run.is_some(),
            waits_since,
        ])?;
    count_parked(connection, seq, i64::from(state == PARKED))?;
    write_waits_and_run(connection, seq, progress)?;
    Ok(Some(seq.unsigned_abs()))
}

/// Inserts an event of another store under its number, with its runs.
pub(super) fn insert_whole(
    connection: &Connection,
    partition: i64,
    row: &InboxRow,
    runs: &[Run],
    waits_for: &[String],
) -> Result<(), Error> {
    let Some(inserted) = insert(connection, partition, &NewInbox::copied(row, waits_for))? else { return Ok(()) };
    let (inserted, seq) = (number(inserted), number(row.seq));
    let erased = params![inserted, seq, runs.len(), row.erased];
    connection.prepare_cached("UPDATE events SET seq = ?2 WHERE seq = ?1")?.execute([inserted, seq])?;
    connection.prepare_cached("UPDATE inbox SET seq = ?2, runs = ?3, erased = ?4 WHERE seq = ?1")?.execute(erased)?;
    connection.prepare_cached("UPDATE waits SET seq = ?2 WHERE seq = ?1")?.execute([inserted, seq])?;
    (1_i64..).zip(runs).try_for_each(|(n, run)| write_run(connection, seq, Some(n), run))
}

/// Returns whether an event exists.
pub(super) fn contains(connection: &Connection, new: &NewInbox) -> Result<bool, Error> {
    let NewInbox { event, livemode, .. } = new;
    connection
        .prepare_cached("SELECT 1 FROM events WHERE id = ?1 AND source = ?2 AND business = ?3 AND livemode = ?4")?
        .exists(params![event.id, event.source, event.business, livemode])
}

/// Returns whether a row is in another state; false for a missing row.
pub(super) fn is_in_other_state(connection: &Connection, seq: u64, expected: &InboxState) -> Result<bool, Error> {
    let (state, at, waits_since) = state_columns(expected);
    let sql = "SELECT 1 FROM inbox WHERE seq = ?1 AND (state <> ?2 OR at <> ?3 OR waits_since IS NOT ?4)";
    connection.prepare_cached(sql)?.exists(params![number(seq), state, at, waits_since])
}

/// Returns whether a row exists.
pub(super) fn has_row(connection: &Connection, seq: u64) -> Result<bool, Error> {
    connection.prepare_cached("SELECT 1 FROM inbox WHERE seq = ?1")?.exists([number(seq)])
}

/// Updates an existing row.
pub(super) fn change(connection: &Connection, change: &InboxMove) -> Result<(), Error> {
    let InboxMove { seq, progress } = change;
    let before: i64 = connection
        .prepare_cached("SELECT state FROM inbox WHERE seq = ?1")?
        .query_row([number(*seq)], |row| row.get(0))?;
    let (state, at, waits_since) = state_columns(&progress.state);
    connection
        .prepare_cached(
            "UPDATE inbox SET account = coalesce(?2, account), state = ?3, at = ?4, failures = ?5, error = ?6, \
             outcome = ?7, runs = runs + ?8, waits_since = ?9 WHERE seq = ?1",
        )?
        .execute(params![
            number(*seq),
            progress.account.as_ref().map(ToString::to_string),
            state,
            at,
            progress.failures,
            progress.error,
            progress.outcome.as_ref().map(text::to_json).transpose()?,
            progress.run.is_some(),
            waits_since,
        ])?;
    count_parked(connection, number(*seq), i64::from(state == PARKED) - i64::from(before == PARKED))?;
    if [PARKED, DEFERRED].contains(&before) {
        connection.prepare_cached("DELETE FROM waits WHERE seq = ?1")?.execute([number(*seq)])?;
    }
    write_waits_and_run(connection, number(*seq), progress)
}

/// Updates the stored number of a partition's parked rows.
fn count_parked(connection: &Connection, seq: i64, more: i64) -> Result<(), Error> {
    if more != 0 {
        let sql = "UPDATE partitions SET parked = parked + ?2 WHERE id = (SELECT partition FROM inbox WHERE seq = ?1)";
        connection.prepare_cached(sql)?.execute([seq, more])?;
    }
    Ok(())
}

/// Returns a state, its time, and the start of an interrupted wait as columns.
fn state_columns(state: &InboxState) -> (i64, Timestamp, Option<Timestamp>) {
    let (state, at, waits_since) = json::state_columns(state);
    (i64::from(state), at, waits_since)
}

/// Writes the keys that a row waits for, and its last run. The column `runs` of the inbox row must already contain the
/// number of the run.
fn write_waits_and_run(connection: &Connection, seq: i64, progress: &InboxProgress) -> Result<(), Error> {
    if matches!(progress.state, InboxState::Parked { .. } | InboxState::Deferred { .. }) {
        let mut wait = connection.prepare_cached("INSERT OR IGNORE INTO waits (key, seq) VALUES (?1, ?2)")?;
        for key in &progress.waits_for {
            wait.execute(params![key, seq])?;
        }
    }
    let Some(run) = &progress.run else { return Ok(()) };
    write_run(connection, seq, None, run)
}

/// Writes the nth run of an event; without a number, the one that the column `runs` has.
fn write_run(connection: &Connection, seq: i64, n: Option<i64>, run: &Run) -> Result<(), Error> {
    let Run { at, outcome, error, provenance } = run;
    let provenance = provenance.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO runs (seq, n, at, outcome, error, catalog_hash, component_hash, claim_answers, fuel, \
             effects_hash) SELECT ?1, coalesce(?2, runs), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM inbox WHERE seq = ?1",
        )?
        .execute(params![
            seq,
            n,
            at,
            outcome.as_ref().map(text::to_json).transpose()?,
            error,
            provenance.map(|provenance| text::hash_value(&provenance.catalog_hash)),
            provenance.map(|provenance| text::hash_value(&provenance.component_hash)),
            provenance.map(|provenance| &provenance.claim_answers),
            // Real fuel is far below 2^63.
            provenance.map(|provenance| i64::try_from(provenance.fuel).unwrap_or(i64::MAX)),
            provenance.map(|provenance| text::hash_value(&provenance.effects_hash)),
        ])?;
    Ok(())
}

/// Columns of a run in the table `r`.
macro_rules! run_columns {
    () => {
        "r.at, r.outcome, r.error, r.catalog_hash, r.component_hash, r.claim_answers, r.fuel, r.effects_hash"
    };
}

macro_rules! select {
    ($from:literal, $conditions:literal) => {
        concat!(
            "SELECT e.seq, e.business, e.livemode, e.source, e.id, e.kind, e.received_at, e.envelope, ",
            "e.payload_kind, e.payload, e.raw, i.account, i.state, i.at, i.failures, i.error, i.outcome, ",
            run_columns!(),
            ", i.erased, i.waits_since FROM ",
            $from,
            " LEFT JOIN runs r ON r.seq = e.seq AND r.n = i.runs WHERE ",
            $conditions
        )
    };
    ($conditions:literal) => {
        select!("events e JOIN inbox i ON i.seq = e.seq", $conditions)
    };
}

/// Reads an outcome from a column.
fn outcome(row: &Row<'_>, column: usize) -> Result<Option<Outcome>, Error> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        _ => text::json(row, column).map(Some),
    }
}

/// Reads a provenance from the five columns that begin at `column`.
fn provenance(row: &Row<'_>, column: usize) -> Result<Option<Provenance>, Error> {
    if row.get_ref(column)? == ValueRef::Null {
        return Ok(None);
    }
    Ok(Some(Provenance {
        catalog_hash: text::hash(row, column)?,
        component_hash: text::hash(row, column + 1)?,
        claim_answers: row.get(column + 2)?,
        fuel: row.get(column + 3)?,
        effects_hash: text::hash(row, column + 4)?,
    }))
}

fn read(row: &Row<'_>) -> Result<InboxRow, Error> {
    let envelope: Envelope<'_> = text::json(row, 7)?;
    let payload: Vec<u8> = row.get(9)?;
    let raw: Option<Vec<u8>> = row.get(10)?;
    let raw = raw.unwrap_or_else(|| payload.clone());
    let payload = json::payload_of(row.get(8)?, payload).map_err(|error| text::damaged(9, error))?;
    Ok(InboxRow {
        seq: row.get(0)?,
        event: Event {
            id: row.get(4)?,
            source: row.get(3)?,
            kind: row.get(5)?,
            business: row.get(1)?,
            account: text::account(row, 11)?,
            livemode: envelope.livemode,
            received_at: row.get(6)?,
            attempt: envelope.attempt,
            actor: envelope.actor.into_owned(),
            reply_to: envelope.reply_to.map(Cow::into_owned),
            payment: envelope.payment.map(Cow::into_owned),
            payload,
        },
        livemode: row.get(2)?,
        raw,
        state: json::state_of(row.get(12)?, row.get(13)?, row.get(26)?).map_err(|error| text::damaged(12, error))?,
        failures: row.get(14)?,
        error: row.get(15)?,
        outcome: outcome(row, 16)?,
        provenance: provenance(row, 20)?,
        erased: row.get(25)?,
    })
}

fn many(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<InboxRow>, Error> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

pub(super) fn row(connection: &Connection, seq: u64) -> Result<Option<InboxRow>, Error> {
    connection.prepare_cached(select!("e.seq = ?1"))?.query_row([number(seq)], read).optional()
}

/// Returns the row of an event by its identity.
pub(super) fn event(
    connection: &Connection,
    partition: &Partition,
    source: &str,
    id: &str,
) -> Result<Option<InboxRow>, Error> {
    connection
        .prepare_cached(select!("e.id = ?1 AND e.source = ?2 AND e.business = ?3 AND e.livemode = ?4"))?
        .query_row(params![id, source, partition.business, partition.livemode], read)
        .optional()
}

/// Returns the number of the newest row; 0 without rows.
pub(super) fn newest(connection: &Connection) -> Result<u64, Error> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM inbox")?.query_row([], |row| row.get(0))
}

pub(super) fn after(connection: &Connection, after: u64, limit: usize) -> Result<Vec<InboxRow>, Error> {
    let sql = select!("e.seq > ?1 ORDER BY e.seq LIMIT ?2");
    many(connection, sql, [number(after), text::limit(limit)])
}

/// Returns a page of the results of effects, by their own index: other events may be much more.
pub(super) fn effect_results_after(connection: &Connection, after: u64, limit: usize) -> Result<Vec<InboxRow>, Error> {
    // An index with a condition is used only for the same words. CROSS JOIN keeps its order of the rows.
    let sql = select!(
        "events e INDEXED BY events_of_effects CROSS JOIN inbox i ON i.seq = e.seq",
        "e.source = 'effects' AND e.seq > ?1 ORDER BY e.seq LIMIT ?2"
    );
    many(connection, sql, [number(after), text::limit(limit)])
}

/// Returns a page of one partition. It has no index: it skips the rows of other partitions.
pub(super) fn of_partition_after(
    connection: &Connection,
    partition: i64,
    after: u64,
    limit: usize,
) -> Result<Vec<InboxRow>, Error> {
    let sql = select!("e.seq > ?1 AND i.partition = ?2 ORDER BY e.seq LIMIT ?3");
    many(connection, sql, params![number(after), partition, text::limit(limit)])
}

/// Returns a page of one account, by its own index.
pub(super) fn of_account_after(
    connection: &Connection,
    partition: i64,
    account: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<InboxRow>, Error> {
    // The index ends in `seq`, as every index of a table whose key is a number does.
    let sql = select!(
        "inbox i INDEXED BY inbox_of_account CROSS JOIN events e ON e.seq = i.seq",
        "i.account = ?1 AND i.partition = ?2 AND i.seq > ?3 ORDER BY i.seq LIMIT ?4"
    );
    many(connection, sql, params![account, partition, number(after), text::limit(limit)])
}

pub(super) fn runs(connection: &Connection, seq: u64) -> Result<Vec<Run>, Error> {
    connection
        .prepare_cached(concat!("SELECT ", run_columns!(), " FROM runs r WHERE r.seq = ?1 ORDER BY r.n"))?
        .query_map([number(seq)], |row| {
            let (at, error) = (row.get(0)?, row.get(2)?);
            Ok(Run { at, outcome: outcome(row, 1)?, error, provenance: provenance(row, 3)? })
        })?
        .collect()
}

fn seqs(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<u64>, Error> {
    connection.prepare_cached(sql)?.query_map(params, |row| row.get(0))?.collect()
}

pub(super) fn due(connection: &Connection, partition: i64, now: Timestamp, limit: usize) -> Result<Vec<u64>, Error> {
    let sql = "SELECT seq FROM inbox INDEXED BY inbox_waiting \
               WHERE partition = ?1 AND state < 3 AND state = 0 AND at <= ?2 LIMIT ?3";
    let mut due = seqs(connection, sql, [partition, now, text::limit(limit.saturating_add(1))])?;
    if due.len() > limit {
        // More rows than the limit: returns the first rows in order of acceptance.
        let sql = "SELECT seq FROM inbox INDEXED BY inbox_failed \
                   WHERE partition = ?1 AND state IN (0, 4) AND state = 0 AND at <= ?2 ORDER BY seq LIMIT ?3";
        due = seqs(connection, sql, [partition, now, text::limit(limit)])?;
    }
    due.sort_unstable();
    Ok(due)
}

pub(super) fn next_due(connection: &Connection, partition: i64, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    connection
        .prepare_cached(
            "SELECT min(at) FROM inbox INDEXED BY inbox_waiting \
             WHERE partition = ?1 AND state < 3 AND state = 0 AND at > ?2",
        )?
        .query_row([partition, now], |row| row.get(0))
}

pub(super) fn woken_by(connection: &Connection, keys: &[String]) -> Result<Vec<u64>, Error> {
    let mut woken = BTreeSet::new();
    for key in keys {
        woken.extend(seqs(connection, "SELECT seq FROM waits WHERE key = ?1", [key])?);
    }
    Ok(woken.into_iter().collect())
}

/// Returns the rows of a partition that entered a waiting state before a time, longest wait first.
pub(super) fn waiting_since(
    connection: &Connection,
    (partition, state): (i64, i64),
    before: Timestamp,
    limit: usize,
) -> Result<Vec<u64>, Error> {
    let sql = "SELECT seq FROM inbox INDEXED BY inbox_waiting \
               WHERE partition = ?1 AND state < 3 AND state = ?2 AND at < ?3 ORDER BY at, seq LIMIT ?4";
    seqs(connection, sql, [partition, state, before, text::limit(limit)])
}

pub(super) fn parked_count(connection: &Connection, partition: i64) -> Result<u64, Error> {
    connection.prepare_cached("SELECT parked FROM partitions WHERE id = ?1")?.query_row([partition], |row| row.get(0))
}

/// Returns the pending or dead rows of a partition in order of acceptance.
pub(super) fn in_state(
    connection: &Connection,
    (partition, state): (i64, i64),
    after: u64,
    limit: usize,
) -> Result<Vec<InboxRow>, Error> {
    let sql = select!(
        "inbox i INDEXED BY inbox_failed CROSS JOIN events e ON e.seq = i.seq",
        "i.partition = ?1 AND i.state IN (0, 4) AND i.state = ?2 AND i.seq > ?3 ORDER BY i.seq LIMIT ?4"
    );
    many(connection, sql, [partition, state, number(after), text::limit(limit)])
}

pub(super) fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
