//! Erases the personal data in an account's events and effects.

use super::{inbox, text};
use crate::erase::{self, NO_JSON};
use crate::json::payload_columns;
use crate::rows::InboxRow;
use extension_contract::Account;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, params};

/// Number of events per page.
const PAGE: usize = 256;

/// Erases the done and dead events of an account. Scans the whole inbox: erasures are rare, and an index would slow
/// every event.
pub(super) fn events(connection: &Connection, partition: i64, account: &Account) -> Result<(), Error> {
    let account = account.to_string();
    let mut after = 0;
    loop {
        let page: Vec<u64> = connection
            .prepare_cached(
                "SELECT seq FROM inbox WHERE seq > ?1 AND partition = ?2 AND account = ?3 AND state >= 3 \
                 AND erased = 0 ORDER BY seq LIMIT ?4",
            )?
            .query_map(params![after, partition, account, text::limit(PAGE)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let Some(last) = page.last() else { return Ok(()) };
        after = inbox::number(*last);
        for seq in page {
            if let Some(row) = inbox::row(connection, seq)? {
                event(connection, row)?;
            }
        }
    }
}

fn event(connection: &Connection, row: InboxRow) -> Result<(), Error> {
    let InboxRow { seq, event, mut error, mut outcome, .. } = row;
    let (number, mut payload) = (inbox::number(seq), event.payload);
    erase::payload(&mut payload);
    erase::error(&mut error);
    erase::outcome(&mut outcome);
    let (_, payload) = payload_columns(&payload).map_err(text::not_written)?;
    // Null would mean that the raw bytes equal the payload.
    connection
        .prepare_cached("UPDATE events SET payload = ?2, raw = x'' WHERE seq = ?1")?
        .execute(params![number, ToSqlOutput::Borrowed(ValueRef::Blob(&payload))])?;
    connection
        .prepare_cached("UPDATE inbox SET error = ?2, outcome = ?3, erased = 1 WHERE seq = ?1")?
        .execute(params![number, error, outcome.as_ref().map(text::to_json).transpose()?])?;
    for (n, mut run) in (1_i64..).zip(inbox::runs(connection, seq)?) {
        erase::run(&mut run);
        connection
            .prepare_cached("UPDATE runs SET outcome = ?3, error = ?4, claim_answers = ?5 WHERE seq = ?1 AND n = ?2")?
            .execute(params![
                number,
                n,
                run.outcome.as_ref().map(text::to_json).transpose()?,
                run.error,
                run.provenance.map(|provenance| provenance.claim_answers),
            ])?;
    }
    Ok(())
}

/// Erases the ended effects of a scope.
pub(super) fn effects(connection: &Connection, scope: i64) -> Result<(), Error> {
    let sql = "UPDATE effect_texts SET payload = ?2, context = ?2 WHERE seq IN ( \
               SELECT seq FROM effects INDEXED BY effects_by_key WHERE scope = ?1 AND state >= 2 AND erased = 0)";
    connection.prepare_cached(sql)?.execute(params![scope, NO_JSON])?;
    let sql = "UPDATE effects INDEXED BY effects_by_key SET erased = 1 \
               WHERE scope = ?1 AND state >= 2 AND erased = 0";
    connection.prepare_cached(sql)?.execute([scope])?;
    Ok(())
}
