//! Errors of the local provider and their outcomes.

use host_provider_api::CallOutcome;
use std::path::{Path, PathBuf};

/// Reasons why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file or folder can't be used.
    #[error("{path}: {error}")]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause.
        error: std::io::Error,
    },
    /// A SQLite operation failed.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file has unexpected contents.
    #[error("{path} has unexpected contents: {error}")]
    Content {
        /// Path of the file or folder.
        path: PathBuf,
        /// Cause.
        error: String,
    },
    /// A function could not respond.
    #[error(transparent)]
    Notes(#[from] notes::NotesError),
    /// The server can't listen on the port that the folder stores.
    #[error(
        "can't listen on 127.0.0.1:{port}, the port of the URLs of all functions of this folder: {error}; end the program that has the port"
    )]
    StoredPort {
        /// Number of the port.
        port: u16,
        /// Cause.
        error: std::io::Error,
    },
    /// The server can't listen on the port.
    #[error("can't listen on 127.0.0.1:{port}: {error}")]
    Port {
        /// Number of the port.
        port: u16,
        /// Cause.
        error: std::io::Error,
    },
}

impl LocalError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> LocalError {
        let path = path.to_owned();
        move |error| LocalError::Io { path, error }
    }
}

/// All errors are retried, because a full disk or a locked file may recover. The message includes no paths.
impl From<LocalError> for CallOutcome {
    fn from(error: LocalError) -> Self {
        let message = match &error {
            LocalError::Io { error, .. } => error.to_string(),
            LocalError::Content { error, .. } => format!("a file has unexpected contents: {error}"),
            LocalError::Sqlite(_) | LocalError::Notes(_) | LocalError::Port { .. } | LocalError::StoredPort { .. } => {
                error.to_string()
            }
        };
        CallOutcome::retry("local", message)
    }
}
