//! Reports a mistake in an input file, with its position, the problem, the expected value and a guess at the right
//! name.

use crate::yaml::guess::nearest;
use extension_contract::FieldErrorCode;
use std::fmt;
use std::path::{Path, PathBuf};

/// A position in an input: the file, the line and, if known, a JSON Pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File, or `-` for standard input.
    pub file: PathBuf,
    /// Line, from 1; 0 for the whole file.
    pub line: usize,
    /// JSON Pointer of the value in the document, if it is known.
    pub pointer: Option<Box<str>>,
}

impl Place {
    /// Creates the position of a whole file.
    pub fn file(file: &Path) -> Self {
        Place::line(file, 0)
    }

    /// Creates the position of a line.
    pub fn line(file: &Path, line: usize) -> Self {
        Place { file: file.to_owned(), line, pointer: None }
    }

    /// Adds the JSON Pointer of the value.
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

/// A mistake in an input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}; expected {expected}{}", did_you_mean(guess.as_deref()))]
pub struct BadInput {
    /// Position of the mistake.
    pub place: Place,
    /// Description of the mistake.
    pub problem: String,
    /// Description of a correct value.
    pub expected: String,
    /// Name that the author probably meant.
    pub guess: Option<Box<str>>,
    /// The parts for programs; none if this program found the mistake without the extension.
    pub reported: Option<Box<Reported>>,
}

/// A mistake as the extension reported it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Error code.
    pub code: FieldErrorCode,
    /// The allowed values, or a description of them.
    pub expected: Vec<String>,
}

fn did_you_mean(guess: Option<&str>) -> String {
    guess.map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"))
}

impl BadInput {
    /// Creates a mistake without a guess.
    pub fn new(place: Place, problem: impl Into<String>, expected: impl Into<String>) -> Self {
        BadInput { place, problem: problem.into(), expected: expected.into(), guess: None, reported: None }
    }

    /// Creates the mistake for an unknown name, with a guess. `what` completes the sentence about the name, such as
    /// `not a command`.
    pub fn unknown_name<'c>(place: Place, name: &str, what: &str, known: impl IntoIterator<Item = &'c str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let expected = match known.is_empty() {
            true => "nothing, as none are declared".to_owned(),
            false => format!("one of {}", known.join(", ")),
        };
        BadInput::new(place, format!("`{name}` is {what}"), expected).guessing(name, known)
    }

    /// Sets the guess to the candidate nearest to `word`; no guess if no candidate is near enough.
    pub fn guessing<'c>(self, word: &str, candidates: impl IntoIterator<Item = &'c str> + Clone) -> Self {
        BadInput { guess: nearest(word, candidates).map(Box::from), ..self }
    }
}

/// All mistakes of an input; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Mistakes(pub Vec<BadInput>);

impl From<BadInput> for Mistakes {
    fn from(bad: BadInput) -> Mistakes {
        Mistakes(vec![bad])
    }
}

impl From<Mistakes> for Vec<BadInput> {
    fn from(Mistakes(mistakes): Mistakes) -> Vec<BadInput> {
        mistakes
    }
}

/// Returns the mistakes as text, one line per mistake.
pub fn lines(list: &[BadInput]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads the text of a file.
///
/// # Errors
/// Fails if the file cannot be read or is not UTF-8.
pub fn read_text(file: &Path) -> Result<String, BadInput> {
    let bytes = std::fs::read(file)
        .map_err(|cause| BadInput::new(Place::file(file), cause.to_string(), "a file that can be read"))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        BadInput::new(Place::line(file, line), "invalid UTF-8", "UTF-8 text")
    })
}
