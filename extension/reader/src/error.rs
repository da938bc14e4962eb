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

/// Why a text could not be read. The error is formatted as `<JSON Pointer>: <what was expected>`, without values of the
/// text and without names of Rust types.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// Segments of the JSON Pointer, escaped, the innermost first.
    path: Vec<String>,
    cause: Cow<'static, str>,
    is_unknown_name: bool,
}

/// Maximum length of a name in a pointer, in characters. Limited because the sender of the text chooses the names.
const NAME_CHARACTERS: usize = 64;

impl Error {
    #[cold]
    pub(crate) fn new(cause: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Inner { path: Vec::new(), cause: cause.into(), is_unknown_name: false }))
    }

    /// Creates the error for a value that has another type than the expected type.
    #[cold]
    pub(crate) fn mismatch(expected: &str, found: &str) -> Error {
        Error::new(format!("expected {}, found {found}", plain(expected)))
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

    /// Returns true if the last name of the pointer is a name that the object must not have.
    pub fn is_unknown_name(&self) -> bool {
        self.0.is_unknown_name
    }

    /// Returns what was expected, without the pointer.
    pub fn cause(&self) -> &str {
        &self.0.cause
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.path.is_empty() {
            return f.write_str(&self.0.cause);
        }
        write!(f, "{}: {}", self.pointer(), self.0.cause)
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Error {
        Error::new(format!("expected {}", fault.expected()))
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
        Error::new(if untagged { Cow::Borrowed("expected another shape") } else { Cow::Owned(message) })
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::mismatch(&expected.to_string(), kind(found))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::mismatch(&expected.to_string(), &format!("another value ({})", kind(found)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Error {
        Error::mismatch(&expected.to_string(), &format!("length {length}"))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Error {
        Error::new(format!("expected {}, found another text", listed(variants)))
    }

    fn unknown_field(field: &str, fields: &'static [&'static str]) -> Error {
        let mut error = Error::new(format!("expected {}, found another name", listed(fields)));
        error.0.is_unknown_name = true;
        error.under(field)
    }

    fn missing_field(field: &'static str) -> Error {
        Error::new("expected a value, found none").under(field)
    }

    fn duplicate_field(field: &'static str) -> Error {
        Error::new("expected one value, found two").under(field)
    }
}
