//! The errors of reading inputs and businesses and of running scenarios.

use crate::business::CATALOG_FILE;
use host_business::StartError;
use host_engine::outbox::OutboxError;
use host_store::ConfigError;
use std::path::PathBuf;

pub use host_business::yaml::bad_input::{BadInput, Mistakes, Place};

/// An error that stops a replay. Failed expectations are not errors: the report lists them.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The mistakes of an input or a business, at least one.
    #[error("{}", host_business::yaml::bad_input::lines(.0))]
    Input(Vec<BadInput>),
    /// The configuration does not match the extension's declaration.
    #[error("configuration of {business}: {error}")]
    Config {
        /// Name of the business.
        business: String,
        /// The mistake.
        error: ConfigError,
    },
    /// There is no business with the given name.
    #[error("no business `{name}`; expected {}", expected_business(.known))]
    NoBusiness {
        /// The given name.
        name: String,
        /// The names of the businesses in the fixtures.
        known: Vec<String>,
    },
    /// Two businesses in the fixtures have the given name.
    #[error("two businesses are named `{name}`: {} and {}", .folders[0].display(), .folders[1].display())]
    SameName {
        /// The given name.
        name: String,
        /// Their folders.
        folders: [PathBuf; 2],
    },
    /// The manifest does not permit the extension: a line for each problem.
    #[error("{}", .0.join("\n"))]
    NotPermitted(Vec<String>),
    /// Options that can't be combined.
    #[error("{0}")]
    Usage(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] host_store::StoreError),
    /// The host failed.
    #[error("{0}")]
    Host(String),
    /// A file could not be read or written.
    #[error("{path}: {cause}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        cause: std::io::Error,
    },
}

/// Describes the values that identify a business, for error messages.
pub fn expected_business(known: &[String]) -> String {
    match known {
        [] => format!("a folder with {CATALOG_FILE}, or --fixtures with the folder that it is in"),
        known => format!("one of {}, or a folder with {CATALOG_FILE}", known.join(", ")),
    }
}

impl ReplayError {
    /// Returns the messages, one for each mistake.
    pub fn messages(&self) -> Vec<String> {
        match self {
            ReplayError::Input(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
            ReplayError::NotPermitted(lines) => lines.clone(),
            other => vec![other.to_string()],
        }
    }

    /// Returns true if the caller's input is wrong, so that the exit code is 2.
    pub fn is_bad_input(&self) -> bool {
        !matches!(self, ReplayError::Store(_) | ReplayError::Host(_))
    }
}

impl From<BadInput> for ReplayError {
    fn from(bad: BadInput) -> Self {
        ReplayError::Input(vec![bad])
    }
}

impl From<Mistakes> for ReplayError {
    fn from(Mistakes(mistakes): Mistakes) -> Self {
        ReplayError::Input(mistakes)
    }
}

impl From<StartError> for ReplayError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Catalog(mistakes) => ReplayError::Input(mistakes),
            StartError::Config { business, error } => ReplayError::Config { business, error },
            StartError::NotPermitted(error) => ReplayError::NotPermitted(error.lines()),
            StartError::Extension { .. } | StartError::Newer { .. } | StartError::OtherVersion { .. } => {
                ReplayError::Host(error.to_string())
            }
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
