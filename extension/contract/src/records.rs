//! Records of the extension's own collections, claim states and configuration values.

use crate::types::{Json, RowVersion};

/// Key of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// Collection.
    pub collection: String,
    /// Id. Listings select records by a prefix of the id.
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

/// State of a claim, as seen by this account. It does not reveal which other account holds the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// This account holds the claim.
    Mine,
    /// No account holds the claim; the decision may take it.
    Free,
    /// Another account holds the claim.
    Taken,
    /// No account may take the claim yet.
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
    /// Reference to a secret.
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
