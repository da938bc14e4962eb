//! A row of a table: its id, and values of its known columns.

use crate::store::mark::{marked, unmarked};
use crate::store::tables;
use extension_contract::Timestamp;
use host_store::Stored;
use host_store::implementation::json::damaged;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A value of a column. In the order, null comes first, then numbers, then strings. In requests and answers, strings carry the
/// [mark](crate::store::mark).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Text(text) => serializer.serialize_str(&marked(text)),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number or null")
            }
            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_none<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
                Ok(Value::Int(i64::from(truth)))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Int(number))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
                i64::try_from(number).map(Value::Int).map_err(E::custom)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(unmarked(text).to_owned()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<u64> for Value {
    /// A number beyond the column's range is beyond every row.
    fn from(number: u64) -> Value {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Int(i64::from(truth))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// The columns of a row that are not null, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns(pub(crate) Vec<(&'static str, Value)>);

impl Columns {
    /// Returns the value of a column.
    pub(crate) fn get(&self, name: &str) -> &Value {
        self.0.iter().find(|(known, _)| *known == name).map_or(&Value::Null, |(_, value)| value)
    }

    /// Sets a column.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (*name, value)))
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Columns;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the columns of a row")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Columns, M::Error> {
                let mut columns = Columns::default();
                while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                    match tables::known(&name) {
                        Some(name) => match map.next_value()? {
                            Value::Null => {}
                            value => columns.0.push((name, value)),
                        },
                        // The host has additional columns of its own, for example the time of the last change.
                        None => drop(map.next_value::<serde::de::IgnoredAny>()?),
                    }
                }
                Ok(columns)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    #[serde(rename = "data")]
    pub(crate) columns: Columns,
}

impl Record {
    /// Creates a row without columns.
    pub(crate) fn new(id: String) -> Record {
        Record { id, columns: Columns::default() }
    }

    /// Sets a column.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Record {
        self.columns.set(name, value);
        self
    }

    pub(crate) fn value(&self, name: &str) -> &Value {
        self.columns.get(name)
    }

    /// Reads a string.
    pub(crate) fn text(&self, name: &str) -> Stored<&str> {
        match self.value(name) {
            Value::Text(text) => Ok(text),
            other => Err(damaged(format!("`{name}` of `{}` is {other:?}", self.id))),
        }
    }

    /// Reads a string that may be missing.
    pub(crate) fn maybe_text(&self, name: &str) -> Stored<Option<&str>> {
        match self.value(name) {
            Value::Null => Ok(None),
            _ => self.text(name).map(Some),
        }
    }

    /// Reads a number.
    pub(crate) fn int(&self, name: &str) -> Stored<i64> {
        match self.value(name) {
            Value::Int(number) => Ok(*number),
            other => Err(damaged(format!("`{name}` of `{}` is {other:?}", self.id))),
        }
    }

    /// Reads a number that may be missing, for example a time.
    pub(crate) fn maybe_int(&self, name: &str) -> Stored<Option<Timestamp>> {
        match self.value(name) {
            Value::Null => Ok(None),
            _ => self.int(name).map(Some),
        }
    }

    /// Reads a number of a different type.
    pub(crate) fn number<T: TryFrom<i64, Error: fmt::Display>>(&self, name: &str) -> Stored<T> {
        T::try_from(self.int(name)?).map_err(damaged)
    }

    /// Reads a boolean.
    pub(crate) fn truth(&self, name: &str) -> Stored<bool> {
        Ok(self.int(name)? != 0)
    }
}
