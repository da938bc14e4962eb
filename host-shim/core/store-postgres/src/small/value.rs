//! The values of parameters and columns that both databases support.

use crate::small::SmallError;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A number, or a boolean as 0 or 1.
    Integer(i64),
    /// A string.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Integer(_) => "a number",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
        }
    }
}

/// Builds the parameters of a statement.
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::small::Value::from($value)),*] };
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Integer(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Value {
        Value::Integer(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Integer(value.into())
    }
}

impl From<u64> for Value {
    /// A number above the databases' maximum becomes that maximum; no revision or count reaches it.
    fn from(value: u64) -> Value {
        Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Value {
        Value::Text(value.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Value {
        Value::Bytes(value.to_vec())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Bytes(value)
    }
}

macro_rules! maybe {
    ($($type:ty),*) => {$(
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Value {
                value.map_or(Value::Null, |value| Value::from(value))
            }
        }
    )*};
}
maybe!(bool, i64, u16, &str, String, Vec<u8>);

/// A type that a column can have.
pub trait FromValue: Sized {
    /// Name of the type in errors.
    const EXPECTED: &'static str;
    /// Returns the value; none for a value of a different kind.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for String {
    const EXPECTED: &'static str = "a text";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    const EXPECTED: &'static str = "bytes";
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.clone()) } else { None }
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "0 or 1";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

macro_rules! number {
    ($($type:ty: $expected:literal),*) => {$(
        impl FromValue for $type {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: &Value) -> Option<Self> {
                if let Value::Integer(number) = value { <$type>::try_from(*number).ok() } else { None }
            }
        }
    )*};
}
number!(i64: "a number", u64: "a number from 0", u32: "a number below 2^32", u16: "a number below 2^16");

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// A row of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// Returns a column, numbered from 0.
    ///
    /// # Errors
    /// Fails if the query has no such column, or the column contains a value of a different kind.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T, SmallError> {
        let damaged = |found| SmallError::Damaged { column, found, expected: T::EXPECTED };
        let value = self.0.get(column).ok_or_else(|| damaged("missing"))?;
        T::from_value(value).ok_or_else(|| damaged(value.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_has_the_type_that_is_asked_for_or_an_error_without_its_value() {
        let row = Row(values![1_i64, "text", Vec::from(b"bytes"), None::<i64>, 70_000_u64].to_vec());
        assert!(row.get::<bool>(0).expect("true"));
        assert_eq!(row.get::<Option<String>>(1).expect("a text"), Some("text".to_owned()));
        assert_eq!(row.get::<Vec<u8>>(2).expect("bytes"), b"bytes");
        assert_eq!(row.get::<Option<i64>>(3).expect("null"), None);
        for (column, told) in [
            (1, "column 1 of a row is a text: expected a number below 2^16"),
            (9, "column 9 of a row is missing: expected a number below 2^16"),
        ] {
            assert_eq!(row.get::<u16>(column).expect_err("no number").to_string(), told);
        }
        row.get::<u16>(4).expect_err("a larger number");
    }
}
