//! What can be wrong with a file that a person wrote: where, what, and what was expected.

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

/// An input that can't be taken: where, what is wrong, and what was expected.
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

/// The text of a file.
pub fn read_text(file: &Path) -> Result<String, BadInput> {
    let bytes = std::fs::read(file)
        .map_err(|cause| BadInput::new(Place::file(file), cause.to_string(), "a file that can be read"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        BadInput::new(Place::line(file, line), "invalid UTF-8", "UTF-8 text")
    })
}
