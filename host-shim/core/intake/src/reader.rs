//! Reading members with one rule for all: absent, null and empty are alike where a member is optional, and the first thing
//! that is wrong becomes the refusal.

use crate::json::{Document, JsonKind, Value, push_token};
use extension_contract::{ID_BYTES_MAX, Refusal, Timestamp};

/// The last second of the year 9999: later times can't be written as RFC 3339.
const SECONDS_MAX: i64 = 253_402_300_799;

/// An object and its JSON Pointer.
#[derive(Clone, Copy)]
pub(crate) struct Place<'p, 'd> {
    pub(crate) pointer: &'p str,
    pub(crate) object: Value<'d>,
}

impl<'d> Place<'static, 'd> {
    pub(crate) fn root(document: &'d Document<'d>) -> Self {
        Place { pointer: "", object: document.root() }
    }
}

impl<'d> Place<'_, 'd> {
    /// A member that is neither absent nor null.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'d>> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn pointer_to(&self, name: &str) -> String {
        let mut pointer = self.pointer.to_owned();
        push_token(&mut pointer, name);
        pointer
    }
}

/// Remembers the first refusal.
pub(crate) struct Reader {
    refusal: Option<Refusal>,
}

impl Reader {
    /// A name that one object has twice is wrong before anything else is.
    pub(crate) fn new(document: &Document<'_>) -> Self {
        Reader { refusal: document.duplicate().map(|pointer| Refusal::Malformed(pointer.to_owned())) }
    }

    pub(crate) fn refusal(self) -> Option<Refusal> {
        self.refusal
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal.get_or_insert(refusal);
    }

    pub(crate) fn malformed(&mut self, place: Place<'_, '_>, name: &str) {
        if self.refusal.is_none() {
            self.refusal = Some(Refusal::Malformed(place.pointer_to(name)));
        }
    }

    /// A text of any length.
    pub(crate) fn prose(&mut self, place: Place<'_, '_>, name: &str) -> Option<String> {
        let value = place.get(name)?;
        let Some(text) = value.as_str() else {
            self.malformed(place, name);
            return None;
        };
        (!text.is_empty()).then(|| text.into_owned())
    }

    /// A text that can be an id, a kind or part of a key: at most 255 bytes, no control characters.
    pub(crate) fn id(&mut self, place: Place<'_, '_>, name: &str) -> Option<String> {
        let text = self.prose(place, name)?;
        if text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
            self.malformed(place, name);
            return None;
        }
        Some(text)
    }

    /// The same, and it must be there.
    pub(crate) fn required_id(&mut self, place: Place<'_, '_>, name: &str) -> Option<String> {
        let id = self.id(place, name);
        if id.is_none() {
            self.malformed(place, name);
        }
        id
    }

    pub(crate) fn flag(&mut self, place: Place<'_, '_>, name: &str) -> Option<bool> {
        let value = place.get(name).filter(|value| !is_empty(value))?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.malformed(place, name);
        }
        flag
    }

    pub(crate) fn object<'d>(&mut self, place: Place<'_, 'd>, name: &str) -> Option<Value<'d>> {
        let value = place.get(name).filter(|value| !is_empty(value))?;
        if value.kind() == JsonKind::Object {
            return Some(value);
        }
        self.malformed(place, name);
        None
    }

    /// Whole seconds since the Unix epoch, as milliseconds.
    pub(crate) fn seconds(&mut self, place: Place<'_, '_>, name: &str) -> Option<Timestamp> {
        let seconds = place.get(name)?.as_i64().filter(|seconds| (0..=SECONDS_MAX).contains(seconds));
        if seconds.is_none() {
            self.malformed(place, name);
        }
        seconds.map(|seconds| seconds * 1000)
    }

    /// An RFC 3339 text, as milliseconds since the Unix epoch; what is finer is cut off.
    pub(crate) fn rfc3339(&mut self, place: Place<'_, '_>, name: &str) -> Option<Timestamp> {
        let text = self.prose(place, name)?;
        let time = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond()).filter(|ms| *ms >= 0);
        if time.is_none() {
            self.malformed(place, name);
        }
        time
    }
}

/// Whether a value is the empty text, which stands for none.
pub(crate) fn is_empty(value: &Value<'_>) -> bool {
    value.raw() == "\"\""
}
