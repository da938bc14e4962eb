//! A member of an object: its name, borrowed from the text unless it contains escapes, and its value.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The name of an object's member.
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    /// Returns the index of the name in a list.
    pub fn index_in(&self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| *name == self.0)
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name, borrowed from the text if possible.
    pub fn into_text(self) -> Cow<'a, str> {
        self.0
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(name)))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(name.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_identifier(NameVisitor)
    }
}

/// Reads the value of a member. Not inlined, so that the code exists once for each type of value: the component must
/// stay small.
///
/// # Errors
/// Fails if the value has another type.
#[inline(never)]
pub fn member<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value()
}
