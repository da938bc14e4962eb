//! Typed reads of a store, for those who look at it from outside: scenarios, pages, tests.

use extension_contract::{
    Account, Price, Product, Purchase, RecordKey, Row, RowKey, RowKind, Stored, StoredRecord, Subscription,
};
use host_store::{Partition, Scope, Store};

/// Rows that one look-up brings.
const PAGE: usize = 500;

/// One product of an account, a deleted one too.
pub fn product(store: &dyn Store, scope: &Scope, id: &str) -> Stored<Option<Product>> {
    Ok(one(store, scope, RowKey::Product(id.to_owned()))?.and_then(|row| match row {
        Row::Product(row) => Some(row),
        _ => None,
    }))
}

/// All products of an account, deleted ones too, in order of their ids.
pub fn products(store: &dyn Store, scope: &Scope) -> Stored<Vec<Product>> {
    all(store, scope, &RowKind::Product, |row| match row {
        Row::Product(row) => Some(row),
        _ => None,
    })
}

/// All prices of a catalog, in order of their ids.
pub fn prices(store: &dyn Store, partition: &Partition) -> Stored<Vec<Price>> {
    all(store, &partition.scope(Account::Platform), &RowKind::Price, |row| match row {
        Row::Price(row) => Some(row),
        _ => None,
    })
}

/// All purchases of an account, in order of their ids.
pub fn purchases(store: &dyn Store, scope: &Scope) -> Stored<Vec<Purchase>> {
    all(store, scope, &RowKind::Purchase, |row| match row {
        Row::Purchase(row) => Some(row),
        _ => None,
    })
}

/// All subscriptions of an account, in order of their ids.
pub fn subscriptions(store: &dyn Store, scope: &Scope) -> Stored<Vec<Subscription>> {
    all(store, scope, &RowKind::Subscription, |row| match row {
        Row::Subscription(row) => Some(row),
        _ => None,
    })
}

/// One record.
pub fn record(store: &dyn Store, scope: &Scope, collection: &str, id: &str) -> Stored<Option<StoredRecord>> {
    let key = RecordKey { collection: collection.to_owned(), id: id.to_owned() };
    Ok(one(store, scope, RowKey::Record(key))?.and_then(|row| match row {
        Row::Record(row) => Some(row),
        _ => None,
    }))
}

/// All records of a collection, in order of their ids.
pub fn records(store: &dyn Store, scope: &Scope, collection: &str) -> Stored<Vec<StoredRecord>> {
    all(store, scope, &RowKind::Record(collection.to_owned()), |row| match row {
        Row::Record(row) => Some(row),
        _ => None,
    })
}

fn one(store: &dyn Store, scope: &Scope, key: RowKey) -> Stored<Option<Row>> {
    let rows = store.load(scope, std::slice::from_ref(&key))?;
    Ok(rows.into_iter().next().flatten().map(|stored| stored.row))
}

fn all<T>(store: &dyn Store, scope: &Scope, kind: &RowKind, of: impl Fn(Row) -> Option<T>) -> Stored<Vec<T>> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.rows_all(scope, kind, after.as_deref(), PAGE)?;
        let full = page.len() == PAGE;
        after = page.last().map(|stored| stored.row.id().to_owned());
        found.extend(page.into_iter().filter_map(|stored| of(stored.row)));
        if !full {
            return Ok(found);
        }
    }
}
