//! Why the folder can't be used, and what a provider answers then.

use host_provider_api::CallOutcome;
use std::path::{Path, PathBuf};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file or a folder.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A database.
    #[error("the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// What a file has in it was not written here.
    #[error("{path} is not what was written there: {error}")]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The port is taken.
    #[error("nobody can listen on 127.0.0.1:{port}: {error}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        error: std::io::Error,
    },
}

impl LocalError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LocalError {
        let path = path.to_owned();
        move |error| LocalError::Io { path, error }
    }
}

/// A full disk or a locked file may be better at the next attempt; the path stays with the operator's logs.
impl From<LocalError> for CallOutcome {
    fn from(error: LocalError) -> Self {
        let message = match &error {
            LocalError::Io { error, .. } => error.to_string(),
            LocalError::Content { error, .. } => format!("a file is not what was written: {error}"),
            LocalError::Sqlite(_) | LocalError::Port { .. } => error.to_string(),
        };
        CallOutcome::retry("local", message)
    }
}
