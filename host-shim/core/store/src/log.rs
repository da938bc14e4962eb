//! What an extension tells its operators.

use extension_contract::LogLevel;

/// An entry of the extension's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Severity.
    pub level: LogLevel,
    /// Message.
    pub message: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
}
