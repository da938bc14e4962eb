//! The clause `at_most`, which limits a number. There is one form: `at_most: N` in a clause that has one scope of its own, else
//! `at_most: {count, per}`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A limit for each value of a field: an account has at most `count` products with one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerValue {
    /// Maximum number.
    pub count: u32,
    /// The field that the products are told apart by: `{product.FIELD}`.
    pub per: String,
}

/// Limits that depend on a value, for the resources of the whole business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByValue {
    /// Maximum numbers by the value of `per`. Other values are unlimited.
    pub count: BTreeMap<String, u32>,
    /// A template whose value selects the maximum.
    pub per: String,
}
