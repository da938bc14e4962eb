//! Reads members of JSON objects. An optional string, flag or object that is null or the empty string counts as
//! missing. The first problem becomes the refusal.

use crate::json::{Document, JsonKind, Value, push_token};
use extension_contract::{ID_BYTES_MAX, Refusal, Timestamp};

/// The last second of the year 9999: RFC 3339 cannot express later times.
const SECONDS_MAX: i64 = 253_402_300_799;

/// An object and its JSON Pointer.
#[derive(Clone, Copy)]
pub(crate) struct LocatedObject<'p, 'd> {
    pub(crate) pointer: &'p str,
    pub(crate) object: Value<'d>,
}

impl<'d> LocatedObject<'static, 'd> {
    pub(crate) fn root(document: &'d Document<'d>) -> Self {
        LocatedObject { pointer: "", object: document.root() }
    }
}

impl<'d> LocatedObject<'_, 'd> {
    /// Returns a member unless it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'d>> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn pointer_to(&self, name: &str) -> String {
        let mut pointer = self.pointer.to_owned();
        push_token(&mut pointer, name);
        pointer
    }
}

/// Reads members and records the first refusal.
pub(crate) struct Reader {
    refusal: Option<Refusal>,
}

impl Reader {
    /// If the document has a duplicate member name, this is the first refusal.
    pub(crate) fn new(document: &Document<'_>) -> Self {
        Reader { refusal: document.duplicate().map(|pointer| Refusal::Malformed(pointer.to_owned())) }
    }

    pub(crate) fn refusal(self) -> Option<Refusal> {
        self.refusal
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    pub(crate) fn malformed(&mut self, parent: LocatedObject<'_, '_>, name: &str) {
        if self.refusal.is_none() {
            self.refusal = Some(Refusal::Malformed(parent.pointer_to(name)));
        }
    }

    /// Reads a string of any length.
    pub(crate) fn prose(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<String> {
        let value = parent.get(name)?;
        let Some(text) = value.as_str() else {
            self.malformed(parent, name);
            return None;
        };
        (!text.is_empty()).then(|| text.into_owned())
    }

    /// Reads a string for an id, a kind or part of a key: at most 255 bytes, no control characters.
    pub(crate) fn id(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<String> {
        let text = self.prose(parent, name)?;
        if text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
            self.malformed(parent, name);
            return None;
        }
        Some(text)
    }

    /// Reads a required id.
    pub(crate) fn required_id(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<String> {
        let id = self.id(parent, name);
        if id.is_none() {
            self.malformed(parent, name);
        }
        id
    }

    pub(crate) fn flag(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<bool> {
        let value = parent.get(name).filter(|value| !is_empty(value))?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.malformed(parent, name);
        }
        flag
    }

    pub(crate) fn object<'d>(&mut self, parent: LocatedObject<'_, 'd>, name: &str) -> Option<Value<'d>> {
        let value = parent.get(name).filter(|value| !is_empty(value))?;
        if value.kind() == JsonKind::Object {
            return Some(value);
        }
        self.malformed(parent, name);
        None
    }

    /// Reads whole seconds since the Unix epoch, as milliseconds.
    pub(crate) fn seconds(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<Timestamp> {
        let seconds = parent.get(name)?.as_i64().filter(|seconds| (0..=SECONDS_MAX).contains(seconds));
        if seconds.is_none() {
            self.malformed(parent, name);
        }
        seconds.map(|seconds| seconds * 1000)
    }

    /// Reads an RFC 3339 string as milliseconds since the Unix epoch, truncated.
    pub(crate) fn rfc3339(&mut self, parent: LocatedObject<'_, '_>, name: &str) -> Option<Timestamp> {
        let text = self.prose(parent, name)?;
        let time = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond()).filter(|ms| *ms >= 0);
        if time.is_none() {
            self.malformed(parent, name);
        }
        time
    }
}

/// Returns true if a value is the empty string, which counts as missing.
pub(crate) fn is_empty(value: &Value<'_>) -> bool {
    value.raw() == "\"\""
}
