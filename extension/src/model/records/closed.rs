//! An account that was given up: whoever it was of is gone.

use super::{ACCOUNT, json_record};
use extension_contract::Timestamp;
use extension_small_deserialize::SmallDeserialize;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The end of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Closed {
    pub at: Timestamp,
    /// Subscriptions that were cancelled for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled: BTreeSet<String>,
    /// What is personal and gone already.
    #[serde(default, skip_serializing_if = "Erased::is_none")]
    pub erased: Erased,
}

/// How far the erasure of what is personal came; it begins with the products.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Erased {
    /// The products up to this one.
    Products { reached: Option<String> },
    /// All products, and the audit trail up to this line.
    Accesses { reached: Option<String> },
    /// All of it.
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
    /// Id of the one row of an account.
    pub const ID: &'static str = "closed";
}

json_record!(Closed, ACCOUNT, live: |_| true, references: |_| Vec::new());
