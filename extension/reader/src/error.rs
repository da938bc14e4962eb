//! Errors: the JSON Pointer of the invalid value, and what was expected there.

use crate::expected::{kind, plain};
use serde::de::{self, Expected, Unexpected};
use std::borrow::Cow;
use std::fmt;

/// A syntax error: the text is not valid JSON. The variants name the expected token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A value.
    Value,
    /// The name of a member.
    Key,
    /// The colon after a name.
    Colon,
    /// A comma, or the end of the object.
    CommaOrBrace,
    /// A comma, or the end of the array.
    CommaOrBracket,
    /// A number as JSON writes it.
    Number,
    /// An escape that JSON has.
    Escape,
    /// The other half of a surrogate pair.
    Surrogate,
    /// A string without control characters.
    Control,
    /// The closing quote of a string.
    Quote,
    /// A value that is not nested too deeply.
    Depth,
    /// The end of the text.
    End,
}

impl Fault {
    /// Returns the expected token, for a message after the word "expected".
    pub fn expected(self) -> &'static str {
        match self {
            Fault::Value => "a value",
            Fault::Key => "a name in quotes",
            Fault::Colon => "`:` after a name",
            Fault::CommaOrBrace => "`,` or `}`",
            Fault::CommaOrBracket => "`,` or `]`",
            Fault::Number => "a valid JSON number",
            Fault::Escape => "a valid JSON escape",
            Fault::Surrogate => "both halves of a surrogate pair",
            Fault::Control => "no control character in a text",
            Fault::Quote => "a quote at the end of a text",
            Fault::Depth => "at most 127 nested objects and lists",
            Fault::End => "nothing after the value",
        }
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// It is not valid JSON.
    Syntax,
    /// An object has a name that it must not have: the last name of the pointer.
    UnknownName,
    /// A text is none of the allowed words.
    UnknownWord,
    /// An object lacks a member: the last name of the pointer.
    Missing,
    /// An object has a member twice: the last name of the pointer.
    Twice,
    /// A value has another type.
    WrongType,
    /// A value has the right type, and is not allowed.
    WrongValue,
    /// Something else, which a type reports.
    Other,
}

/// Why a text could not be read. The error is formatted as `<JSON Pointer>: <what was expected>`, without values of the
/// text and without names of Rust types.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// Segments of the JSON Pointer, escaped, the innermost first.
    path: Vec<String>,
    kind: ErrorKind,
    /// What was expected; the whole message if the kind is [`ErrorKind::Other`].
    expected: Cow<'static, str>,
    /// What was found; empty if the text tells it.
    found: Cow<'static, str>,
    /// The allowed names or words.
    names: &'static [&'static str],
}

/// Maximum length of a name in a pointer, in characters. Limited because the sender of the text chooses the names.
const NAME_CHARACTERS: usize = 64;

impl Error {
    #[cold]
    pub(crate) fn new(
        kind: ErrorKind,
        expected: impl Into<Cow<'static, str>>,
        found: impl Into<Cow<'static, str>>,
    ) -> Error {
        let (expected, found) = (expected.into(), found.into());
        Error(Box::new(Inner { path: Vec::new(), kind, expected, found, names: &[] }))
    }

    /// Creates the error for a value that has another type than the expected type.
    #[cold]
    pub(crate) fn mismatch(expected: &str, found: &'static str) -> Error {
        Error::new(ErrorKind::WrongType, plain(expected).into_owned(), found)
    }

    /// Creates the error for a name or word that is none of the allowed ones.
    #[cold]
    fn unknown(kind: ErrorKind, names: &'static [&'static str], found: &'static str) -> Error {
        let mut error = Error::new(kind, listed(names), found);
        error.0.names = names;
        error
    }

    /// Adds the name of the object's member to the pointer.
    #[cold]
    pub(crate) fn under(mut self, name: &str) -> Error {
        let mut segment = String::new();
        for (count, character) in name.chars().enumerate() {
            match character {
                _ if count == NAME_CHARACTERS => {
                    segment.push_str("...");
                    break;
                }
                '~' => segment.push_str("~0"),
                '/' => segment.push_str("~1"),
                ' '..='~' => segment.push(character),
                // Replaces characters that move a terminal's cursor or change the writing direction.
                _ => segment.push('?'),
            }
        }
        self.0.path.push(segment);
        self
    }

    /// Like [`Error::under`], but takes the name as written in the text, with quotes and escapes.
    #[cold]
    pub(crate) fn under_quoted(self, quoted: &str) -> Error {
        match crate::from_str::<Cow<'_, str>>(quoted) {
            Ok(name) => self.under(&name),
            Err(_) => self,
        }
    }

    /// Adds the index of the array's value to the pointer.
    #[cold]
    pub(crate) fn at(mut self, index: usize) -> Error {
        self.0.path.push(index.to_string());
        self
    }

    /// Returns the JSON Pointer of the value; empty for the whole text. Names are cut after 64 characters, and a
    /// question mark replaces each character that is not printable ASCII.
    pub fn pointer(&self) -> String {
        self.0.path.iter().rev().flat_map(|segment| ["/", segment]).collect()
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns what was expected; empty if only the cause tells it.
    pub fn expected(&self) -> &str {
        if self.0.kind == ErrorKind::Other { "" } else { &self.0.expected }
    }

    /// Returns the names or words that are allowed in place of an unknown one.
    pub fn names(&self) -> &'static [&'static str] {
        self.0.names
    }

    /// Returns what was expected and what was found, without the pointer.
    pub fn cause(&self) -> String {
        match (self.0.kind, self.0.found.as_ref()) {
            (ErrorKind::Other, _) => self.0.expected.clone().into_owned(),
            (_, "") => format!("expected {}", self.0.expected),
            (_, found) => format!("expected {}, found {found}", self.0.expected),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.path.is_empty() {
            return f.write_str(&self.cause());
        }
        write!(f, "{}: {}", self.pointer(), self.cause())
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Error {
        Error::new(ErrorKind::Syntax, fault.expected(), "")
    }
}

/// Formats the names of variants or fields for a message.
fn listed(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [name] => format!("`{name}`"),
        [names @ .., last] => format!("`{}` or `{last}`", names.join("`, `")),
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        let message = message.to_string();
        // serde's message for an untagged enum contains the enum's name.
        let untagged = message.starts_with("data did not match any variant of untagged enum ");
        match untagged {
            true => Error::new(ErrorKind::WrongValue, "another shape", ""),
            false => Error::new(ErrorKind::Other, message, ""),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::mismatch(&expected.to_string(), kind(found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        let found = format!("another value ({})", kind(found));
        Error::new(ErrorKind::WrongValue, plain(&expected.to_string()).into_owned(), found)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Error {
        let found = format!("length {length}");
        Error::new(ErrorKind::WrongValue, plain(&expected.to_string()).into_owned(), found)
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Error {
        Error::unknown(ErrorKind::UnknownWord, variants, "another text")
    }

    fn unknown_field(field: &str, fields: &'static [&'static str]) -> Error {
        Error::unknown(ErrorKind::UnknownName, fields, "another name").under(field)
    }

    fn missing_field(field: &'static str) -> Error {
        Error::new(ErrorKind::Missing, "a value", "none").under(field)
    }

    fn duplicate_field(field: &'static str) -> Error {
        Error::new(ErrorKind::Twice, "one value", "two").under(field)
    }
}
