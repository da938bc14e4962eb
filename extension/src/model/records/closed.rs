//! An account that was given up: whoever it was of is gone.

use super::{ACCOUNT, json_record};
use products_contract::Timestamp;
use serde::Serialize;
use small_deserialize::SmallDeserialize;
use std::collections::BTreeSet;

/// The end of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
pub(crate) struct Closed {
    pub at: Timestamp,
    /// Subscriptions that were cancelled for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub cancelled: BTreeSet<String>,
}

impl Closed {
    /// Id of the one row of an account.
    pub const ID: &'static str = "closed";
}

json_record!(Closed, ACCOUNT, live: |_| true, references: |_| Vec::new());
