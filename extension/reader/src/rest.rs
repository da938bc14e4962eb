//! What is left of an object when nobody needs more of it.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::fmt;

/// All members of an object that were not read yet. Read as the next name, it skips them; the object has no more names then.
///
/// They are checked to be JSON and otherwise unread. Only this crate's reader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest;

/// What a `Rest` asks a reader for; no type of a user has this name.
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
