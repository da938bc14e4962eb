//! Reads columns: numbers, accounts, JSON, and the rows of an account. Also contains the SQL that finds the numbers of
//! partitions and scopes.

use extension_contract::{Account, CatalogRow};
use host_store::Stored;
use host_store::implementation::json::row_of;
pub(crate) use host_store::implementation::json::{damaged, from_json as json, stored};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// Reads a column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Stored<T> {
    row.try_get(column).map_err(damaged)
}

/// Reads a number that is never negative.
pub(crate) fn number(row: &Row, column: usize) -> Stored<u64> {
    let found: i64 = get(row, column)?;
    u64::try_from(found).map_err(damaged)
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

/// Returns a row of the catalog from its columns; none for a row that is not part of the catalog.
pub(crate) fn catalog_row(key: &str, body: &str, value: String) -> Stored<Option<CatalogRow>> {
    Ok(CatalogRow::of(row_of(key, body, value)?))
}

/// The number of the partition with the business `$1` and the mode `$2`.
macro_rules! partition {
    () => {
        "(SELECT p.id FROM partitions p WHERE p.business = $1 AND p.livemode = $2)"
    };
}
pub(crate) use partition;

/// The number of the scope with the business `$1`, the mode `$2` and the account `$3`.
macro_rules! scope {
    () => {
        "(SELECT x.id FROM scopes x JOIN partitions p ON p.id = x.partition \
         WHERE p.business = $1 AND p.livemode = $2 AND x.account = $3)"
    };
}
pub(crate) use scope;
