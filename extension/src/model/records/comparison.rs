//! When the account's subscriptions were held against the provider's, and how often they differed.

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
    /// When each subscription that goes on was asked for last.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Timestamp>,
    /// Answers that were held against what is known.
    #[serde(skip_serializing_if = "is_zero")]
    pub compared: i64,
    /// Those of them that differed, and were believed.
    #[serde(skip_serializing_if = "is_zero")]
    pub corrected: i64,
}

impl Comparison {
    /// Id of the one row of an account.
    pub const ID: &'static str = "comparison";
}

json_record!(Comparison, ACCOUNT, live: |_| true, references: |_| Vec::new());
