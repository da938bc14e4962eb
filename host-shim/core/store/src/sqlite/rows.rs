//! The rows of an extension, except claims and effects. Each kind has a table; all tables have the same queries.

mod referrers;
mod table;
mod values;
pub(super) mod whole;

use super::text;
use crate::changes::RowWrite;
use crate::parse::row_key;
use crate::prefix::scan_bounds;
use extension_contract::{Account, Listing, Product, Reference, Row as Stored, RowKey, RowKind, StoredRow, Timestamp};
use referrers::OldReferences;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, Error, OptionalExtension, Params, Row, ToSql, params, params_from_iter};
use std::collections::BTreeSet;
use table::{LIVE, PRICE, PRODUCT, PRODUCTS, PURCHASE, RECORD, SUBSCRIPTION, TABLES, Table};

type Rows<T> = Result<Vec<T>, Error>;

/// A row read with its references.
pub(super) struct LoadedRow {
    pub(super) stored: StoredRow,
    pub(super) references: Vec<Reference>,
}

/// Returns the table of a kind, and the collection of a record kind.
fn table(kind: &RowKind) -> (&'static Table, Option<&str>) {
    let (table, collection) = match kind {
        RowKind::Product => (PRODUCT, None),
        RowKind::Price => (PRICE, None),
        RowKind::Purchase => (PURCHASE, None),
        RowKind::Subscription => (SUBSCRIPTION, None),
        RowKind::Record(collection) => (RECORD, Some(collection.as_str())),
    };
    (&TABLES[table], collection)
}

fn stored(row: &Row<'_>, owner: &Account) -> Result<StoredRow, Error> {
    Ok(StoredRow { data_version: row.get(1)?, row: values::read(row, owner)? })
}

fn loaded(row: &Row<'_>, owner: &Account) -> Result<LoadedRow, Error> {
    Ok(LoadedRow { stored: stored(row, owner)?, references: text::references(row, 2)? })
}

fn many(connection: &Connection, owner: &Account, sql: &str, params: impl Params) -> Rows<StoredRow> {
    connection.prepare_cached(sql)?.query_map(params, |row| stored(row, owner))?.collect()
}

pub(super) fn one(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    key: &RowKey,
) -> Result<Option<LoadedRow>, Error> {
    let (table, collection) = Table::of(key);
    connection
        .prepare_cached(&table.one)?
        .query_row(params![scope, collection, key.id()], |row| loaded(row, owner))
        .optional()
}

/// Returns the rows that later events need, in no particular order.
pub(super) fn live(connection: &Connection, scope: i64, owner: &Account) -> Rows<LoadedRow> {
    connection.prepare_cached(&LIVE)?.query_map([scope], |row| loaded(row, owner))?.collect()
}

pub(super) fn listed(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    listing: &Listing,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(&listing.kind);
    let (from, to) = scan_bounds(&listing.prefix, listing.descending, listing.after.as_deref());
    let sql = if listing.descending { &table.descending } else { &table.ascending };
    many(connection, owner, sql, params![scope, collection, from, text::end(to), text::limit(limit)])
}

pub(super) fn all(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    kind: &RowKind,
    after: Option<&str>,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(kind);
    let (from, to) = scan_bounds("", false, after);
    many(connection, owner, &table.all, params![scope, collection, from, text::end(to), text::limit(limit)])
}

/// Returns the rows of a kind with a fingerprint other than `fingerprint`, least recently written first. Merges the
/// oldest rows of all these fingerprints, from the index. Reads only the returned rows.
pub(super) fn outdated(
    connection: &Connection,
    scope: i64,
    owner: &Account,
    kind: &RowKind,
    fingerprint: &str,
    limit: usize,
) -> Rows<StoredRow> {
    let (table, collection) = table(kind);
    let mut next = connection.prepare_cached(&table.next_fingerprint)?;
    let mut of_fingerprint = connection.prepare_cached(&table.of_fingerprint)?;
    let mut oldest: BTreeSet<(i64, String)> = BTreeSet::new();
    let mut from = String::new();
    while let Some(found) =
        next.query_row(params![scope, collection, from], |row| row.get::<_, String>(0)).optional()?
    {
        if found != fingerprint {
            let mut rows = of_fingerprint.query(params![scope, collection, found, text::limit(limit)])?;
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
    let mut one = connection.prepare_cached(&table.one)?;
    oldest.into_iter().map(|(_, id)| one.query_row(params![scope, collection, id], |row| stored(row, owner))).collect()
}

#[cfg(test)]
pub(super) fn steps_of_outdated(connection: &Connection, kind: &RowKind) -> Result<i32, Error> {
    let table = table(kind).0;
    let statements = [&table.next_fingerprint, &table.of_fingerprint, &table.one];
    let steps = |sql: &String| Ok(connection.prepare_cached(sql)?.reset_status(rusqlite::StatementStatus::VmStep));
    statements.into_iter().map(steps).sum()
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

/// Returns the products that are not deleted, in order of their ids; only products of `product_type`, if it is given.
pub(super) fn products(
    connection: &Connection,
    scope: i64,
    product_type: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let from = scan_bounds("", false, after).0;
    connection
        .prepare_cached(&PRODUCTS)?
        .query_map(params![scope, from, product_type, text::limit(limit)], |row| {
            values::read_product(row, &Account::Platform)
        })?
        .collect()
}

/// Returns the products that are not deleted and refer to a name, in order of their ids.
pub(super) fn products_named(
    connection: &Connection,
    scope: i64,
    name: &str,
    after: Option<&str>,
    limit: usize,
) -> Rows<Product> {
    let after = after.map_or_else(|| "product:".to_owned(), |id| RowKey::Product(id.to_owned()).to_string());
    let target = Reference::Name(name.to_owned());
    let mut found = Vec::new();
    for text in referrers(connection, scope, &target, Some(&after), limit)? {
        let Some(key @ RowKey::Product(_)) = row_key(&text) else { break };
        if let Some(LoadedRow { stored: StoredRow { row: Stored::Product(row), .. }, .. }) =
            one(connection, scope, &Account::Platform, &key)?
        {
            found.push(row);
        }
    }
    Ok(found)
}

pub(super) fn collections(connection: &Connection, scope: i64) -> Rows<String> {
    let sql = "SELECT DISTINCT collection FROM records WHERE scope = ?1 ORDER BY collection";
    connection.prepare_cached(sql)?.query_map([scope], |row| row.get(0))?.collect()
}

/// Finds the purchase with a session.
pub(super) const BY_SESSION: &str = "SELECT id FROM purchases WHERE scope = ?1 AND session_id = ?2";
/// Finds the purchase with a payment intent.
pub(super) const BY_PAYMENT_INTENT: &str = "SELECT id FROM purchases WHERE scope = ?1 AND payment_intent_id = ?2";

/// Runs [`BY_SESSION`] or [`BY_PAYMENT_INTENT`].
pub(super) fn purchase_by(
    connection: &Connection,
    sql: &str,
    scope: i64,
    value: &str,
) -> Result<Option<RowKey>, Error> {
    connection.prepare_cached(sql)?.query_row(params![scope, value], |row| row.get(0).map(RowKey::Purchase)).optional()
}

/// Clears the unique values of a purchase before it is rewritten.
pub(super) fn release_purchase(connection: &Connection, scope: i64, id: &str) -> Result<(), Error> {
    connection
        .prepare_cached(
            "UPDATE purchases SET session_id = NULL, payment_intent_id = NULL WHERE scope = ?1 AND id = ?2",
        )?
        .execute(params![scope, id])?;
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
    let old_references = OldReferences::of(connection, scope, key)?;
    let Some(row) = row else {
        if let RowKey::Record(key) = key {
            connection
                .prepare_cached("DELETE FROM records WHERE scope = ?1 AND collection = ?2 AND id = ?3")?
                .execute(params![scope, key.collection, key.id])?;
        }
        return old_references.replace(connection, scope, key, None);
    };
    let (table, columns) = values::columns(row)?;
    let refs = text::references_value(references)?;
    let is_shown = !matches!(row, Stored::Product(product) if product.deleted);
    old_references.replace(connection, scope, key, refs.as_deref().filter(|_| is_shown))?;
    let metadata: [&dyn ToSql; 6] = [data_version, live, fingerprint, &revision, &refs, &at];
    let metadata = metadata.iter().map(|value| value.to_sql()).collect::<Result<Vec<_>, _>>()?;
    let values = std::iter::once(ToSqlOutput::from(scope)).chain(columns).chain(metadata);
    connection.prepare_cached(&TABLES[table].put)?.execute(params_from_iter(values))?;
    Ok(())
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
