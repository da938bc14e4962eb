//! The unparsed text of a value.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The text of one value, checked to be valid JSON but not parsed. Only this crate's reader can deserialize a `Raw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

/// Name of the newtype struct by which the reader recognizes a `Raw`. No other type has this name.
pub(crate) const NAME: &str = "$extension_reader::Raw";

impl<'a> Raw<'a> {
    /// Returns the value's text, without surrounding whitespace.
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
