//! Comparisons of the account's subscriptions with the provider's: times and numbers of differences.

use super::{ACCOUNT, json_record};
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// The comparisons of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Comparison {
    /// Time of the last fetch of each subscription that has not ended.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Timestamp>,
    /// Number of compared responses.
    #[serde(skip_serializing_if = "is_zero")]
    pub compared: i64,
    /// Number of responses that differed and were applied.
    #[serde(skip_serializing_if = "is_zero")]
    pub corrected: i64,
}

impl Comparison {
    /// Id of the account's only row.
    pub const ID: &'static str = "comparison";
}

json_record!(Comparison, ACCOUNT, live: |_| true, references: |_| Vec::new());
