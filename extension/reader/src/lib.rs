//! Reads a JSON text once into structs that borrow from it.
//!
//! It accepts and refuses the texts that serde_json does, and differs in five ways: values that nobody asked for are
//! skipped sixteen bytes at a time, an [`Error`] names the JSON Pointer of the value and never the text or a Rust type,
//! a number with a fraction, with an exponent or beyond 64 bits is read where any value may stand but into no number (no
//! field of ours may hold one), a key of a map is read as a text only, and a struct as an object only.
//!
//! ```
//! #[derive(serde::Deserialize)]
//! struct Invoice<'a> {
//!     id: &'a str,
//!     total: i64,
//! }
//!
//! let invoice: Invoice<'_> = extension_reader::from_str(r#"{"id": "in_1", "lines": [1.5, {}], "total": 7900}"#).unwrap();
//! assert_eq!((invoice.id, invoice.total), ("in_1", 7900));
//!
//! let error = extension_reader::from_str::<Invoice<'_>>(r#"{"id": "in_1", "total": "7900"}"#).err().unwrap();
//! assert_eq!(error.to_string(), "/total: expected a whole number, found a text");
//! ```

mod access;
mod block;
mod cursor;
mod error;
mod expected;
mod key;
mod raw;
mod reader;
mod rest;
mod skip;
mod small;
mod text;

pub use error::Error;
pub use key::{Key, member};
pub use raw::Raw;
pub use rest::Rest;

/// Read a whole JSON text as one value of the type.
pub fn from_str<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    read(text, &block::index(text.as_bytes()))
}

/// Read a whole JSON text as one value of the type, with a reader of which each type has less code: for what is short or
/// read seldom. Values and errors are the same.
pub fn from_str_small<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let index = block::index(text.as_bytes());
    let mut reader = reader::Reader::new(text, &index.blocks);
    let value = T::deserialize(small::Small(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// Read bytes that should be a JSON text in UTF-8.
pub fn from_slice<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    let (text, index) = block::text(bytes).map_err(|error| Error::new(format!("expected UTF-8: {error}")))?;
    read(text, &index)
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str, marks: &block::Index) -> Result<T, Error> {
    let mut reader = reader::Reader::new(text, &marks.blocks);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}
