//! What can be wrong with an input, a business or a run.

use std::fmt;
use std::path::{Path, PathBuf};

/// A place in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, or `-` for standard input.
    pub file: PathBuf,
    /// Line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
}

impl Place {
    /// The whole file.
    pub fn file(file: &Path) -> Self {
        Place { file: file.to_owned(), line: 0 }
    }

    /// A line of a file.
    pub fn line(file: &Path, line: usize) -> Self {
        Place { file: file.to_owned(), line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

/// An input that can't be replayed: where, what is wrong, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; expected {expected}")]
pub struct BadInput {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// What would have been right.
    pub expected: String,
}

impl BadInput {
    /// A bad input at a place.
    pub fn new(place: Place, problem: impl Into<String>, expected: impl Into<String>) -> Self {
        BadInput { place, problem: problem.into(), expected: expected.into() }
    }
}

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
