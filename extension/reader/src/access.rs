//! What is within objects and lists, for serde.

use crate::error::{Error, Fault};
use crate::reader::Reader;
use crate::rest;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor};

/// The values of a list.
pub(crate) struct Members<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    index: usize,
}

impl<'r, 'a, 'm> Members<'r, 'a, 'm> {
    pub fn new(reader: &'r mut Reader<'a, 'm>) -> Self {
        Members { reader, index: 0 }
    }
}

impl<'a> SeqAccess<'a> for Members<'_, 'a, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let cursor = &mut self.reader.cursor;
        match cursor.space() {
            b']' => return Ok(None),
            // Behind the comma has to be a value, which `]` is none of.
            b',' if self.index > 0 => cursor.at += 1,
            _ if self.index > 0 => return Err(Fault::CommaOrBracket.into()),
            _ => {}
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(&mut *self.reader).map(Some).map_err(|error| error.at(index))
    }
}

/// The names and values of an object.
pub(crate) struct Object<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    first: bool,
    /// Where the last name stands, with its quotes.
    name: (usize, usize),
}

impl<'r, 'a, 'm> Object<'r, 'a, 'm> {
    #[inline(always)]
    pub fn new(reader: &'r mut Reader<'a, 'm>) -> Self {
        Object { reader, first: true, name: (0, 0) }
    }

    #[cold]
    fn under_name(&mut self, error: Error) -> Error {
        error.under_quoted(self.reader.between(self.name.0, self.name.1))
    }
}

impl<'a> MapAccess<'a> for Object<'_, 'a, '_> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let cursor = &mut self.reader.cursor;
        match cursor.space() {
            b'}' => return Ok(None),
            b',' if !self.first => {
                cursor.at += 1;
                cursor.indentation();
            }
            _ if !self.first => return Err(Fault::CommaOrBrace.into()),
            _ => {}
        }
        self.first = false;
        if cursor.peek() != b'"' {
            return Err(Fault::Key.into());
        }
        let start = cursor.at;
        let key = seed.deserialize(Name(self.reader))?;
        self.name = (start, self.reader.cursor.at);
        Ok(Some(key))
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Error> {
        if let Err(fault) = self.reader.cursor.colon() {
            return Err(self.under_name(fault.into()));
        }
        match seed.deserialize(&mut *self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.under_name(error)),
        }
    }
}

/// A name in an object, from its opening quote; it is a text, and nothing else.
struct Name<'r, 'a, 'm>(&'r mut Reader<'a, 'm>);

impl<'a> Deserializer<'a> for Name<'_, 'a, '_> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.visit_text(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'a>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name != rest::NAME {
            return visitor.visit_newtype_struct(self);
        }
        self.0.cursor.skip_members()?;
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A variant that is an object of one field: its name and its value.
pub(crate) struct Variant<D>(pub D);

/// A reader that goes on where it is.
pub(crate) trait Onward<'a>: Deserializer<'a, Error = Error> {
    /// The same reader again.
    type Again<'s>: Deserializer<'a, Error = Error>
    where
        Self: 's;

    fn again(&mut self) -> Self::Again<'_>;

    fn colon(&mut self) -> Result<(), Error>;
}

impl<'a, 'm> Onward<'a> for &mut Reader<'a, 'm> {
    type Again<'s>
        = &'s mut Reader<'a, 'm>
    where
        Self: 's;

    fn again(&mut self) -> Self::Again<'_> {
        self
    }

    fn colon(&mut self) -> Result<(), Error> {
        self.cursor.colon()?;
        Ok(())
    }
}

impl<'a, D: Onward<'a>> EnumAccess<'a> for Variant<D> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(mut self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(self.0.again())?;
        self.0.colon()?;
        Ok((variant, self))
    }
}

impl<'a, D: Onward<'a>> VariantAccess<'a> for Variant<D> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_struct("", fields, visitor)
    }
}

/// A variant that is a text: its name alone.
pub(crate) struct VariantName<D>(pub D);

impl<'a, D: Onward<'a>> EnumAccess<'a> for VariantName<D> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(mut self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(self.0.again())?;
        Ok((variant, self))
    }
}

impl<'a, D: Onward<'a>> VariantAccess<'a> for VariantName<D> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, _: T) -> Result<T::Value, Error> {
        Err(serde::de::Error::invalid_type(Unexpected::UnitVariant, &"newtype variant "))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::invalid_type(Unexpected::UnitVariant, &"tuple variant "))
    }

    fn struct_variant<V: Visitor<'a>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::invalid_type(Unexpected::UnitVariant, &"struct variant "))
    }
}
