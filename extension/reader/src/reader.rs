//! The JSON reader: implements serde's `Deserializer`.

use crate::access::{ListAccess, ObjectAccess, Variant, VariantName};
use crate::block::Marks;
use crate::cursor::Cursor;
use crate::error::{Error, Fault};
use crate::expected::kind_from;
use crate::raw;
use serde::Deserializer;
use serde::de::{Expected, Unexpected, Visitor};

/// Maximum nesting of values that are read, plus one. Skipped values may nest deeper, as with serde_json.
const DEPTH: u8 = 128;

/// Numbers with up to this many digits fit into 64 bits.
const DIGITS_SAFE: usize = 19;

/// Reads consecutive values of a text.
pub(crate) struct Reader<'a, 'm> {
    text: &'a str,
    pub cursor: Cursor<'m>,
    depth: u8,
    /// Buffer for the value of a string with escapes.
    scratch: String,
}

/// A JSON string of the document.
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    /// The string has escapes; its value is in the reader's `scratch`.
    Built,
}

pub(crate) enum Number {
    Unsigned(u64),
    Signed(i64),
    /// A number with a fraction, an exponent or too many digits, or -0, which serde_json reads as a float.
    Other(f64),
}

impl Number {
    #[inline(always)]
    pub fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Number::Unsigned(number) => visitor.visit_u64(number),
            Number::Signed(number) => visitor.visit_i64(number),
            Number::Other(_) => Err(serde::de::Error::invalid_type(Unexpected::Float(0.0), &visitor)),
        }
    }

    /// Passes the number to a visitor that accepts any value.
    pub fn visit_any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Number::Other(number) => visitor.visit_f64(number),
            whole => whole.visit(visitor),
        }
    }
}

impl<'a, 'm> Reader<'a, 'm> {
    pub fn new(text: &'a str, marks: &'m [Marks]) -> Reader<'a, 'm>
    where
        'a: 'm,
    {
        Reader { text, cursor: Cursor::new(text.as_bytes(), marks), depth: DEPTH, scratch: String::new() }
    }

    /// Fails if the text continues after the value.
    pub fn end(&mut self) -> Result<(), Error> {
        self.cursor.space();
        if self.cursor.at_end() { Ok(()) } else { Err(Fault::End.into()) }
    }

    /// Returns the text from `start` to `end` (exclusive). Both ends must be next to an ASCII character.
    #[inline(always)]
    pub fn between(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Reads a string, starting at its opening quote.
    #[inline(always)]
    pub fn read_text(&mut self) -> Result<Text<'a>, Fault> {
        self.cursor.at += 1;
        let start = self.cursor.at;
        if self.cursor.text_stop() == b'"' {
            let end = self.cursor.at;
            self.cursor.at += 1;
            return Ok(Text::Borrowed(self.between(start, end)));
        }
        self.build_text(start)?;
        Ok(Text::Built)
    }

    /// Decodes a string with escapes into `scratch`. The string begins at `start`; the text up to the current position
    /// contains no escapes.
    #[cold]
    fn build_text(&mut self, mut start: usize) -> Result<(), Fault> {
        self.scratch.clear();
        loop {
            let stop = self.cursor.text_stop();
            let piece = self.between(start, self.cursor.at);
            self.scratch.push_str(piece);
            match stop {
                b'"' => {
                    self.cursor.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    let escape = self.cursor;
                    let character = self.cursor.character().inspect_err(|_| self.cursor.move_to(escape));
                    self.scratch.push(character?);
                    start = self.cursor.at;
                }
                _ => return Err(self.cursor.control()),
            }
        }
    }

    /// Reads a string, starting at its opening quote, and passes it to the visitor.
    #[inline(always)]
    pub fn visit_text<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match self.read_text()? {
            Text::Borrowed(text) => visitor.visit_borrowed_str(text),
            Text::Built => visitor.visit_str(&self.scratch),
        }
    }

    /// Reads a number, starting at its first character.
    pub fn number(&mut self) -> Result<Number, Fault> {
        let start = self.cursor;
        let negative = self.cursor.peek() == b'-';
        if negative {
            self.cursor.at += 1;
        }
        let first = self.cursor.at;
        let zero = self.cursor.peek() == b'0';
        let mut value = 0_u64;
        while let digit @ b'0'..=b'9' = self.cursor.peek() {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.cursor.at += 1;
        }
        let digits = self.cursor.at - first;
        let plain = match digits {
            0 => false,
            1 => true,
            _ => !zero,
        };
        let value = match digits {
            ..=DIGITS_SAFE => Some(value),
            _ => self.between(first, self.cursor.at).parse().ok(),
        };
        match value {
            Some(value) if plain && !matches!(self.cursor.peek(), b'.' | b'e' | b'E') => {
                if !negative {
                    return Ok(Number::Unsigned(value));
                }
                match 0_i64.checked_sub_unsigned(value) {
                    Some(value) if value < 0 => Ok(Number::Signed(value)),
                    _ => self.other_number(start),
                }
            }
            _ => self.other_number(start),
        }
    }

    #[cold]
    fn other_number(&mut self, start: Cursor<'m>) -> Result<Number, Fault> {
        self.cursor = start;
        self.cursor.number()?;
        match self.between(start.at, self.cursor.at).parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Other(number)),
            _ => Err(Fault::Number),
        }
    }

    pub fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Result<(), Error> {
        Ok(self.cursor.literal(literal)?)
    }

    /// Creates the error for the current value, which does not have the expected type.
    #[cold]
    pub fn mismatch(&mut self, expected: &dyn Expected) -> Error {
        match kind_from(self.cursor.space()) {
            Some(found) => Error::mismatch(&expected.to_string(), found),
            None => Fault::Value.into(),
        }
    }

    /// Calls `read` for the contents of an object or an array, starting at its opening bracket.
    #[inline(always)]
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.enter()?;
        let value = read(self)?;
        self.leave();
        Ok(value)
    }

    /// Skips an opening bracket and increases the nesting depth.
    #[inline(always)]
    pub fn enter(&mut self) -> Result<(), Error> {
        self.cursor.at += 1;
        self.depth -= 1;
        if self.depth == 0 {
            return Err(Fault::Depth.into());
        }
        Ok(())
    }

    /// Decreases the nesting depth.
    #[inline(always)]
    pub fn leave(&mut self) {
        self.depth += 1;
    }

    /// Returns the string that `build_text` decoded last.
    pub fn built(&self) -> &str {
        &self.scratch
    }

    #[inline(always)]
    pub fn close(&mut self, bracket: u8, fault: Fault) -> Result<(), Error> {
        if self.cursor.space() != bracket {
            return Err(fault.into());
        }
        self.cursor.at += 1;
        Ok(())
    }

    #[inline(always)]
    fn visit_object<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.within(|reader| {
            let value = visitor.visit_map(ObjectAccess::new(reader))?;
            reader.close(b'}', Fault::CommaOrBrace)?;
            Ok(value)
        })
    }

    #[inline(always)]
    fn visit_list<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.within(|reader| {
            let value = visitor.visit_seq(ListAccess::new(reader))?;
            reader.close(b']', Fault::CommaOrBracket)?;
            Ok(value)
        })
    }

    #[inline(always)]
    fn visit_number<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'-' | b'0'..=b'9' => self.number()?.visit(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_number(visitor)
        }
    )*};
}

impl<'a> Deserializer<'a> for &mut Reader<'a, '_> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'"' => self.visit_text(visitor),
            b'{' => self.visit_object(visitor),
            b'[' => self.visit_list(visitor),
            b'-' | b'0'..=b'9' => self.number()?.visit_any(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => Err(Fault::Value.into()),
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b't' => self.literal(b"true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.literal(b"false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    #[inline]
    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'"' => self.visit_text(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'"' => self.visit_text(visitor),
            _ => self.deserialize_seq(visitor),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'n' => self.literal(b"null").and_then(|()| visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'n' => self.literal(b"null").and_then(|()| visitor.visit_unit()),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'a>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name != raw::NAME {
            return visitor.visit_newtype_struct(self);
        }
        self.cursor.space();
        let start = self.cursor.at;
        self.cursor.skip_value()?;
        visitor.visit_borrowed_str(self.between(start, self.cursor.at))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'[' => self.visit_list(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'{' => self.visit_object(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    /// Reads an object. Unlike serde_json, it does not accept an array of the fields' values.
    #[inline]
    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'{' => self.visit_object(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.cursor.space() {
            b'"' => visitor.visit_enum(VariantName(self)),
            b'{' => self.within(|reader| {
                let value = visitor.visit_enum(Variant(&mut *reader))?;
                reader.close(b'}', Fault::CommaOrBrace)?;
                Ok(value)
            }),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.cursor.skip_value()?;
        visitor.visit_unit()
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_identifier<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }
}
