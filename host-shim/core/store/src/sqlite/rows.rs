//! The rows of an extension, except claims and effects, in one table. A row is found by the text of its key, and by its references
//! through the table `refs`. References to the catalog are only in the row itself, since no query looks for the rows that have them.

use super::text;
use crate::changes::RowWrite;
use crate::copy::WholeRow;
use crate::json::{self, Content, RowParts};
use crate::parse::row_key;
use crate::prefix::{kind_prefix, prefix_end, scan_bounds};
use extension_contract::{Listing, Product, Reference, Row as Stored, RowKey, RowKind, StoredRow, Timestamp};
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, params};
use std::collections::BTreeSet;

type Rows<T> = Result<Vec<T>, Error>;

/// A row read with its references.
pub(super) struct LoadedRow {
    pub(super) stored: StoredRow,
    pub(super) references: Vec<Reference>,
}

/// Selects the columns that [`stored`] and [`loaded`] read.
macro_rules! select {
    ($($conditions:literal),+) => {
        concat!("SELECT key, data_version, body, value, refs FROM rows ", $($conditions),+)
    };
}

fn stored(row: &Row<'_>) -> Result<StoredRow, Error> {
    let (key, body) = (text::borrowed(row, 0)?, text::borrowed(row, 2)?);
    json::stored(key, row.get(1)?, body, row.get(3)?).map_err(|error| text::damaged(2, error))
}

fn loaded(row: &Row<'_>) -> Result<LoadedRow, Error> {
    Ok(LoadedRow { stored: stored(row)?, references: text::references(row, 4)? })
}

fn many(connection: &Connection, sql: &str, params: impl Params) -> Rows<StoredRow> {
    connection.prepare_cached(sql)?.query_map(params, stored)?.collect()
}

/// Returns the bounds of the keys of a kind whose ids have a prefix and follow `after`, as [`scan_bounds`] does.
fn bounds(kind: &RowKind, prefix: &str, descending: bool, after: Option<&str>) -> (String, Option<String>) {
    let of_kind = kind_prefix(kind);
    let after = after.map(|after| format!("{of_kind}{after}"));
    scan_bounds(&format!("{of_kind}{prefix}"), descending, after.as_deref())
}

pub(super) fn one(connection: &Connection, scope: i64, key: &RowKey) -> Result<Option<LoadedRow>, Error> {
    connection.prepare_cached(ONE)?.query_row(params![scope, key.to_string()], loaded).optional()
}

/// Returns the rows that later events need, in no particular order.
pub(super) fn live(connection: &Connection, scope: i64) -> Rows<LoadedRow> {
    // An index with a condition is used only for the same words.
    let sql = select!("INDEXED BY rows_live WHERE scope = ?1 AND live = 1 AND shown = 1");
    connection.prepare_cached(sql)?.query_map([scope], loaded)?.collect()
}

pub(super) fn listed(connection: &Connection, scope: i64, listing: &Listing, limit: usize) -> Rows<StoredRow> {
    let (from, to) = bounds(&listing.kind, &listing.prefix, listing.descending, listing.after.as_deref());
    let sql = match listing.descending {
        true => select!("WHERE scope = ?1 AND key >= ?2 AND key < ?3 AND shown = 1 ORDER BY key DESC LIMIT ?4"),
        false => select!("WHERE scope = ?1 AND key >= ?2 AND key < ?3 AND shown = 1 ORDER BY key LIMIT ?4"),
    };
    many(connection, sql, params![scope, from, text::end(to), text::limit(limit)])
}

pub(super) fn all(
    connection: &Connection,
    scope: i64,
    kind: &RowKind,
    after: Option<&str>,
    limit: usize,
) -> Rows<StoredRow> {
    let (from, to) = bounds(kind, "", false, after);
    let sql = select!("WHERE scope = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4");
    many(connection, sql, params![scope, from, text::end(to), text::limit(limit)])
}

/// Returns the first fingerprint of shown rows of the kind `?2` from `?3` on.
const NEXT_FINGERPRINT: &str = "SELECT fingerprint FROM rows INDEXED BY rows_by_fingerprint \
     WHERE scope = ?1 AND kind = ?2 AND shown = 1 AND fingerprint IS NOT NULL AND fingerprint >= ?3 \
     ORDER BY fingerprint LIMIT 1";
/// Returns write revisions and keys of shown rows of the kind `?2` with the fingerprint `?3`, least recent first, at most `?4`.
const OF_FINGERPRINT: &str = "SELECT written, key FROM rows INDEXED BY rows_by_fingerprint \
     WHERE scope = ?1 AND kind = ?2 AND shown = 1 AND fingerprint IS NOT NULL AND fingerprint = ?3 \
     ORDER BY written, key LIMIT ?4";
/// Returns the row with the key `?2`.
const ONE: &str = select!("WHERE scope = ?1 AND key = ?2");

/// Returns the rows of a kind with a fingerprint other than `fingerprint`, least recently written first. Merges the
/// oldest rows of all these fingerprints, from the index. Reads only the returned rows.
pub(super) fn outdated(
    connection: &Connection,
    scope: i64,
    kind: &RowKind,
    fingerprint: &str,
    limit: usize,
) -> Rows<StoredRow> {
    let kind = kind_prefix(kind);
    let mut next = connection.prepare_cached(NEXT_FINGERPRINT)?;
    let mut of_fingerprint = connection.prepare_cached(OF_FINGERPRINT)?;
    let mut oldest: BTreeSet<(i64, String)> = BTreeSet::new();
    let mut from = String::new();
    while let Some(found) = next.query_row(params![scope, kind, from], |row| row.get::<_, String>(0)).optional()? {
        if found != fingerprint {
            let mut rows = of_fingerprint.query(params![scope, kind, found, text::limit(limit)])?;
            while let Some(row) = rows.next()? {
                let written = (row.get(0)?, row.get(1)?);
                if oldest.len() >= limit && oldest.last().is_none_or(|last| *last < written) {
                    break;
                }
                oldest.insert(written);
                if oldest.len() > limit {
                    oldest.pop_last();
                }
            }
        }
        // The next text in byte order.
        from = found + "\0";
    }
    let mut one = connection.prepare_cached(ONE)?;
    oldest.into_iter().map(|(_, key)| one.query_row(params![scope, key], stored)).collect()
}

#[cfg(test)]
pub(super) fn steps_of_outdated(connection: &Connection) -> Result<i32, Error> {
    let steps = |sql: &str| Ok(connection.prepare_cached(sql)?.reset_status(rusqlite::StatementStatus::VmStep));
    [NEXT_FINGERPRINT, OF_FINGERPRINT, ONE].into_iter().map(steps).sum()
}

/// Returns the key texts of the rows that refer to a target, in byte order, after the text `after`.
pub(super) fn referrers(
    connection: &Connection,
    scope: i64,
    target: &Reference,
    after: Option<&str>,
    limit: usize,
) -> Rows<String> {
    connection
        .prepare_cached("SELECT row FROM refs WHERE scope = ?1 AND target = ?2 AND row > ?3 ORDER BY row LIMIT ?4")?
        .query_map(params![scope, target.to_string(), after.unwrap_or_default(), text::limit(limit)], |row| row.get(0))?
        .collect()
}

fn product(row: StoredRow) -> Option<Product> {
    match row.row {
        Stored::Product(product) => Some(product),
        _ => None,
    }
}

/// Returns the products that are not deleted, in order of their ids; only products of `product_type`, if it is given.
pub(super) fn products(
    connection: &Connection,
    scope: i64,
    product_type: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let (from, to) = bounds(&RowKind::Product, "", false, after);
    let sql = select!(
        "WHERE scope = ?1 AND key >= ?2 AND key < ?3 AND shown = 1 AND (?4 IS NULL OR product_type = ?4) ",
        "ORDER BY key LIMIT ?5"
    );
    let rows = many(connection, sql, params![scope, from, text::end(to), product_type, text::limit(limit)])?;
    Ok(rows.into_iter().filter_map(product).collect())
}

/// Returns the products that are not deleted and refer to a name, in order of their ids.
pub(super) fn products_named(
    connection: &Connection,
    scope: i64,
    name: &str,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let after = after.map_or_else(|| kind_prefix(&RowKind::Product), |id| RowKey::Product(id.to_owned()).to_string());
    let target = Reference::Name(name.to_owned());
    let mut found = Vec::new();
    for text in referrers(connection, scope, &target, Some(&after), limit)? {
        let Some(key @ RowKey::Product(_)) = row_key(&text) else { break };
        found.extend(one(connection, scope, &key)?.and_then(|loaded| product(loaded.stored)));
    }
    Ok(found)
}

/// Returns the collections of records, each found by the first key behind those of the one before.
pub(super) fn collections(connection: &Connection, scope: i64) -> Rows<String> {
    let mut first = connection
        .prepare_cached("SELECT key FROM rows WHERE scope = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT 1")?;
    let end = text::end(prefix_end("record:"));
    let (mut found, mut from) = (Vec::new(), "record:".to_owned());
    while let Some(key) = first.query_row(params![scope, from, end], |row| row.get::<_, String>(0)).optional()? {
        let Some(RowKey::Record(key)) = row_key(&key) else { return Err(text::damaged(0, key)) };
        from = prefix_end(&kind_prefix(&RowKind::Record(key.collection.clone()))).unwrap_or_default();
        found.push(key.collection);
    }
    // The colon behind a name in a key is not the first of all letters.
    found.sort_unstable();
    Ok(found)
}

/// Finds the purchase with a session.
pub(super) const BY_SESSION: &str = "SELECT key FROM rows WHERE scope = ?1 AND session_id = ?2";
/// Finds the purchase with a payment intent.
pub(super) const BY_PAYMENT_INTENT: &str = "SELECT key FROM rows WHERE scope = ?1 AND payment_intent_id = ?2";

/// Runs [`BY_SESSION`] or [`BY_PAYMENT_INTENT`].
pub(super) fn purchase_by(
    connection: &Connection,
    sql: &str,
    scope: i64,
    value: &str,
) -> Result<Option<RowKey>, Error> {
    connection
        .prepare_cached(sql)?
        .query_row(params![scope, value], |row| {
            let key = text::borrowed(row, 0)?;
            row_key(key).ok_or_else(|| text::damaged(0, key))
        })
        .optional()
}

/// Clears the unique values of a purchase before it is rewritten.
pub(super) fn release_purchase(connection: &Connection, scope: i64, key: &RowKey) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE rows SET session_id = NULL, payment_intent_id = NULL WHERE scope = ?1 AND key = ?2")?
        .execute(params![scope, key.to_string()])?;
    Ok(())
}

/// Writes or removes a row at a revision of its account and at a time, and updates its references if they changed.
pub(super) fn put(
    connection: &Connection,
    scope: i64,
    revision: u64,
    at: Timestamp,
    write: &RowWrite,
) -> Result<(), Error> {
    let RowWrite { key, row, data_version, live, references, fingerprint } = write;
    let (kind, key) = (fingerprint.is_some().then(|| kind_prefix(&key.kind())), key.to_string());
    let old = connection
        .prepare_cached("SELECT iif(shown = 1, refs, NULL) FROM rows WHERE scope = ?1 AND key = ?2")?
        .query_row(params![scope, key], |row| row.get::<_, Option<String>>(0))
        .optional()?
        .flatten();
    let Some(row) = row else {
        connection.prepare_cached("DELETE FROM rows WHERE scope = ?1 AND key = ?2")?.execute(params![scope, key])?;
        return replace_references(connection, scope, &key, old.as_deref(), None);
    };
    let RowParts { shown, product_type, session_id, payment_intent_id, .. } = RowParts::of(write);
    let refs = text::references_value(references)?;
    replace_references(connection, scope, &key, old.as_deref(), refs.as_deref().filter(|_| shown))?;
    let Content { body, value } = Content::of(row).map_err(text::not_written)?;
    connection
        .prepare_cached(
            "INSERT INTO rows (scope, key, body, value, data_version, live, shown, kind, fingerprint, written, refs, \
             product_type, session_id, payment_intent_id, updated_at, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15) \
             ON CONFLICT (scope, key) DO UPDATE SET body = excluded.body, value = excluded.value, \
             data_version = excluded.data_version, live = excluded.live, shown = excluded.shown, \
             kind = excluded.kind, fingerprint = excluded.fingerprint, written = excluded.written, refs = excluded.refs, \
             product_type = excluded.product_type, session_id = excluded.session_id, \
             payment_intent_id = excluded.payment_intent_id, updated_at = excluded.updated_at",
        )?
        .execute(params![
            scope,
            key,
            body,
            value,
            data_version,
            live,
            shown,
            kind,
            fingerprint,
            revision,
            refs,
            product_type,
            session_id,
            payment_intent_id,
            at
        ])?;
    Ok(())
}

/// Replaces the entries of a row in the table `refs`. `before` and `now`: the columns of its references, none if it is not shown.
fn replace_references(
    connection: &Connection,
    scope: i64,
    key: &str,
    before: Option<&str>,
    now: Option<&str>,
) -> Result<(), Error> {
    if before == now {
        return Ok(());
    }
    let (before, now) = (text::targets(before)?, text::targets(now)?);
    if before == now {
        return Ok(());
    }
    let mut delete = connection.prepare_cached("DELETE FROM refs WHERE scope = ?1 AND target = ?2 AND row = ?3")?;
    before.iter().try_for_each(|target| delete.execute(params![scope, target, key]).map(drop))?;
    let mut insert = connection.prepare_cached("INSERT INTO refs (scope, target, row) VALUES (?1, ?2, ?3)")?;
    now.iter().try_for_each(|target| insert.execute(params![scope, target, key]).map(drop))
}

pub(super) fn fact(connection: &Connection, scope: i64, fact: &str) -> Result<Option<String>, Error> {
    connection
        .prepare_cached("SELECT event_id FROM facts WHERE scope = ?1 AND fact = ?2")?
        .query_row(params![scope, fact], |row| row.get(0))
        .optional()
}

pub(super) fn has_fact(connection: &Connection, scope: i64, fact: &str) -> Result<bool, Error> {
    connection.prepare_cached("SELECT 1 FROM facts WHERE scope = ?1 AND fact = ?2")?.exists(params![scope, fact])
}

pub(super) fn put_fact(connection: &Connection, scope: i64, fact: &str, event_id: &str) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT INTO facts (scope, fact, event_id) VALUES (?1, ?2, ?3)")?
        .execute(params![scope, fact, event_id])?;
    Ok(())
}

/// Returns rows after the text of a key, in the order of these texts, with everything that is kept of them.
pub(super) fn whole(connection: &Connection, scope: i64, after: &str, limit: usize) -> Rows<WholeRow> {
    let sql = "SELECT key, data_version, body, value, refs, live, fingerprint, written, created_at, updated_at FROM rows \
               WHERE scope = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
    connection
        .prepare_cached(sql)?
        .query_map(params![scope, after, text::limit(limit)], |row| {
            let LoadedRow { stored: StoredRow { data_version, row: content }, references } = loaded(row)?;
            let write = RowWrite {
                key: content.key(),
                row: Some(content),
                data_version,
                live: row.get(5)?,
                references,
                fingerprint: row.get(6)?,
            };
            Ok(WholeRow { write, written: row.get(7)?, created_at: row.get(8)?, updated_at: row.get(9)? })
        })?
        .collect()
}

/// Sets the times of a row.
pub(super) fn set_times(connection: &Connection, scope: i64, row: &WholeRow) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE rows SET created_at = ?3, updated_at = ?4 WHERE scope = ?1 AND key = ?2")?
        .execute(params![scope, row.write.key.to_string(), row.created_at, row.updated_at])?;
    Ok(())
}
