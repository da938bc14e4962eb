//! The reader with less generated code for each type: steps are function calls instead of inlined code. For short or
//! rarely read texts.
//!
//! This reader returns the same values and errors as [`from_str`](crate::from_str).

use crate::access::{Reborrow, Variant, VariantName};
use crate::error::{Error, Fault};
use crate::raw;
use crate::reader::{Number, Reader, Text};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Expected, MapAccess, SeqAccess, Visitor};

/// Reads consecutive values of a text.
pub(crate) struct Small<'r, 'a, 'm>(pub &'r mut Reader<'a, 'm>);

/// Returns the first byte of the next value, which shows its kind.
#[inline(never)]
fn first(reader: &mut Reader<'_, '_>) -> u8 {
    reader.cursor.space()
}

#[inline(never)]
fn text<'a>(reader: &mut Reader<'a, '_>, expected: &dyn Expected) -> Result<Text<'a>, Error> {
    match reader.cursor.space() {
        b'"' => Ok(reader.read_text()?),
        _ => Err(reader.mismatch(expected)),
    }
}

#[inline(never)]
fn number(reader: &mut Reader<'_, '_>, expected: &dyn Expected) -> Result<Number, Error> {
    match reader.cursor.space() {
        b'-' | b'0'..=b'9' => Ok(reader.number()?),
        _ => Err(reader.mismatch(expected)),
    }
}

#[inline(never)]
fn boolean(reader: &mut Reader<'_, '_>, expected: &dyn Expected) -> Result<bool, Error> {
    match reader.cursor.space() {
        b't' => reader.literal(b"true").map(|()| true),
        b'f' => reader.literal(b"false").map(|()| false),
        _ => Err(reader.mismatch(expected)),
    }
}

#[inline(never)]
fn null(reader: &mut Reader<'_, '_>, expected: &dyn Expected) -> Result<(), Error> {
    match reader.cursor.space() {
        b'n' => reader.literal(b"null"),
        _ => Err(reader.mismatch(expected)),
    }
}

/// Skips the opening bracket of an object or an array.
#[inline(never)]
fn open(reader: &mut Reader<'_, '_>, bracket: u8, expected: &dyn Expected) -> Result<(), Error> {
    match reader.cursor.space() == bracket {
        true => reader.enter(),
        false => Err(reader.mismatch(expected)),
    }
}

/// Skips the closing bracket of an object or an array.
#[inline(never)]
fn close(reader: &mut Reader<'_, '_>, bracket: u8, fault: Fault) -> Result<(), Error> {
    reader.close(bracket, fault)?;
    reader.leave();
    Ok(())
}

/// Moves to the next value of an array, or to the quote of the next name of an object. Returns false at the end.
#[inline(never)]
fn next(reader: &mut Reader<'_, '_>, is_first: bool, bracket: u8, fault: Fault) -> Result<bool, Error> {
    match reader.cursor.space() {
        byte if byte == bracket => return Ok(false),
        b',' if !is_first => {
            reader.cursor.at += 1;
            reader.cursor.space();
        }
        _ if !is_first => return Err(fault.into()),
        _ => {}
    }
    Ok(true)
}

struct ListAccess<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    index: usize,
}

impl<'a> SeqAccess<'a> for ListAccess<'_, 'a, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !next(self.reader, self.index == 0, b']', Fault::CommaOrBracket)? {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(Small(self.reader)).map(Some).map_err(|error| error.at(index))
    }
}

struct ObjectAccess<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    is_first: bool,
    /// Start and end of the last name, including its quotes.
    name: (usize, usize),
}

/// Moves to the next name. Returns false at the end.
#[inline(never)]
fn to_name(object: &mut ObjectAccess<'_, '_, '_>) -> Result<bool, Error> {
    if !next(object.reader, object.is_first, b'}', Fault::CommaOrBrace)? {
        return Ok(false);
    }
    object.is_first = false;
    if object.reader.cursor.peek() != b'"' {
        return Err(Fault::Key.into());
    }
    object.name.0 = object.reader.cursor.at;
    Ok(true)
}

#[inline(never)]
fn to_value(object: &mut ObjectAccess<'_, '_, '_>) -> Result<(), Error> {
    match object.reader.cursor.colon() {
        Ok(_) => Ok(()),
        Err(fault) => Err(under_name(object, fault.into())),
    }
}

#[cold]
#[inline(never)]
fn under_name(object: &mut ObjectAccess<'_, '_, '_>, error: Error) -> Error {
    error.under_quoted(object.reader.between(object.name.0, object.name.1))
}

impl<'a> MapAccess<'a> for ObjectAccess<'_, 'a, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !to_name(self)? {
            return Ok(None);
        }
        let key = seed.deserialize(Small(self.reader))?;
        self.name.1 = self.reader.cursor.at;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        to_value(self)?;
        match seed.deserialize(Small(self.reader)) {
            Ok(value) => Ok(value),
            Err(error) => Err(under_name(self, error)),
        }
    }
}

impl<'a> Small<'_, 'a, '_> {
    fn text<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match text(self.0, &visitor)? {
            Text::Borrowed(text) => visitor.visit_borrowed_str(text),
            Text::Built => visitor.visit_str(self.0.built()),
        }
    }

    fn list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        open(self.0, b'[', &visitor)?;
        let value = visitor.visit_seq(ListAccess { reader: &mut *self.0, index: 0 })?;
        close(self.0, b']', Fault::CommaOrBracket)?;
        Ok(value)
    }

    fn object<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        open(self.0, b'{', &visitor)?;
        let value = visitor.visit_map(ObjectAccess { reader: &mut *self.0, is_first: true, name: (0, 0) })?;
        close(self.0, b'}', Fault::CommaOrBrace)?;
        Ok(value)
    }
}

impl<'a, 'm> Reborrow<'a> for Small<'_, 'a, 'm> {
    type Reborrowed<'s>
        = Small<'s, 'a, 'm>
    where
        Self: 's;

    fn reborrow(&mut self) -> Self::Reborrowed<'_> {
        Small(self.0)
    }

    fn colon(&mut self) -> Result<(), Error> {
        self.0.cursor.colon()?;
        Ok(())
    }
}

macro_rules! each {
    ($read:ident: $($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$read(visitor)
        }
    )*};
}

impl<'a> Small<'_, 'a, '_> {
    fn whole<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        number(self.0, &visitor)?.visit(visitor)
    }
}

impl<'a> Deserializer<'a> for Small<'_, 'a, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match first(self.0) {
            b'"' => self.text(visitor),
            b'{' => self.object(visitor),
            b'[' => self.list(visitor),
            b'-' | b'0'..=b'9' => number(self.0, &visitor)?.visit_any(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => Err(Fault::Value.into()),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        let flag = boolean(self.0, &visitor)?;
        visitor.visit_bool(flag)
    }

    each! { whole:
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    each! { text: deserialize_str deserialize_string deserialize_char deserialize_identifier }

    each! { list: deserialize_seq }

    each! { object: deserialize_map }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match first(self.0) {
            b'"' => self.text(visitor),
            _ => self.list(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match first(self.0) {
            b'n' => {
                null(self.0, &visitor)?;
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        null(self.0, &visitor)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        match name == raw::NAME {
            true => self.0.deserialize_newtype_struct(name, visitor),
            false => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match first(self.0) {
            b'"' => visitor.visit_enum(VariantName(self)),
            _ => {
                open(self.0, b'{', &visitor)?;
                let value = visitor.visit_enum(Variant(Small(&mut *self.0)))?;
                close(self.0, b'}', Fault::CommaOrBrace)?;
                Ok(value)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.cursor.skip_value()?;
        visitor.visit_unit()
    }
}
