//! What came back of an invoice before it was known as paid: its sales learn of it when it is.

use super::json_record;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// By invoice. It is gone when the invoice's sales have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Returned {
    /// What came back or is with a bank, by payment, in minor units.
    pub by: BTreeMap<String, i64>,
}

json_record!(Returned, "returned", live: |_| false, references: |_| Vec::new());
