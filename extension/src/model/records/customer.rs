//! A customer of the payment provider.

use super::json_record;
use products_contract::Timestamp;
use serde::Serialize;
use small_deserialize::SmallDeserialize;

/// What is kept of a customer beside the claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(default)]
pub(crate) struct Customer {
    /// When the provider deleted it, by the first view that says so; nothing can be sold to it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

json_record!(Customer, "customers", live: |_| false, references: |_| Vec::new());
