//! Facts, claims, and the extension's own collections as the manifest declares them.

use crate::types::{Json, RowVersion};

/// Where a record is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Collection.
    pub collection: String,
    /// Id; what it is scanned by goes first.
    pub id: String,
}

/// A stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Collection.
    pub collection: String,
    /// Id.
    pub id: String,
    /// Value, a JSON object.
    pub value: Json,
    /// Version.
    pub version: RowVersion,
}

/// Where a claim's key stands for this account. Who else holds it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// This account holds it.
    Mine,
    /// Nobody holds it: it is this account's if the decision takes it.
    Free,
    /// Another account holds it.
    Taken,
    /// Nobody may claim it yet.
    Blocked,
}

/// A configuration value, with its default applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigValue {
    /// Text.
    Text(String),
    /// Whole number.
    Integer(i64),
    /// Truth value.
    Boolean(bool),
    /// A secret: only its reference.
    Secret(String),
}

/// Severity of a log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For developers.
    Debug,
    /// Normal operation.
    Info,
    /// Needs attention.
    Warn,
    /// Failed.
    Error,
}
