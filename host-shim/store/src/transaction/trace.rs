//! What a transaction did, beside its changes.

use products_contract::LogLevel;

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

/// An effect that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedEffect {
    /// Kind.
    pub kind: String,
    /// Key.
    pub key: String,
    /// Generation.
    pub generation: u32,
    /// False if the same effect was there already.
    pub new: bool,
}

/// What a transaction did, beside its changes. It survives a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Trace {
    /// Answers of `claims.take` in order: a line `KEY=mine|taken|blocked` each, keys without the host's prefix.
    pub claim_answers: String,
    /// Claims that the account did not hold before, by full key.
    pub claims_taken: Vec<String>,
    /// Effects that were asked for, in order.
    pub effects: Vec<AskedEffect>,
    /// Log entries, in order.
    pub logs: Vec<LogEntry>,
    /// Host calls.
    pub calls: u64,
    /// Bytes of the values that were written and logged.
    pub bytes: u64,
    /// True once there were more host calls than allowed.
    pub over_call_limit: bool,
    /// The first `Unavailable` that a call answered: whatever the extension returns, it must be rolled back.
    pub unavailable: Option<String>,
}
