//! What can be wrong with a file that a person wrote: where, what, what was expected, and what was likely meant.

use crate::guess::nearest;
use std::fmt;
use std::path::{Path, PathBuf};

/// A place in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, or `-` for standard input.
    pub file: PathBuf,
    /// Line, from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// JSON Pointer of the value in the document, where an extension names it so.
    pub pointer: Option<Box<str>>,
}

impl Place {
    /// The whole file.
    pub fn file(file: &Path) -> Self {
        Place::line(file, 0)
    }

    /// A line of a file.
    pub fn line(file: &Path, line: usize) -> Self {
        Place { file: file.to_owned(), line, pointer: None }
    }

    /// The same place, with the JSON Pointer of the value that is meant.
    pub fn at(self, pointer: &str) -> Self {
        Place { pointer: Some(pointer).filter(|pointer| !pointer.is_empty()).map(Box::from), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        self.pointer.as_ref().map_or(Ok(()), |pointer| write!(f, ": {pointer}"))
    }
}

/// An input that can't be taken: where, what is wrong, what was expected, and what was likely meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; expected {expected}{}", did_you_mean(guess.as_deref()))]
pub struct BadInput {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub problem: String,
    /// What would have been right.
    pub expected: String,
    /// The name that was likely meant where a wrong one stands.
    pub guess: Option<Box<str>>,
}

fn did_you_mean(guess: Option<&str>) -> String {
    guess.map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"))
}

impl BadInput {
    /// A bad input at a place.
    pub fn new(place: Place, problem: impl Into<String>, expected: impl Into<String>) -> Self {
        BadInput { place, problem: problem.into(), expected: expected.into(), guess: None }
    }

    /// The same, with the candidate that `word` is likely a misspelling of.
    pub fn guessing<'c>(self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Self {
        BadInput { guess: nearest(word, candidates).map(Box::from), ..self }
    }
}

/// Several, a line each.
pub fn lines(list: &[BadInput]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
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
