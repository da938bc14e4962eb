//! The outbox, and which effects may begin.

use super::{scopes, text};
use crate::changes::EffectChange;
use crate::rows::{EffectRow, EffectState, Lease};
use products_contract::{Effect, RetryPolicy, Timestamp};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};

/// What every question about effects reads; the conditions follow.
macro_rules! select {
    ($($conditions:expr),+) => {
        concat!(
            "SELECT e.seq, s.business, s.livemode, s.account, e.kind, e.receiver, e.key, e.generation, e.payload, ",
            "e.reply_to, e.ordering_key, e.not_before, e.deadline, e.retry_attempts, e.retry_first_ms, ",
            "e.retry_longest_ms, e.state, e.attempts, e.due_at, e.created_at, e.caused_by, e.lease, ",
            "e.lease_until, e.token ",
            "FROM effects e JOIN scopes s ON s.id = e.scope WHERE ",
            $($conditions),+
        )
    };
}

/// True for an effect that no open one of its ordering key precedes.
macro_rules! first_of_its_key {
    () => {
        "(e.ordering_key IS NULL OR NOT EXISTS (SELECT 1 FROM effects b INDEXED BY effects_open \
         WHERE b.scope = e.scope AND b.ordering_key = e.ordering_key AND b.state < 2 AND b.seq < e.seq))"
    };
}

fn state_number(state: EffectState) -> i64 {
    match state {
        EffectState::Queued => 0,
        EffectState::Running => 1,
        EffectState::Finished => 2,
        EffectState::Cancelled => 3,
    }
}

fn read(row: &Row<'_>) -> Result<EffectRow, Error> {
    let retry = match row.get(13)? {
        Some(max_attempts) => {
            Some(RetryPolicy { max_attempts, first_delay_ms: row.get(14)?, max_delay_ms: row.get(15)? })
        }
        None => None,
    };
    Ok(EffectRow {
        seq: row.get(0)?,
        scope: scopes::read(row, 1)?,
        effect: Effect {
            kind: row.get(4)?,
            to: text::account(row, 5)?,
            key: row.get(6)?,
            generation: row.get(7)?,
            payload: row.get(8)?,
            reply_to: row.get(9)?,
            ordering_key: row.get(10)?,
            not_before: row.get(11)?,
            deadline: row.get(12)?,
            retry,
        },
        state: match row.get(16)? {
            0_i64 => EffectState::Queued,
            1 => EffectState::Running,
            2 => EffectState::Finished,
            3 => EffectState::Cancelled,
            other => return Err(text::damaged(16, other)),
        },
        attempts: row.get(17)?,
        due_at: row.get(18)?,
        created_at: row.get(19)?,
        caused_by: row.get(20)?,
        lease: Lease { number: row.get(21)?, until: row.get(22)?, token: row.get(23)? },
    })
}

fn many(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<EffectRow>, Error> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

pub(super) fn generations(connection: &Connection, scope: i64, key: &str) -> Result<Vec<EffectRow>, Error> {
    many(connection, select!("e.scope = ?1 AND e.key = ?2 ORDER BY e.seq"), params![scope, key])
}

pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    timers: bool,
    limit: usize,
) -> Result<Vec<EffectRow>, Error> {
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = select!(
        "e.state = 0 AND e.kind <> 'timer.at' AND e.due_at <= ?1 AND ",
        first_of_its_key!(),
        " ORDER BY e.due_at, e.seq LIMIT ?2"
    );
    let mut due = many(connection, sql, params![now, rows])?;
    if timers {
        let sql = select!(
            "e.state = 0 AND e.kind = 'timer.at' AND e.due_at <= ?1 AND ",
            first_of_its_key!(),
            " ORDER BY e.due_at, e.seq LIMIT ?2"
        );
        due.extend(many(connection, sql, params![now, rows])?);
        due.sort_by_key(|row| (row.due_at, row.seq));
        due.truncate(limit);
    }
    Ok(due)
}

pub(super) fn next_due(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let effects = concat!(
        "SELECT e.due_at FROM effects e WHERE e.state = 0 AND e.kind <> 'timer.at' AND e.due_at > ?1 AND ",
        first_of_its_key!(),
        " ORDER BY e.due_at LIMIT 1"
    );
    let timers = concat!(
        "SELECT e.due_at FROM effects e WHERE e.state = 0 AND e.kind = 'timer.at' AND e.due_at > ?1 AND ",
        first_of_its_key!(),
        " ORDER BY e.due_at LIMIT 1"
    );
    let next = |sql| -> Result<Option<Timestamp>, Error> {
        connection.prepare_cached(sql)?.query_row([now], |row| row.get(0)).optional()
    };
    Ok([next(effects)?, next(timers)?].into_iter().flatten().min())
}

pub(super) fn running(connection: &Connection) -> Result<Vec<EffectRow>, Error> {
    many(connection, select!("e.state < 2 AND e.state = 1 ORDER BY e.seq"), [])
}

pub(super) fn open(connection: &Connection, scope: Option<i64>) -> Result<Vec<EffectRow>, Error> {
    match scope {
        Some(scope) => many(connection, select!("e.scope = ?1 AND e.state < 2 ORDER BY e.seq"), [scope]),
        None => many(connection, select!("e.state < 2 ORDER BY e.seq"), []),
    }
}

/// Make a change; false if it updates an effect that is not there.
pub(super) fn change(connection: &Connection, scope: i64, change: &EffectChange) -> Result<bool, Error> {
    match change {
        EffectChange::Insert(row) => {
            let effect = &row.effect;
            connection
                .prepare_cached(
                    "INSERT INTO effects (scope, key, generation, kind, receiver, payload, reply_to, ordering_key, \
                     not_before, deadline, retry_attempts, retry_first_ms, retry_longest_ms, state, attempts, due_at, \
                     created_at, caused_by, lease, lease_until, token) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
                     ?20, ?21)",
                )?
                .execute(params![
                    scope,
                    effect.key,
                    effect.generation,
                    effect.kind,
                    effect.to.as_ref().map(ToString::to_string),
                    effect.payload,
                    effect.reply_to,
                    effect.ordering_key,
                    effect.not_before,
                    effect.deadline,
                    effect.retry.map(|retry| retry.max_attempts),
                    effect.retry.map(|retry| retry.first_delay_ms),
                    effect.retry.map(|retry| retry.max_delay_ms),
                    state_number(row.state),
                    row.attempts,
                    row.due_at,
                    row.created_at,
                    row.caused_by,
                    row.lease.number,
                    row.lease.until,
                    row.lease.token,
                ])?;
            Ok(true)
        }
        EffectChange::Update { key, generation, state, attempts, due_at, lease } => {
            let changed = connection
                .prepare_cached(
                    "UPDATE effects SET state = ?4, attempts = ?5, due_at = ?6, lease = ?7, lease_until = ?8, token = ?9 \
                     WHERE scope = ?1 AND key = ?2 AND generation = ?3",
                )?
                .execute(params![
                    scope,
                    key,
                    generation,
                    state_number(*state),
                    attempts,
                    due_at,
                    lease.number,
                    lease.until,
                    lease.token,
                ])?;
            Ok(changed == 1)
        }
    }
}
