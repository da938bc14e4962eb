//! The closure of an account, and the progress of erasing its personal data.

use super::{ACCOUNT, json_record};
use crate::model::ids::SubscriptionId;
use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The closure of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub at: Timestamp,
    /// Subscriptions that were cancelled because of the closure.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled: BTreeSet<SubscriptionId>,
    /// Sessions that were ended because of the closure.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub expired: BTreeSet<String>,
    /// Progress of the erasure.
    #[serde(default, skip_serializing_if = "Erased::is_none")]
    pub erased: Erased,
}

/// Progress of the erasure of personal data. The products are erased first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Erased {
    /// The products up to and including `reached` are erased.
    Products { reached: Option<String> },
    /// All products, and the audit trail up to and including the line `reached`, are erased.
    Accesses { reached: Option<String> },
    /// All of these, and the checkouts up to and including `reached`, are erased.
    Sessions { reached: Option<String> },
    /// All of these, and the cards of the payments up to and including `reached`, are erased.
    Payments { reached: Option<String> },
    /// All of these, and what was said about the end of the subscriptions up to and including `reached`, are erased.
    Subscriptions { reached: Option<String> },
    /// Everything is erased.
    All,
}

impl Default for Erased {
    fn default() -> Self {
        Erased::Products { reached: None }
    }
}

impl Erased {
    fn is_none(&self) -> bool {
        *self == Erased::default()
    }
}

impl Closed {
    /// Id of the account's only row.
    pub const ID: &'static str = "closed";
}

json_record!(Closed, ACCOUNT, live: |_| true, references: |_| Vec::new());
