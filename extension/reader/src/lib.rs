//! Deserializes JSON in one pass into structs that borrow from the text: [`from_str`] says how this differs from serde_json.

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
mod text;
pub mod tokens;

pub use error::{Error, ErrorKind, Fault};
pub use key::Key;
pub use raw::Raw;
pub use rest::Rest;

/// Deserializes a JSON text.
///
/// It accepts the same texts as serde_json and returns the same values, with these differences:
///
/// - It skips unused values with vector instructions.
/// - An [`Error`] names the JSON Pointer of the value, and never the value or a Rust type.
/// - A number with a fraction, with an exponent or beyond 64 bits is read only where any value is allowed, and never
///   into a number type: the extension has no such numbers.
/// - A key of a map is read only as a string, and a struct only from an object.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Invoice<'a> {
///     id: &'a str,
///     total: i64,
/// }
///
/// let text = r#"{"id": "in_1", "lines": [1.5, {}], "total": 7900}"#;
/// let invoice: Invoice<'_> = extension_reader::from_str(text).unwrap();
/// assert_eq!((invoice.id, invoice.total), ("in_1", 7900));
///
/// let error = extension_reader::from_str::<Invoice<'_>>(r#"{"id": "in_1", "total": "7900"}"#).err().unwrap();
/// assert_eq!(error.to_string(), "/total: expected a whole number, found a text");
/// ```
///
/// # Errors
/// Fails if the text is not valid JSON or does not match the type.
pub fn from_str<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    read(text, &block::index(text.as_bytes()))
}

/// Deserializes a JSON text from its bytes in UTF-8.
///
/// # Errors
/// Fails if the bytes are not UTF-8, or the text is not valid JSON or does not match the type.
pub fn from_slice<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Error> {
    let (text, index) =
        block::text(bytes).map_err(|error| Error::new(ErrorKind::Syntax, format!("UTF-8: {error}"), ""))?;
    read(text, &index)
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str, marks: &block::Index) -> Result<T, Error> {
    let mut reader = reader::Reader::new(text, &marks.blocks);
    let value = T::deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}
