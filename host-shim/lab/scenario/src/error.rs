//! What can be wrong with an input, a business or a run.

use crate::business::CATALOG_FILE;
use host::StartError;
use host::outbox::OutboxError;
use host_store::ConfigError;
use std::path::PathBuf;

pub use host::bad_input::{BadInput, Place};

/// Why a replay could not be carried through. A failed expectation is none of these: it is in the report.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// An input or a business is wrong: each of its mistakes, at least one.
    #[error("{}", host::bad_input::lines(.0))]
    Input(Vec<BadInput>),
    /// The configuration is not the one that the extension declares.
    #[error("configuration of {business}: {error}")]
    Config {
        /// Name of the business.
        business: String,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// A business is named that is not there.
    #[error("no business `{name}`; expected {}", expected_business(.known))]
    NoBusiness {
        /// The name.
        name: String,
        /// Those that the fixtures have.
        known: Vec<String>,
    },
    /// Options that don't go together.
    #[error("{0}")]
    Usage(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] extension_contract::StoreError),
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

/// What may be named as a business.
pub fn expected_business(known: &[String]) -> String {
    match known {
        [] => format!("a folder with {CATALOG_FILE}, or --fixtures with the folder that it is in"),
        known => format!("one of {}, or a folder with {CATALOG_FILE}", known.join(", ")),
    }
}

impl ReplayError {
    /// What it tells, each mistake by itself.
    pub fn messages(&self) -> Vec<String> {
        match self {
            ReplayError::Input(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        }
    }

    /// True where the caller gave something wrong: exit code 2.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, ReplayError::Store(_) | ReplayError::Host(_))
    }
}

impl From<BadInput> for ReplayError {
    fn from(bad: BadInput) -> Self {
        ReplayError::Input(vec![bad])
    }
}

impl From<StartError> for ReplayError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Catalog(mistakes) => ReplayError::Input(mistakes),
            StartError::Config { business, error } => ReplayError::Config { business, error },
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
