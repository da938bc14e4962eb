//! A key of an object, borrowed from the text unless it is written with escapes, and the value beside it.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The name of a member.
pub struct Key<'a>(Cow<'a, str>);

impl<'a> Key<'a> {
    /// Where the name stands in a list.
    pub fn place_in(&self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| *name == self.0)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, borrowed from the text where it can be.
    pub fn into_text(self) -> Cow<'a, str> {
        self.0
    }
}

struct Text;

impl<'de> Visitor<'de> for Text {
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
        from.deserialize_identifier(Text)
    }
}

/// The value of a member. Each type of value is read in one place, however many structs have one: the code's size counts.
///
/// # Errors
/// The value is of another type.
#[inline(never)]
pub fn member<'de, T: Deserialize<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value()
}
