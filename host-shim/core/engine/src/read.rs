//! Typed reads of a store, for scenarios, pages and tests.

use crate::snapshot::full_key;
use extension_contract::{
    Account, Price, Product, Purchase, RecordKey, Row, RowKey, RowKind, StoredRecord, Subscription,
};
use host_store::{Partition, Read, Scope, Stored};

/// Number of rows per query.
const PAGE: usize = 500;

/// Returns the account that holds a claim of the platform, such as `purchase:pur_1`.
///
/// # Errors
/// Fails if the store fails.
pub fn holder(store: &dyn Read, partition: &Partition, claim: &str) -> Stored<Option<Account>> {
    let mut found = store.claims(&[full_key(partition, None, claim)])?;
    Ok(found.pop().flatten().and_then(|row| row.holder))
}

/// Returns a product of an account, even if it is deleted.
///
/// # Errors
/// Fails if the store fails.
pub fn product(store: &dyn Read, scope: &Scope, id: &str) -> Stored<Option<Product>> {
    Ok(one(store, scope, RowKey::Product(id.to_owned()))?.and_then(|row| match row {
        Row::Product(row) => Some(row),
        _ => None,
    }))
}

/// Returns all products of an account by id, including deleted ones.
///
/// # Errors
/// Fails if the store fails.
pub fn products(store: &dyn Read, scope: &Scope) -> Stored<Vec<Product>> {
    all(store, scope, &RowKind::Product, |row| match row {
        Row::Product(row) => Some(row),
        _ => None,
    })
}

/// Returns all prices of a catalog, by id.
///
/// # Errors
/// Fails if the store fails.
pub fn prices(store: &dyn Read, partition: &Partition) -> Stored<Vec<Price>> {
    all(store, &partition.scope(Account::Platform), &RowKind::Price, |row| match row {
        Row::Price(row) => Some(row),
        _ => None,
    })
}

/// Returns all purchases of an account, by id.
///
/// # Errors
/// Fails if the store fails.
pub fn purchases(store: &dyn Read, scope: &Scope) -> Stored<Vec<Purchase>> {
    all(store, scope, &RowKind::Purchase, |row| match row {
        Row::Purchase(row) => Some(row),
        _ => None,
    })
}

/// Returns all subscriptions of an account, by id.
///
/// # Errors
/// Fails if the store fails.
pub fn subscriptions(store: &dyn Read, scope: &Scope) -> Stored<Vec<Subscription>> {
    all(store, scope, &RowKind::Subscription, |row| match row {
        Row::Subscription(row) => Some(row),
        _ => None,
    })
}

/// Returns one record.
///
/// # Errors
/// Fails if the store fails.
pub fn record(store: &dyn Read, scope: &Scope, collection: &str, id: &str) -> Stored<Option<StoredRecord>> {
    let key = RecordKey { collection: collection.to_owned(), id: id.to_owned() };
    Ok(one(store, scope, RowKey::Record(key))?.and_then(|row| match row {
        Row::Record(row) => Some(row),
        _ => None,
    }))
}

/// Returns all records of a collection, by id.
///
/// # Errors
/// Fails if the store fails.
pub fn records(store: &dyn Read, scope: &Scope, collection: &str) -> Stored<Vec<StoredRecord>> {
    all(store, scope, &RowKind::Record(collection.to_owned()), |row| match row {
        Row::Record(row) => Some(row),
        _ => None,
    })
}

fn one(store: &dyn Read, scope: &Scope, key: RowKey) -> Stored<Option<Row>> {
    let rows = store.load(scope, std::slice::from_ref(&key))?;
    Ok(rows.into_iter().next().flatten().map(|stored| stored.row))
}

fn all<T>(store: &dyn Read, scope: &Scope, kind: &RowKind, of: impl Fn(Row) -> Option<T>) -> Stored<Vec<T>> {
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
