//! Strict, bounded JSON that remembers where everything stands.
//!
//! One pass checks the whole text (UTF-8, grammar, surrogates, depth) without recursion and keeps, for each object, its
//! members in order. Numbers stay text, so nothing is ever rounded; a name that occurs twice in one object is noted, since
//! parsers differ in which of the two wins. Nothing is looked at that is not asked for.

mod scan;

use crate::body::{BODY_BYTES_MAX, DEPTH_MAX};
use std::borrow::Cow;
use std::fmt;

/// Longest JSON Pointer in bytes that a report repeats; a longer one ends in `…`.
pub const POINTER_BYTES_MAX: usize = 255;

/// Why bytes are not JSON that we read. Offsets are in bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than are read.
    #[error("{bytes} bytes, at most {BODY_BYTES_MAX} are read")]
    TooLarge {
        /// Their number.
        bytes: usize,
    },
    /// A byte order mark comes first.
    #[error("byte order mark at the beginning, expected JSON")]
    ByteOrderMark,
    /// The bytes are no UTF-8.
    #[error("invalid UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Where.
        offset: usize,
    },
    /// The grammar wants something else.
    #[error("not JSON at byte {offset}: expected {expected}")]
    Syntax {
        /// Where.
        offset: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// Nested deeper than is read.
    #[error("nested deeper than {DEPTH_MAX} at byte {offset}")]
    TooDeep {
        /// Where.
        offset: usize,
    },
}

impl JsonError {
    /// Where in the bytes, from 0.
    pub fn offset(&self) -> usize {
        match self {
            JsonError::TooLarge { .. } => BODY_BYTES_MAX,
            JsonError::ByteOrderMark => 0,
            JsonError::NotUtf8 { offset } | JsonError::Syntax { offset, .. } | JsonError::TooDeep { offset } => *offset,
        }
    }

    /// The line in `bytes` that the error is in, from 1.
    pub fn line(&self, bytes: &[u8]) -> usize {
        let before = &bytes[..self.offset().min(bytes.len())];
        before.iter().filter(|b| **b == b'\n').count() + 1
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number, still as text.
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

/// A checked text.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    root: Node,
    members: Vec<Member<'t>>,
    duplicate: Option<String>,
}

/// A value's place: its text, and for an object its members.
#[derive(Clone, Copy, Debug)]
struct Node {
    kind: JsonKind,
    /// Bytes of the text, from and to.
    span: (u32, u32),
    /// Members of an object, from and to.
    members: (u32, u32),
}

#[derive(Debug)]
struct Member<'t> {
    name: Cow<'t, str>,
    /// Bytes of the name with its quotes, from and to.
    name_span: (u32, u32),
    value: Node,
}

impl<'t> Document<'t> {
    /// Check a text.
    ///
    /// # Errors
    /// [`JsonError`] with the place of the first mistake.
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

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { text: self.text, members: &self.members, node: self.root }
    }

    /// JSON Pointer of the first member found whose name its object has twice, wherever it is.
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
    /// What it is.
    pub fn kind(&self) -> JsonKind {
        self.node.kind
    }

    /// Its text as it stands in the document.
    pub fn raw(&self) -> &'d str {
        &self.text[self.node.span.0 as usize..self.node.span.1 as usize]
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.node.kind == JsonKind::Null
    }

    /// A string's content, without escapes.
    pub fn as_str(&self) -> Option<Cow<'d, str>> {
        (self.node.kind == JsonKind::String).then(|| scan::unescape(self.raw()))
    }

    /// `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        (self.node.kind == JsonKind::Bool).then(|| self.raw() == "true")
    }

    /// A number that is written as a whole one and fits: `10.0`, `1e3`, `-0` and 2⁶³ are none.
    pub fn as_i64(&self) -> Option<i64> {
        if self.node.kind != JsonKind::Number || self.raw() == "-0" {
            return None;
        }
        self.raw().parse().ok()
    }

    /// An array's items if all are strings.
    pub fn as_strings(&self) -> Option<Vec<String>> {
        (self.node.kind == JsonKind::Array).then(|| scan::strings(self.raw()))?
    }

    /// An array's items if all are objects.
    pub fn as_objects(&self) -> Option<Vec<Document<'d>>> {
        (self.node.kind == JsonKind::Array).then(|| scan::objects(self.raw()))?
    }

    /// An object's member by name; the first if there are two.
    pub fn get(&self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(member, _)| member.name == name).map(|(_, value)| value)
    }

    /// An object's members in order; nothing for other values.
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

/// A member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'d> {
    /// Without escapes.
    pub name: &'d str,
    /// As it stands in the document, with its quotes.
    pub raw: &'d str,
}

/// Add a reference token to a JSON Pointer (RFC 6901), without characters that would garble a report.
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
