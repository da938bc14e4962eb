//! The record of comparisons: when each subscription was retrieved from Stripe, and how many responses differed.

use super::{ACCOUNT, json_record};
use crate::model::ids::SubscriptionId;
use crate::model::json::is_zero;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The retrieval times and counts of an account's comparisons with Stripe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Comparison {
    /// Time of the last requested retrieval, by subscription id. Ended subscriptions are removed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<SubscriptionId, Timestamp>,
    /// Number of responses that were compared with the stored subscription.
    #[serde(skip_serializing_if = "is_zero")]
    pub compared: i64,
    /// Number of responses that differed from the stored subscription and changed it.
    #[serde(skip_serializing_if = "is_zero")]
    pub corrected: i64,
}

impl Comparison {
    /// Id of the record: an account has only one.
    pub const ID: &'static str = "comparison";
}

json_record!(Comparison, ACCOUNT, live: |_| true, references: |_| Vec::new());
