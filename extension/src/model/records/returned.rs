//! Refunds and disputes of an invoice that arrived before its payment. The invoice's sales receive them afterwards.

use super::json_record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The returned amounts of one invoice. The row is removed once the amounts are part of the invoice's sales.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Returned {
    /// Refunded or disputed amount by payment, in minor units.
    pub by: BTreeMap<String, i64>,
}

json_record!(Returned, "returned", live: |_| false, references: |_| Vec::new());
