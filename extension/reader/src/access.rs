//! Implements serde's access to the contents of objects, arrays and enum variants.

use crate::error::{Error, Fault};
use crate::reader::Reader;
use crate::rest;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor};

/// Access to the values of an array.
pub(crate) struct ListAccess<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    index: usize,
}

impl<'r, 'a, 'm> ListAccess<'r, 'a, 'm> {
    pub fn new(reader: &'r mut Reader<'a, 'm>) -> Self {
        ListAccess { reader, index: 0 }
    }
}

impl<'a> SeqAccess<'a> for ListAccess<'_, 'a, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let cursor = &mut self.reader.cursor;
        match cursor.space() {
            b']' => return Ok(None),
            // A value must follow the comma: the reader fails if it finds `]` instead.
            b',' if self.index > 0 => cursor.at += 1,
            _ if self.index > 0 => return Err(Fault::CommaOrBracket.into()),
            _ => {}
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(&mut *self.reader).map(Some).map_err(|error| error.at(index))
    }
}

/// Access to the names and values of an object.
pub(crate) struct ObjectAccess<'r, 'a, 'm> {
    reader: &'r mut Reader<'a, 'm>,
    first: bool,
    /// Start and end of the last name, including its quotes.
    name: (usize, usize),
}

impl<'r, 'a, 'm> ObjectAccess<'r, 'a, 'm> {
    #[inline(always)]
    pub fn new(reader: &'r mut Reader<'a, 'm>) -> Self {
        ObjectAccess { reader, first: true, name: (0, 0) }
    }

    #[cold]
    fn under_name(&mut self, error: Error) -> Error {
        error.under_quoted(self.reader.between(self.name.0, self.name.1))
    }
}

impl<'a> MapAccess<'a> for ObjectAccess<'_, 'a, '_> {
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

/// Deserializes a name of an object, starting at its opening quote. A name can be read only as a string.
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

/// Access to an enum variant written as an object with one member, which has the variant's name and value.
pub(crate) struct Variant<'r, 'a, 'm>(pub &'r mut Reader<'a, 'm>);

impl<'a> EnumAccess<'a> for Variant<'_, 'a, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(&mut *self.0)?;
        self.0.cursor.colon()?;
        Ok((variant, self))
    }
}

impl<'a> VariantAccess<'a> for Variant<'_, 'a, '_> {
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

/// Access to an enum variant written as a string: the variant's name, without a value.
pub(crate) struct VariantName<'r, 'a, 'm>(pub &'r mut Reader<'a, 'm>);

impl<'a> EnumAccess<'a> for VariantName<'_, 'a, '_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let variant = seed.deserialize(&mut *self.0)?;
        Ok((variant, self))
    }
}

impl<'a> VariantAccess<'a> for VariantName<'_, 'a, '_> {
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
