//! Conversions between column values and JSON, hashes, references and bounds.

use crate::error::StoreError;
use crate::parse::reference;
use extension_contract::{Account, Reference};
use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Error, Row};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Returns the error for a row that this program cannot have written.
pub(super) fn damaged(column: usize, found: impl std::fmt::Display) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, format!("damaged row: `{found}`").into())
}

/// Reads a text without a copy.
pub(super) fn borrowed<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, Error> {
    row.get_ref(column)?.as_str().map_err(|error| damaged(column, error))
}

pub(super) fn account(row: &Row<'_>, column: usize) -> Result<Option<Account>, Error> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        value => {
            let text = value.as_str().map_err(|error| damaged(column, error))?;
            text.parse().map(Some).map_err(|_| damaged(column, text))
        }
    }
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    serde_json::from_str(borrowed(row, column)?).map_err(|error| damaged(column, error))
}

/// Converts a hex hash to bytes, which take half the space. Other text stays text.
pub(super) fn hash_value(hash: &str) -> Value {
    let lower = hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match hex::decode(hash) {
        Ok(bytes) if lower && !bytes.is_empty() => Value::Blob(bytes),
        _ => Value::Text(hash.to_owned()),
    }
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> Result<String, Error> {
    Ok(match row.get_ref(column)? {
        ValueRef::Blob(bytes) => hex::encode(bytes),
        value => value.as_str().map_err(|error| damaged(column, error))?.to_owned(),
    })
}

/// Returns the column value for the end of a range of texts; `None` means that the range has no end.
pub(super) fn end(end: Option<String>) -> Value {
    // SQLite orders every text before the empty blob.
    end.map_or(Value::Blob(Vec::new()), Value::Text)
}

/// Converts a maximum number of rows to a column value.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Returns the error for a value without a form in JSON.
pub(super) fn not_written(error: StoreError) -> Error {
    Error::ToSqlConversionFailure(error.into())
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}

/// Returns references as a JSON array of their texts; null if there are none.
pub(super) fn references_value(references: &[Reference]) -> Result<Option<String>, Error> {
    if references.is_empty() {
        return Ok(None);
    }
    to_json(&references.iter().map(ToString::to_string).collect::<Vec<_>>()).map(Some)
}

pub(super) fn references(row: &Row<'_>, column: usize) -> Result<Vec<Reference>, Error> {
    if row.get_ref(column)? == ValueRef::Null {
        return Ok(Vec::new());
    }
    let texts: Vec<String> = json(row, column)?;
    texts.iter().map(|text| reference(text).ok_or_else(|| damaged(column, text))).collect()
}

/// Returns the indexed targets of a column of references, each once. References to the catalog are not indexed.
pub(super) fn targets(references: Option<&str>) -> Result<BTreeSet<Cow<'_, str>>, Error> {
    let Some(text) = references else { return Ok(BTreeSet::new()) };
    let texts: Vec<Target<'_>> = serde_json::from_str(text).map_err(|error| damaged(0, error))?;
    Ok(texts.into_iter().map(|Target(text)| text).filter(|text| !text.starts_with(CATALOG_PREFIX)).collect())
}

/// A text that serde copies only if it has escapes. serde always copies a bare `Cow` in a list.
#[derive(Deserialize)]
struct Target<'a>(#[serde(borrow)] Cow<'a, str>);

/// Prefix of the text of a reference to the catalog.
const CATALOG_PREFIX: &str = "catalog:";
