//! What can't be read: the JSON Pointer of the value, and what was expected there.

use crate::expected::{kind, plain};
use serde::de::{self, Expected, Unexpected};
use std::borrow::Cow;
use std::fmt;

/// What is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Value,
    Key,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    Number,
    Escape,
    Surrogate,
    Control,
    Quote,
    Depth,
    End,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Fault::Value => "expected a value",
            Fault::Key => "expected a name in quotes",
            Fault::Colon => "expected `:` behind a name",
            Fault::CommaOrBrace => "expected `,` or `}`",
            Fault::CommaOrBracket => "expected `,` or `]`",
            Fault::Number => "expected a number as JSON writes it",
            Fault::Escape => "expected an escape that JSON has",
            Fault::Surrogate => "expected both halves of a surrogate pair",
            Fault::Control => "expected no control character in a text",
            Fault::Quote => "expected a quote at the end of a text",
            Fault::Depth => "expected at most 127 objects and lists within each other",
            Fault::End => "expected nothing behind the value",
        }
    }
}

/// Why a text could not be read. It shows as `<JSON Pointer>: <what was expected>`, without any value of the text and
/// without the name of a Rust type.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// Names and indices on the way to the value, the innermost first, ready for a pointer.
    path: Vec<String>,
    cause: Cow<'static, str>,
    is_unknown_name: bool,
}

/// Longest name shown in a pointer, in characters: a sender chooses names too.
const NAME_CHARACTERS: usize = 64;

impl Error {
    #[cold]
    pub(crate) fn new(cause: impl Into<Cow<'static, str>>) -> Error {
        Error(Box::new(Inner { path: Vec::new(), cause: cause.into(), is_unknown_name: false }))
    }

    /// Something of another kind is there than what was expected.
    #[cold]
    pub(crate) fn mismatch(expected: &str, found: &str) -> Error {
        Error::new(format!("expected {}, found {found}", plain(expected)))
    }

    /// The same error, seen from the object that has the value under `name`.
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
                // Nothing that moves a terminal's cursor or turns the direction of writing.
                _ => segment.push('?'),
            }
        }
        self.0.path.push(segment);
        self
    }

    /// The same, for a name as it stands in the text, in its quotes.
    #[cold]
    pub(crate) fn under_quoted(self, quoted: &str) -> Error {
        match crate::from_str::<Cow<'_, str>>(quoted) {
            Ok(name) => self.under(&name),
            Err(_) => self,
        }
    }

    /// The same error, seen from the list that has the value at `index`.
    #[cold]
    pub(crate) fn at(mut self, index: usize) -> Error {
        self.0.path.push(index.to_string());
        self
    }

    /// The JSON Pointer of the value; empty where it is the whole text. Names are cut after 64 characters, and what isn't
    /// printable ASCII in them is a question mark.
    pub fn pointer(&self) -> String {
        self.0.path.iter().rev().flat_map(|segment| ["/", segment]).collect()
    }

    /// Whether the last name of the pointer is one that its object may not have.
    pub fn is_unknown_name(&self) -> bool {
        self.0.is_unknown_name
    }

    /// What was expected there.
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
        Error::new(fault.text())
    }
}

/// Names of variants or fields in a sentence.
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
        // What serde's derive says of an untagged enum names the enum.
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
        Error::mismatch(&expected.to_string(), &format!("{length} of them"))
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
