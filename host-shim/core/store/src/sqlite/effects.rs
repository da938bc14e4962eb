//! The table of effects, and the queries for effects that may begin.

use super::{inbox, scopes, text};
use crate::changes::{EffectChange, ExpectedEffect, ExpectedGenerations};
use crate::json::{effect_state, state_number};
use crate::rows::{DueQuery, EffectRow, Lease, LeaseRequest, TURNS_SEARCHED_MAX};
use extension_contract::{Effect, RetryPolicy, Timestamp};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};
use serde_json::json;

/// The `SELECT` of every query for effects, with an index and conditions; `numbered` finds effects by number.
macro_rules! select {
    (by $index:literal, $($conditions:expr),+) => {
        select!(concat!("INDEXED BY ", $index), $($conditions),+)
    };
    (numbered, $($conditions:expr),+) => {
        select!("NOT INDEXED", $($conditions),+)
    };
    ($index:expr, $($conditions:expr),+) => {
        concat!(
            "SELECT e.seq, s.business, s.livemode, s.account, e.kind, e.receiver, e.key, e.generation, t.payload, ",
            "e.reply_to, e.ordering_key, e.not_before, e.deadline, e.retry, e.state, e.attempts, e.due_at, ",
            "e.created_at, e.caused_by, t.context, e.lease_until, e.fence, e.token, e.erased, e.lease_owner ",
            "FROM effects e ", $index, " CROSS JOIN scopes s ON s.id = e.scope ",
            "CROSS JOIN effect_texts t ON t.seq = e.seq WHERE ",
            $($conditions),+
        )
    };
}

/// Condition: no open effect of the same ordering key precedes the effect.
macro_rules! first_of_its_key {
    () => {
        "(e.ordering_key IS NULL OR NOT EXISTS (SELECT 1 FROM effects b INDEXED BY effects_open \
         WHERE b.scope = e.scope AND b.ordering_key = e.ordering_key AND b.state < 2 AND b.seq < e.seq))"
    };
}

fn read(row: &Row<'_>) -> Result<EffectRow, Error> {
    let retry = row.get::<_, Option<String>>(13)?.map(|text| delays(&text)).transpose()?;
    Ok(EffectRow {
        seq: row.get(0)?,
        scope: scopes::read(row, 1)?,
        effect: Effect {
            kind: row.get(4)?,
            to: text::account(row, 5)?,
            key: row.get(6)?,
            generation: row.get(7)?,
            payload: row.get(8)?,
            context: row.get(19)?,
            reply_to: row.get(9)?,
            ordering_key: row.get(10)?,
            not_before: row.get(11)?,
            deadline: row.get(12)?,
            retry,
        },
        state: effect_state(row.get(14)?).map_err(|error| text::damaged(14, error))?,
        attempts: row.get(15)?,
        due_at: row.get(16)?,
        created_at: row.get(17)?,
        caused_by: row.get(18)?,
        lease: Lease { until: row.get(20)?, number: row.get(21)?, token: row.get(22)?, owner: row.get(24)? },
        erased: row.get(23)?,
    })
}

/// Parses a retry policy from the list of its delays.
fn delays(text: &str) -> Result<RetryPolicy, Error> {
    let delays_ms = serde_json::from_str(text).map_err(|_| text::damaged(13, text))?;
    Ok(RetryPolicy { delays_ms })
}

fn many(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<EffectRow>, Error> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

pub(super) fn generations(connection: &Connection, scope: i64, key: &str) -> Result<Vec<EffectRow>, Error> {
    let sql = select!(by "effects_by_key", "e.scope = ?1 AND e.key = ?2 ORDER BY e.seq");
    many(connection, sql, params![scope, key])
}

/// Returns a page of the effects of a scope. This query is rare, so it has no index: it sorts all effects of the scope.
pub(super) fn of_scope(connection: &Connection, scope: i64, after: u64, limit: usize) -> Result<Vec<EffectRow>, Error> {
    let sql = select!(by "effects_by_key", "e.scope = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3");
    many(connection, sql, params![scope, inbox::number(after), text::limit(limit)])
}

/// The condition of an effect that needs no call at the time `?2`: see [`EffectRow::needs_call`].
macro_rules! needs_no_call {
    () => {
        "(e.kind IN ('timer.at', 'account.send', 'payment.event', 'account.erase') OR coalesce(e.deadline <= ?2, 0))"
    };
}

/// The condition of an effect whose kind is not in the list `?4`, or that needs no call. The index has all columns of it.
macro_rules! not_busy {
    () => {
        concat!("(?4 = '[]' OR e.kind NOT IN (SELECT value FROM json_each(?4)) OR ", needs_no_call!(), ") AND ")
    };
}

pub(super) fn due(connection: &Connection, partition: i64, query: &DueQuery<'_>) -> Result<Vec<EffectRow>, Error> {
    let (now, rows) = (query.now, text::limit(query.limit));
    let busy = json!(query.busy).to_string();
    let mut due: Vec<(i64, EffectRow)> = match query.turns {
        None => {
            let sql = select!(
                by "effects_due",
                "e.partition = ?1 AND e.state = 0 AND e.kind <> 'timer.at' AND e.due_at <= ?2 AND ",
                not_busy!(),
                first_of_its_key!(),
                " ORDER BY e.due_at, e.seq LIMIT ?3"
            );
            many(connection, sql, params![partition, now, rows, busy])?.into_iter().map(|row| (0, row)).collect()
        }
        Some(most) => in_turn(connection, partition, (now, rows, &busy), most)?,
    };
    if query.timers {
        let sql = select!(
            by "effects_due_timers",
            "e.partition = ?1 AND e.state = 0 AND e.kind = 'timer.at' AND e.due_at <= ?2 AND ",
            first_of_its_key!(),
            " ORDER BY e.due_at, e.seq LIMIT ?3"
        );
        due.extend(many(connection, sql, params![partition, now, rows])?.into_iter().map(|row| (0, row)));
        due.sort_by_key(|(turn, row)| (*turn, row.due_at, row.seq));
        due.truncate(query.limit);
    }
    Ok(due.into_iter().map(|(_, row)| row).collect())
}

/// Returns due effects with their turns: see [`DueQuery::turns`]. All columns that decide are in the index.
fn in_turn(
    connection: &Connection,
    partition: i64,
    (now, rows, busy): (Timestamp, i64, &str),
    most: usize,
) -> Result<Vec<(i64, EffectRow)>, Error> {
    let sql = concat!(
        "WITH due AS (SELECT e.seq, e.due_at, e.scope, e.kind, ",
        needs_no_call!(),
        " AS own FROM effects e INDEXED BY effects_due WHERE e.partition = ?1 AND e.state = 0 ",
        "AND e.kind <> 'timer.at' AND e.due_at <= ?2 AND ",
        not_busy!(),
        first_of_its_key!(),
        " ORDER BY e.due_at, e.seq LIMIT ?5), ",
        "counted AS (SELECT seq, due_at, CASE WHEN own THEN 0 ELSE ",
        "row_number() OVER (PARTITION BY scope, kind, own ORDER BY due_at, seq) END AS turn FROM due) ",
        "SELECT seq, turn FROM counted WHERE turn <= ?6 ORDER BY turn, due_at, seq LIMIT ?3"
    );
    let (searched, most) = (text::limit(TURNS_SEARCHED_MAX), text::limit(most));
    let turns: Vec<(i64, i64)> = connection
        .prepare_cached(sql)?
        .query_map(params![partition, now, rows, busy, searched, most], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut one = connection.prepare_cached(select!(numbered, "e.seq = ?1"))?;
    turns.into_iter().map(|(seq, turn)| Ok((turn, one.query_row([seq], read)?))).collect()
}

/// Marks and leases chosen effects; returns them in order. The transaction is the caller's.
pub(super) fn lease(
    connection: &Connection,
    partition: i64,
    request: &LeaseRequest<'_>,
) -> Result<Vec<EffectRow>, Error> {
    let LeaseRequest { owner, now, until, chosen, .. } = *request;
    let mut update = connection.prepare_cached(
        "UPDATE effects SET state = 1, attempts = attempts + 1, lease_until = ?3, fence = fence + 1, token = NULL, \
         lease_owner = ?4 WHERE seq = ?1 AND partition = ?5 AND state = 0 AND due_at <= ?2",
    )?;
    let mut one = connection.prepare_cached(select!(numbered, "e.seq = ?1"))?;
    let mut leased = Vec::with_capacity(chosen.len());
    for seq in chosen {
        let seq = inbox::number(*seq);
        if update.execute(params![seq, now, until, owner, partition])? > 0 {
            leased.push(one.query_row([seq], read)?);
        }
    }
    Ok(leased)
}

pub(super) fn next_due(connection: &Connection, partition: i64, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let effects = concat!(
        "SELECT e.due_at FROM effects e INDEXED BY effects_due ",
        "WHERE e.partition = ?1 AND e.state = 0 AND e.kind <> 'timer.at' AND e.due_at > ?2 AND ",
        first_of_its_key!(),
        " ORDER BY e.due_at LIMIT 1"
    );
    let timers = concat!(
        "SELECT e.due_at FROM effects e INDEXED BY effects_due_timers ",
        "WHERE e.partition = ?1 AND e.state = 0 AND e.kind = 'timer.at' AND e.due_at > ?2 AND ",
        first_of_its_key!(),
        " ORDER BY e.due_at LIMIT 1"
    );
    let next = |sql| -> Result<Option<Timestamp>, Error> {
        connection.prepare_cached(sql)?.query_row([partition, now], |row| row.get(0)).optional()
    };
    Ok([next(effects)?, next(timers)?].into_iter().flatten().min())
}

pub(super) fn running(connection: &Connection, partition: i64) -> Result<Vec<EffectRow>, Error> {
    let sql = select!(by "effects_running", "e.partition = ?1 AND e.state = 1 ORDER BY e.seq");
    many(connection, sql, [partition])
}

/// Returns the finished effects with a provider's token.
pub(super) fn awaited(connection: &Connection, partition: i64) -> Result<Vec<EffectRow>, Error> {
    let sql = select!(
        by "effects_awaited",
        "e.partition = ?1 AND e.state = 2 AND e.token IS NOT NULL ORDER BY e.seq"
    );
    many(connection, sql, [partition])
}

/// Returns the open effects of a scope.
pub(super) fn open_of(connection: &Connection, scope: i64) -> Result<Vec<EffectRow>, Error> {
    many(connection, select!(by "effects_open", "e.scope = ?1 AND e.state < 2 ORDER BY e.seq"), [scope])
}

/// Returns the open effects of a partition, from three indexes of queued and running effects.
pub(super) fn open(connection: &Connection, partition: i64) -> Result<Vec<EffectRow>, Error> {
    let mut open = running(connection, partition)?;
    let effects = select!(by "effects_due", "e.partition = ?1 AND e.state = 0 AND e.kind <> 'timer.at'");
    open.extend(many(connection, effects, [partition])?);
    let timers = select!(by "effects_due_timers", "e.partition = ?1 AND e.state = 0 AND e.kind = 'timer.at'");
    open.extend(many(connection, timers, [partition])?);
    open.sort_unstable_by_key(|row| row.seq);
    Ok(open)
}

/// Returns a page of the open effects of a partition. The three indexes have their numbers, so only the page's rows are read.
pub(super) fn open_after(
    connection: &Connection,
    partition: i64,
    after: u64,
    limit: usize,
) -> Result<Vec<EffectRow>, Error> {
    let sql = select!(
        numbered,
        "e.seq IN (SELECT seq FROM (",
        "SELECT seq FROM effects INDEXED BY effects_running WHERE partition = ?1 AND state = 1 AND seq > ?2 ",
        "UNION ALL SELECT seq FROM effects INDEXED BY effects_due ",
        "WHERE partition = ?1 AND state = 0 AND kind <> 'timer.at' AND seq > ?2 ",
        "UNION ALL SELECT seq FROM effects INDEXED BY effects_due_timers ",
        "WHERE partition = ?1 AND state = 0 AND kind = 'timer.at' AND seq > ?2",
        ") ORDER BY seq LIMIT ?3) ORDER BY e.seq"
    );
    many(connection, sql, params![partition, inbox::number(after), text::limit(limit)])
}

/// Returns an effect by its number.
pub(super) fn at(connection: &Connection, seq: u64) -> Result<Option<EffectRow>, Error> {
    let sql = select!(numbered, "e.seq = ?1");
    connection.prepare_cached(sql)?.query_row([inbox::number(seq)], read).optional()
}

/// Returns whether a generation of an effect exists.
pub(super) fn exists(connection: &Connection, scope: i64, key: &str, generation: u32) -> Result<bool, Error> {
    connection
        .prepare_cached("SELECT 1 FROM effects WHERE scope = ?1 AND key = ?2 AND generation = ?3")?
        .exists(params![scope, key, generation])
}

/// Returns whether an effect exists with this state, and a lease with this number.
pub(super) fn has_lease(connection: &Connection, scope: i64, expected: &ExpectedEffect) -> Result<bool, Error> {
    let ExpectedEffect { key, generation, state, lease } = expected;
    connection
        .prepare_cached(
            "SELECT 1 FROM effects WHERE scope = ?1 AND key = ?2 AND generation = ?3 AND state = ?4 AND fence = ?5",
        )?
        .exists(params![scope, key, generation, state_number(*state), lease])
}

/// Returns whether an effect has exactly the expected generations.
pub(super) fn has_generations(
    connection: &Connection,
    scope: i64,
    expected: &ExpectedGenerations,
) -> Result<bool, Error> {
    let sql = "SELECT generation, state, fence FROM effects INDEXED BY effects_by_key \
               WHERE scope = ?1 AND key = ?2 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![scope, expected.key])?;
    let mut expected = expected.generations.iter();
    while let Some(row) = rows.next()? {
        let found: (u32, i16, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if expected.next().map(|(generation, state, lease)| (*generation, state_number(*state), *lease)) != Some(found)
        {
            return Ok(false);
        }
    }
    Ok(expected.next().is_none())
}

/// Inserts an effect of another store under its number.
pub(super) fn insert_whole(connection: &Connection, partition: i64, scope: i64, row: &EffectRow) -> Result<(), Error> {
    change(connection, partition, scope, &EffectChange::Insert(Box::new(row.clone())))?;
    let (inserted, number) = (connection.last_insert_rowid(), inbox::number(row.seq));
    connection
        .prepare_cached("UPDATE effects SET seq = ?2, erased = ?3 WHERE seq = ?1")?
        .execute(params![inserted, number, row.erased])?;
    connection.prepare_cached("UPDATE effect_texts SET seq = ?2 WHERE seq = ?1")?.execute([inserted, number])?;
    Ok(())
}

/// Writes a checked change.
pub(super) fn change(connection: &Connection, partition: i64, scope: i64, change: &EffectChange) -> Result<(), Error> {
    match change {
        EffectChange::Insert(row) => {
            let effect = &row.effect;
            connection
                .prepare_cached(
                    "INSERT INTO effects (scope, key, generation, kind, receiver, reply_to, ordering_key, not_before, \
                     deadline, retry, state, attempts, due_at, created_at, caused_by, partition, lease_until, fence, \
                     token, lease_owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
                     ?17, ?18, ?19, ?20)",
                )?
                .execute(params![
                    scope,
                    effect.key,
                    effect.generation,
                    effect.kind,
                    effect.to.as_ref().map(ToString::to_string),
                    effect.reply_to,
                    effect.ordering_key,
                    effect.not_before,
                    effect.deadline,
                    effect.retry.as_ref().map(|retry| json!(retry.delays_ms).to_string()),
                    state_number(row.state),
                    row.attempts,
                    row.due_at,
                    row.created_at,
                    row.caused_by,
                    partition,
                    row.lease.until,
                    row.lease.number,
                    row.lease.token,
                    row.lease.owner,
                ])?;
            connection
                .prepare_cached("INSERT INTO effect_texts (seq, payload, context) VALUES (?1, ?2, ?3)")?
                .execute(params![connection.last_insert_rowid(), effect.payload, effect.context])?;
        }
        EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
            connection
                .prepare_cached(
                    "UPDATE effects SET state = ?4, attempts = ?5, due_at = ?6, lease_until = ?7, fence = ?8, \
                     token = ?9, lease_owner = ?10 WHERE scope = ?1 AND key = ?2 AND generation = ?3",
                )?
                .execute(params![
                    scope,
                    key,
                    generation,
                    state_number(*state),
                    attempts,
                    due_at,
                    lease.until,
                    lease.number,
                    lease.token,
                    lease.owner
                ])?;
        }
    }
    Ok(())
}
