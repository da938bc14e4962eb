//! What can be wrong with an input, a business or a run.

use host::StartError;
use host::outbox::OutboxError;
use std::path::PathBuf;

pub use host::bad_input::{BadInput, Place};

/// Why a replay could not be carried through. A failed expectation is none of these: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The input or an option is wrong.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// Options that don't go together.
    #[error("{0}")]
    Usage(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] products_contract::StoreError),
    /// The host could not go on.
    #[error("{0}")]
    Host(String),
    /// A file could not be read or written.
    #[error("{path}: {cause}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
}

impl ReplayError {
    /// True where the caller gave something wrong: exit code 2.
    pub fn is_bad_input(&self) -> bool {
        matches!(self, ReplayError::Input(_) | ReplayError::Usage(_) | ReplayError::File { .. })
    }
}

impl From<StartError> for ReplayError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Catalog(bad) => ReplayError::Input(bad),
            StartError::Config { .. } => ReplayError::Usage(error.to_string()),
            StartError::Extension { .. } => ReplayError::Host(error.to_string()),
            StartError::Outbox(error) => error.into(),
        }
    }
}

impl From<OutboxError> for ReplayError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Store(error) => ReplayError::Store(error),
            other => ReplayError::Host(other.to_string()),
        }
    }
}
