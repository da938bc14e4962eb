//! Reads columns: accounts, scopes, JSON, and the rows of an account.

use crate::change::RecordJson;
use extension_contract::{Account, CatalogRow, Row as Content, RowKey, StoredRecord, StoredRow};
use host_store::{ClaimRow, Scope, StoreError, Stored};
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Returns the error for a row that this program cannot have written.
pub(crate) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("damaged row: {what}"))
}

/// Reads a column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Stored<T> {
    row.try_get(column).map_err(damaged)
}

/// Reads a number that is never negative.
pub(crate) fn number(row: &Row, column: usize) -> Stored<u64> {
    let found: i64 = get(row, column)?;
    u64::try_from(found).map_err(damaged)
}

/// Reads a small number that is never negative.
pub(crate) fn small(row: &Row, column: usize) -> Stored<u32> {
    let found: i32 = get(row, column)?;
    u32::try_from(found).map_err(damaged)
}

/// Returns a number as a column; a number beyond the column's range is beyond every row.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Returns a maximum number of rows as a column.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Parses the text of an account.
pub(crate) fn account(text: &str) -> Stored<Account> {
    text.parse().map_err(damaged)
}

/// Reads an account; none if it is null.
pub(crate) fn maybe_account(row: &Row, column: usize) -> Stored<Option<Account>> {
    get::<Option<&str>>(row, column)?.map(account).transpose()
}

/// Reads a scope from the columns business, mode and account.
pub(crate) fn scope(row: &Row, column: usize) -> Stored<Scope> {
    let account = account(get(row, column + 2)?)?;
    Ok(Scope { business: get(row, column)?, livemode: get(row, column + 1)?, account })
}

/// Parses JSON.
pub(crate) fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Stored<T> {
    serde_json::from_str(text).map_err(damaged)
}

/// Reads a claim from the columns holder, until and blocked.
pub(crate) fn claim(row: &Row, column: usize) -> Stored<ClaimRow> {
    let holder = maybe_account(row, column)?;
    Ok(ClaimRow { holder, until: get(row, column + 1)?, blocked_until: get(row, column + 2)? })
}

/// Reads the content of a row.
fn content(key: &str, body: &str) -> Stored<Content> {
    let kind = key.split(':').next().unwrap_or_default();
    Ok(match kind {
        "product" => Content::Product(json(body)?),
        "price" => Content::Price(json(body)?),
        "purchase" => Content::Purchase(json(body)?),
        "subscription" => Content::Subscription(json(body)?),
        "record" => {
            let RecordJson { id, collection, value, version } = json(body)?;
            Content::Record(StoredRecord {
                collection: collection.into_owned(),
                id: id.into_owned(),
                value: value.into_owned(),
                version,
            })
        }
        _ => return Err(damaged(key)),
    })
}

/// Returns a stored row from its columns.
pub(crate) fn stored(key: &str, data_version: i64, body: &str) -> Stored<StoredRow> {
    Ok(StoredRow { data_version: u32::try_from(data_version).map_err(damaged)?, row: content(key, body)? })
}

/// Returns a row of the catalog from its columns; none for a row that is not part of the catalog.
pub(crate) fn catalog_row(key: &str, body: &str) -> Stored<Option<CatalogRow>> {
    Ok(match content(key, body)? {
        Content::Product(row) => Some(CatalogRow::Product(row)),
        Content::Price(row) => Some(CatalogRow::Price(row)),
        Content::Purchase(_) | Content::Subscription(_) | Content::Record(_) => None,
    })
}

/// Returns the key of a row in the catalog; none for a setting, which is not in the store.
pub(crate) fn catalog_key(key: &extension_contract::CatalogKey) -> Option<RowKey> {
    use extension_contract::CatalogKey;
    match key {
        CatalogKey::Product(id) => Some(RowKey::Product(id.clone())),
        CatalogKey::Price(id) => Some(RowKey::Price(id.clone())),
        CatalogKey::Setting(_) => None,
    }
}
