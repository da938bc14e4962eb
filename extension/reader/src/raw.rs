//! A value as its sender wrote it.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The text of one value, checked to be JSON and otherwise unread. Only this crate's reader gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// What a `Raw` asks a reader for; no type of a user has this name.
pub(crate) const NAME: &str = "$extension_reader::Raw";

impl<'a> Raw<'a> {
    /// The value's text, without whitespace around it.
    pub fn get(self) -> &'a str {
        self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = &'de str;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<&'de str, E> {
                Ok(text)
            }
        }
        deserializer.deserialize_newtype_struct(NAME, Text).map(Raw)
    }
}
