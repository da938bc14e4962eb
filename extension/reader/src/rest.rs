//! Skips the remaining members of an object.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// The unread members of an object. If the next name of an object is deserialized as a `Rest`, the reader skips all
/// remaining members, and the object has no more names.
///
/// The reader checks that the skipped members are valid JSON. Only this crate's reader can deserialize a `Rest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest;

/// Name of the newtype struct by which the reader recognizes a `Rest`. No other type has this name.
pub(crate) const NAME: &str = "$extension_reader::Rest";

impl<'de> Deserialize<'de> for Rest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Skipped;
        impl Visitor<'_> for Skipped {
            type Value = Rest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the rest of an object")
            }
            fn visit_unit<E: Error>(self) -> Result<Rest, E> {
                Ok(Rest)
            }
        }
        deserializer.deserialize_newtype_struct(NAME, Skipped)
    }
}
