//! `SmallDeserialize` accepts the same texts as serde's own derive, reads the same values and reports the same errors.
#![allow(clippy::unwrap_used)]

use extension_small_deserialize::SmallDeserialize;
use proptest::prelude::*;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

fn seven() -> i64 {
    7
}

fn doubled<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    i64::deserialize(from).map(|number| number.saturating_mul(2))
}

/// Defines the same structs with the given derive.
macro_rules! structs {
    ($derive:ident) => {
        #[derive(Debug, PartialEq, $derive)]
        pub struct Plain {
            a: String,
            b: Option<i64>,
            #[serde(default)]
            c: Vec<bool>,
            #[serde(default = "seven")]
            d: i64,
            #[serde(rename = "type")]
            e: i64,
            #[serde(default, deserialize_with = "doubled")]
            f: i64,
        }

        #[derive(Debug, PartialEq, $derive)]
        #[serde(default, deny_unknown_fields)]
        pub struct Strict {
            a: String,
            b: Option<i64>,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            c: Vec<bool>,
            d: BTreeMap<String, i64>,
        }

        impl Default for Strict {
            fn default() -> Self {
                Strict { a: "none".to_owned(), b: Some(1), c: vec![true], d: BTreeMap::new() }
            }
        }
    };
}

mod theirs {
    use super::*;
    structs!(Deserialize);
}

mod ours {
    use super::*;
    structs!(SmallDeserialize);
}

/// Generates objects with up to seven members, with valid and invalid names and values.
fn object() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "c", "d", "type", "f", "e", "z", "\\u0061"]);
    let value =
        prop::sample::select(vec![r#""x""#, "3", "-1", "null", "[]", "[true]", "{}", r#"{"k": 1}"#, "true", "1.5"]);
    let members = prop::collection::vec((name, value), 0..8);
    members.prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!("{{{}}}", members.join(", "))
    })
}

/// Reads a text. Returns the value in debug format, or the error message.
fn debug_or_error<'a, T: Deserialize<'a> + std::fmt::Debug>(text: &'a str) -> Result<String, String> {
    extension_reader::from_str::<T>(text).map(|value| format!("{value:?}")).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn a_struct_is_read_as_with_serdes_own_derive(text in object()) {
        prop_assert_eq!(debug_or_error::<ours::Plain>(&text), debug_or_error::<theirs::Plain>(&text));
        prop_assert_eq!(debug_or_error::<ours::Strict>(&text), debug_or_error::<theirs::Strict>(&text));
    }
}

#[test]
fn missing_fields_get_their_defaults_and_a_list_is_refused() {
    let text = r#"{"a": "x", "type": 2, "f": 3, "zzz": [1]}"#;
    let read: ours::Plain = extension_reader::from_str(text).unwrap();
    assert_eq!(format!("{read:?}"), r#"Plain { a: "x", b: None, c: [], d: 7, e: 2, f: 6 }"#);
    assert_eq!(debug_or_error::<ours::Strict>("{}").unwrap(), r#"Strict { a: "none", b: Some(1), c: [true], d: {} }"#);
    assert!(debug_or_error::<ours::Plain>("[]").is_err());
}
