//! Checks values against the limits of the contract.

use extension_contract::{
    BULK_MAX, FieldError, FieldErrorCode, ID_BYTES_MAX, ImportError, Imported, JSON_BYTES_MAX, PAGE_ROWS_MAX, Page,
};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Checks that an id or key has 1 to 255 bytes.
pub(crate) fn id(what: &str, id: &str) -> Imported<()> {
    if (1..=ID_BYTES_MAX).contains(&id.len()) {
        return Ok(());
    }
    Err(ImportError::LimitExceeded(format!("{what} of {} bytes, expected 1 to {ID_BYTES_MAX}", id.len())))
}

/// Checks that a bulk call has at most 256 entries.
pub(crate) fn bulk<T>(entries: &[T]) -> Imported<()> {
    if entries.len() <= BULK_MAX {
        return Ok(());
    }
    Err(ImportError::LimitExceeded(format!("bulk call of {} entries, at most {BULK_MAX}", entries.len())))
}

/// Checks that a page has 1 to 500 rows; returns the limit.
pub(crate) fn page(page: &Page) -> Imported<usize> {
    if (1..=PAGE_ROWS_MAX).contains(&page.limit) {
        return Ok(page.limit as usize);
    }
    Err(ImportError::LimitExceeded(format!("page of {} rows, expected 1 to {PAGE_ROWS_MAX}", page.limit)))
}

/// Checks that a stored JSON value is an object of at most 256 KiB.
pub(crate) fn json_object(path: &str, text: &str) -> Imported<()> {
    if text == "{}" {
        return Ok(());
    }
    json_size(path, text)?;
    let wrong = |error| Err(ImportError::Invalid(vec![error]));
    match json_problem(text) {
        Some(found) => wrong(FieldError::new(path, FieldErrorCode::BadFormat, found)),
        None if !text.trim_ascii_start().starts_with('{') => {
            wrong(FieldError::new(path, FieldErrorCode::WrongType, "").expecting("a JSON object"))
        }
        None => Ok(()),
    }
}

/// Checks that a JSON value has at most 256 KiB.
pub(crate) fn json_size(what: &str, text: &str) -> Imported<()> {
    if text.len() <= JSON_BYTES_MAX {
        return Ok(());
    }
    Err(ImportError::LimitExceeded(format!("{what} of {} bytes, at most {JSON_BYTES_MAX}", text.len())))
}

/// Returns the reason why a string is not readable JSON; none if it is readable.
pub(crate) fn json_problem(text: &str) -> Option<String> {
    serde_json::from_str::<Readable>(text).err().map(|error| error.to_string())
}

/// Like `IgnoredAny`, but also refuses the values that a JSON reader refuses: unlimited nesting, lone surrogates,
/// 1e999.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadableVisitor)
    }
}

struct ReadableVisitor;

impl<'de> Visitor<'de> for ReadableVisitor {
    type Value = Readable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_str<E>(self, _: &str) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_unit<E>(self) -> Result<Readable, E> {
        Ok(Readable)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Readable, A::Error> {
        while seq.next_element::<Readable>()?.is_some() {}
        Ok(Readable)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Readable, A::Error> {
        while map.next_entry::<Readable, Readable>()?.is_some() {}
        Ok(Readable)
    }
}
