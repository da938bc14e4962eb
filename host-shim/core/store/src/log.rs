//! Log entries of an extension, for operators.

use extension_contract::LogLevel;

/// A log entry of the extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Severity.
    pub level: LogLevel,
    /// Message.
    pub message: String,
    /// Names and values of the fields.
    pub fields: Vec<(String, String)>,
}
