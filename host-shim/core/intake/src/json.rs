//! A strict, bounded JSON parser that keeps the positions of all values. One pass checks the whole text (UTF-8, grammar, surrogates,
//! depth) without recursion and records the members of each object in order; the extension's reader reads the tokens. Numbers stay
//! text, so nothing is rounded. A duplicate name in an object is recorded, since some parsers return the first of the two members and
//! others the second. Values are converted only on request.

mod scan;

use crate::body::{BODY_BYTES_MAX, DEPTH_MAX};
use extension_reader::{Key, Raw};
use std::borrow::Cow;
use std::fmt;

/// Maximum length of a reported JSON Pointer in bytes. A longer pointer is cut, and ends in `…`.
pub const POINTER_BYTES_MAX: usize = 255;

/// The reason why bytes are not acceptable JSON. Offsets are in bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is too long.
    #[error("{bytes} bytes, expected at most {BODY_BYTES_MAX}")]
    TooLarge {
        /// Length in bytes.
        bytes: usize,
    },
    /// The text starts with a byte order mark.
    #[error("byte order mark at the beginning, expected JSON")]
    ByteOrderMark,
    /// The bytes are not UTF-8.
    #[error("invalid UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the error.
        offset: usize,
    },
    /// The text violates the grammar.
    #[error("not JSON at byte {offset}: expected {expected}")]
    Syntax {
        /// Offset of the error.
        offset: usize,
        /// Expected token.
        expected: &'static str,
    },
    /// The text is nested too deeply.
    #[error("nested deeper than {DEPTH_MAX} at byte {offset}")]
    TooDeep {
        /// Offset of the error.
        offset: usize,
    },
}

impl JsonError {
    /// Returns the offset of the error, in bytes from 0.
    pub fn offset(&self) -> usize {
        match self {
            JsonError::TooLarge { .. } => BODY_BYTES_MAX,
            JsonError::ByteOrderMark => 0,
            JsonError::NotUtf8 { offset } | JsonError::Syntax { offset, .. } | JsonError::TooDeep { offset } => *offset,
        }
    }

    /// Returns the line of the error in `bytes`, from 1.
    pub fn line(&self, bytes: &[u8]) -> usize {
        let before = &bytes[..self.offset().min(bytes.len())];
        before.iter().filter(|b| **b == b'\n').count() + 1
    }
}

/// The kind of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonKind::Null => "null",
            JsonKind::Bool => "a truth value",
            JsonKind::Number => "a number",
            JsonKind::String => "a string",
            JsonKind::Array => "an array",
            JsonKind::Object => "an object",
        })
    }
}

/// A checked JSON text.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    root: Node,
    members: Vec<Member<'t>>,
    duplicate: Option<String>,
}

/// The position of a value and of an object's members.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: JsonKind,
    /// Byte range in the text.
    span: (u32, u32),
    /// Range of the members of an object.
    members: (u32, u32),
}

#[derive(Debug)]
struct Member<'t> {
    name: Cow<'t, str>,
    /// Byte range of the name with its quotes.
    name_span: (u32, u32),
    value: Node,
}

impl<'t> Document<'t> {
    /// Parses a text.
    ///
    /// # Errors
    /// Fails with [`JsonError`] and the position of the first error.
    pub fn parse(bytes: &'t [u8]) -> Result<Self, JsonError> {
        if bytes.len() > BODY_BYTES_MAX {
            return Err(JsonError::TooLarge { bytes: bytes.len() });
        }
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err(JsonError::ByteOrderMark);
        }
        let text = std::str::from_utf8(bytes).map_err(|e| JsonError::NotUtf8 { offset: e.valid_up_to() })?;
        scan::scan(text)
    }

    /// Returns the outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { text: self.text, members: &self.members, node: self.root }
    }

    /// Returns the JSON Pointer of the first duplicate member at any depth.
    pub fn duplicate(&self) -> Option<&str> {
        self.duplicate.as_deref()
    }
}

/// One value of a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    text: &'d str,
    members: &'d [Member<'d>],
    node: Node,
}

impl<'d> Value<'d> {
    /// Returns the kind of the value.
    pub fn kind(&self) -> JsonKind {
        self.node.kind
    }

    /// Returns the text of the value, unchanged.
    pub fn raw(&self) -> &'d str {
        &self.text[self.node.span.0 as usize..self.node.span.1 as usize]
    }

    /// Returns whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.node.kind == JsonKind::Null
    }

    /// Returns the content of a string, unescaped.
    pub fn as_str(&self) -> Option<Cow<'d, str>> {
        (self.node.kind == JsonKind::String).then(|| text(self.raw()))?
    }

    /// Returns the value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.node.kind == JsonKind::Bool).then(|| self.raw() == "true")
    }

    /// Returns a number that is written as an integer and fits into 64 bits; none for `10.0`, `1e3`, `-0` or 2⁶³.
    pub fn as_i64(&self) -> Option<i64> {
        if self.node.kind != JsonKind::Number || self.raw() == "-0" {
            return None;
        }
        self.raw().parse().ok()
    }

    /// Returns the items of an array if all are strings.
    pub fn as_strings(&self) -> Option<Vec<String>> {
        let items =
            (self.node.kind == JsonKind::Array).then(|| extension_reader::from_str::<Vec<Key<'_>>>(self.raw()))?;
        Some(items.ok()?.into_iter().map(|item| item.into_text().into_owned()).collect())
    }

    /// Returns the items of an array if all are objects.
    pub fn as_objects(&self) -> Option<Vec<Document<'d>>> {
        let items =
            (self.node.kind == JsonKind::Array).then(|| extension_reader::from_str::<Vec<Raw<'d>>>(self.raw()))?;
        let object = |item: Raw<'d>| item.get().starts_with('{').then(|| scan::scan(item.get()).ok())?;
        items.ok()?.into_iter().map(object).collect()
    }

    /// Returns a member of an object by name; the first one if several members have this name.
    pub fn get(&self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(member, _)| member.name == name).map(|(_, value)| value)
    }

    /// Returns the members of an object in order; no members for other values.
    pub fn members(&self) -> impl Iterator<Item = (Name<'d>, Value<'d>)> + use<'d> {
        let (text, members) = (self.text, self.members);
        let (from, to) = self.node.members;
        members[from as usize..to as usize].iter().map(move |member| {
            let name =
                Name { name: &member.name, raw: &text[member.name_span.0 as usize..member.name_span.1 as usize] };
            (name, Value { text, members, node: member.value })
        })
    }
}

/// Returns the content of a checked string with quotes.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    match raw.contains('\\') {
        false => raw.get(1..raw.len() - 1).map(Cow::Borrowed),
        true => extension_reader::from_str::<Key<'_>>(raw).ok().map(Key::into_text),
    }
}

/// The name of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'d> {
    /// Unescaped name.
    pub name: &'d str,
    /// Text in the document, with quotes.
    pub raw: &'d str,
}

/// Appends a reference token to a JSON Pointer (RFC 6901). Replaces control characters, and truncates a pointer that is too long.
pub(crate) fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c if c.is_control() => pointer.push(char::REPLACEMENT_CHARACTER),
            c => pointer.push(c),
        }
        if pointer.len() > POINTER_BYTES_MAX {
            let mut end = POINTER_BYTES_MAX - '…'.len_utf8();
            while !pointer.is_char_boundary(end) {
                end -= 1;
            }
            pointer.truncate(end);
            pointer.push('…');
            return;
        }
    }
}
